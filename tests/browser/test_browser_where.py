"""Where in one image, in a real headless browser: a click on the picture opens the channels behind that position."""

import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser
from playwright.sync_api import expect


def test_the_map_of_cells_stays_in_view_and_a_click_opens_a_position(page, address):
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{address}/image?run=digits&set=letters")
    app_browser.settle(page)
    before = page.locator(".st-key-map_of_image .js-plotly-plot").bounding_box()
    page.locator(".st-key-image_picture").get_by_text("Where", exact=True).click()
    wait_for_query(page, image_picture="where")
    page.locator(".st-key-image_where .js-plotly-plot").wait_for()
    app_browser.settle(page)
    after = page.locator(".st-key-map_of_image .js-plotly-plot").bounding_box()
    assert after == before and after["y"] + after["height"] <= 900
    for position, text in ((19, "3.4"), (60, "8.5")):
        page.mouse.click(*app_browser.cell_position(page, "image_where", position))
        wait_for_query(page, where_at=text)
        row, column = text.split(".")
        expect(page.get_by_text(f"row {row}, column {column}: the 8 channels of 64")).to_be_visible()
        app_browser.settle(page)
    page.go_back()
    wait_for_query(page, where_at="3.4")
    expect(page.get_by_text("row 3, column 4: the 8 channels of 64")).to_be_visible()
    assert query(page)["image_picture"] == "where"
