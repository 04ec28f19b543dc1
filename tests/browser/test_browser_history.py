"""The browser's history: whatever a visitor does is one step, and Back shows the view before it."""

import pytest
from browser_steps import cell_name, query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.cell_names import cell_names

TITLES = {
    "map": "Where does the signal live?",
    "separation": "What makes the scores separate?",
    "prediction": "Can the right cell be found without OOD images?",
    "images": "Which images lie together inside the network?",
}


def wait_for_page(page, place: str) -> None:
    page.get_by_role("heading", name=TITLES[place], exact=True).wait_for()
    page.wait_for_timeout(300)
    app_browser.settle(page)


def steps(page) -> int:
    return page.evaluate("history.length")


def test_another_page_is_one_step_and_back_shows_the_page_before_with_its_set_and_cell(page, address, digits):
    names = cell_names(digits)
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    opened = steps(page)
    page.mouse.click(*app_browser.cell_position(page, "map", 33))
    wait_for_query(page, cell=names[33])
    app_browser.settle(page)
    assert steps(page) == opened + 1
    links = (page.locator(".st-key-way_on a"), page.get_by_role("link", name="Prediction", exact=True))
    for link, place, taken in zip(links, ("separation", "prediction"), (2, 3), strict=True):
        link.click()
        wait_for_page(page, place)
        assert (query(page)["ood"], query(page)["cell"]) == ("letters", names[33])
        assert steps(page) == opened + taken
    for place in ("separation", "map"):
        page.go_back()
        wait_for_page(page, place)
        assert f"/{place}?" in page.url
        assert (query(page)["ood"], query(page)["cell"]) == ("letters", names[33])
    assert page.get_by_role("heading", name=cell_name(digits, 33)).count() == 1
    page.go_forward()
    wait_for_page(page, "separation")
    assert "/separation?" in page.url and steps(page) == opened + 3


def test_another_exploration_is_one_step(page, address, digits):
    lost = next(name for name in cell_names(digits) if name not in cell_names(open_run(BUNDLES / "digits-narrow")))
    of_digits = {"cell": lost, "images_sets": "letters", "images_taps": "up1.res2"}
    view = "&".join(f"{key}={value}" for key, value in of_digits.items())
    page.goto(f"{address}/images?run=digits&ood=letters&detector=cell&{view}")
    app_browser.settle(page)
    opened = steps(page)
    page.get_by_role("combobox", name="Exploration").fill("Digits (narrow network)")
    page.get_by_role("option").filter(has_text="narrow").first.wait_for()
    page.keyboard.press("Enter")
    wait_for_query(page, run="digits-narrow")
    wait_for_page(page, "images")
    assert steps(page) == opened + 1
    page.go_back()
    wait_for_page(page, "images")
    assert of_digits.items() <= query(page).items() and query(page)["run"] == "digits"


def test_a_button_that_leads_to_another_page_is_one_step(page, address):
    page.goto(address)
    app_browser.settle(page)
    opened = steps(page)
    page.get_by_role("button", name="Open the map").first.click()
    wait_for_page(page, "map")
    assert steps(page) == opened + 1
    page.go_back()
    page.get_by_role("heading", name="CFS Explore", exact=True).wait_for()
    assert "ood" not in query(page)


def test_a_wrong_address_is_answered_where_it_is_seen_and_leaves_no_step(page, address):
    page.goto(f"{address}/separation?run=digits&ood=letters&cell=up9.res1@5")
    app_browser.settle(page)
    opened = steps(page)
    note = page.get_by_test_id("stAlert").filter(has_text="Digits has no cell 'up9.res1@5', which the address names")
    assert note.count() == 1 and note.is_visible()
    page.get_by_role("link", name="Map", exact=True).click()
    wait_for_page(page, "map")
    assert note.count() == 0 and steps(page) == opened + 1
    page.go_back()
    wait_for_page(page, "separation")
    assert "up9" not in query(page)["cell"] and query(page)["ood"] == "letters"
