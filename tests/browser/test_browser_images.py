"""The images page in a real headless browser: what the mouse selects, points at and clicks is what is shown."""

import base64
import io

import pandas as pd
import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

CHART = ".st-key-images_scatter .js-plotly-plot"
#: Every point of the chart: its row, and where it is in the window.
POINTS = f"""() => {{
  const graph = document.querySelector('{CHART}'), box = graph.getBoundingClientRect();
  const {{ xaxis, yaxis }} = graph._fullLayout;
  return graph.data.filter((trace) => trace.customdata).flatMap((trace) => trace.customdata.map((row, i) => [
    row, box.left + xaxis._offset + xaxis.l2p(trace.x[i]), box.top + yaxis._offset + yaxis.l2p(trace.y[i])]));
}}"""


@pytest.fixture(scope="module")
def stored(digits):
    """images.parquet, by the row that points carry."""
    return pd.read_parquet(digits.path / "images.parquet")


@pytest.fixture
def opened(page, address):
    page.goto(f"{address}/images?run=digits&ood=letters")
    app_browser.settle(page)
    page.locator(CHART).scroll_into_view_if_needed()
    return page


def settle(page) -> None:
    page.wait_for_timeout(400)
    app_browser.settle(page)


def gallery(page) -> list[str]:
    """Image ids of all pages of the gallery."""
    ids = []
    while True:
        ids += page.locator(".st-key-images_grid button").evaluate_all("all => all.map((each) => each.dataset.image)")
        onward = page.get_by_role("button", name="Next page")
        if onward.count() == 0 or onward.is_disabled():
            return ids
        onward.click()
        settle(page)


def drag(page, left, top, right, bottom) -> None:
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move((left + right) / 2, (top + bottom) / 2, steps=4)
    page.mouse.move(right, bottom, steps=4)
    page.mouse.up()
    settle(page)


def test_a_box_selects_the_images_inside_it(opened, stored):
    places = pd.DataFrame(opened.evaluate(POINTS), columns=["row", "x", "y"])
    assert len(places) == 671
    x, y = places[["x", "y"]].median()
    inside = places[places["x"].between(x - 25.5, x + 25.5) & places["y"].between(y - 20.5, y + 20.5)]
    edge = places[places["x"].between(x - 27, x + 27) & places["y"].between(y - 22, y + 22)]
    assert 48 < len(inside) < 300 and len(edge) - len(inside) < 20
    drag(opened, x - 26, y - 21, x + 26, y + 21)
    found = gallery(opened)
    assert len(found) == len(set(found))
    ids = stored["image_id"]
    assert set(ids[inside["row"]]) <= set(found) <= set(ids[edge["row"]])
    assert opened.get_by_text(f"{len(found)} of 671 images selected").count() == 1
    with opened.expect_download() as waiting:
        opened.locator(".st-key-images_csv button").first.click()
    table = pd.read_csv(io.BytesIO(waiting.value.path().read_bytes()), dtype={"image_id": str})
    assert list(table["image_id"]) == found and table["score"].is_monotonic_decreasing
    opened.get_by_role("button", name="Show all").click()
    settle(opened)
    assert opened.get_by_text("All 671 images").count() == 1


def test_the_pointer_shows_a_picture_and_a_click_keeps_it(opened, stored, digits):
    # the one farthest from all others, so that no other lies under the pointer
    places = pd.DataFrame(opened.evaluate(POINTS), columns=["row", "x", "y"])
    row, x, y = places.loc[places["y"].idxmin()]
    preview = opened.locator("img.cfs-point-picture")
    assert not preview.is_visible()
    opened.mouse.move(x, y)
    preview.wait_for(state="visible")
    picture = base64.b64encode(stored["thumbnail"][int(row)]).decode()
    assert preview.get_attribute("src") == f"data:image/png;base64,{picture}"
    opened.mouse.move(x + 200, y - 5)
    preview.wait_for(state="hidden")
    opened.mouse.move(x, y)
    preview.wait_for(state="visible")
    opened.mouse.click(x, y)
    wait_for_query(opened, images_picked=str(int(row)))
    settle(opened)
    assert opened.get_by_text(f"image_id {stored['image_id'][int(row)]}").count() == 1
    frames = opened.evaluate(f"() => document.querySelector('{CHART}').layout.annotations.length")
    assert frames == 1 and opened.locator(".st-key-images_neighbours button").count() == 12


def test_a_picture_of_the_gallery_marks_its_point_and_the_box_stays(opened, stored):
    places = pd.DataFrame(opened.evaluate(POINTS), columns=["row", "x", "y"])
    x, y = places[["x", "y"]].median()
    drag(opened, x - 40, y - 40, x + 40, y + 40)
    button = opened.locator(".st-key-images_grid button").nth(3)
    row, image = int(button.get_attribute("data-row")), button.get_attribute("data-image")
    count = opened.get_by_text("images selected").inner_text()
    assert stored["image_id"][row] == image
    button.click()
    wait_for_query(opened, images_picked=str(row))
    settle(opened)
    frame, at = opened.evaluate(
        f"""(row) => {{
          const {{ data, layout }} = document.querySelector('{CHART}'), frame = layout.annotations[0];
          const trace = data.find((trace) => trace.customdata?.includes(row)), i = trace.customdata.indexOf(row);
          return [[frame.x, frame.y], [trace.x[i], trace.y[i]]];
        }}""",
        row,
    )
    assert frame == pytest.approx(at, abs=1e-4)
    assert opened.get_by_text(f"image_id {image}").count() == 1
    assert opened.get_by_text("images selected").inner_text() == count
    assert opened.locator(".st-key-images_grid button[aria-pressed=true]").get_attribute("data-image") == image
    opened.locator(".st-key-images_grid button[aria-pressed=true]").click()  # a second click puts it back
    wait_for_query(opened, images_picked="none")


def test_a_zoom_outlives_a_click(opened):
    opened.locator(f"{CHART} .modebar-btn[data-val=zoom]").click()
    places = pd.DataFrame(opened.evaluate(POINTS), columns=["row", "x", "y"])
    x, y = places[["x", "y"]].median()
    drag(opened, x - 60, y - 60, x + 60, y + 60)
    ranges = (
        f"() => ['xaxis', 'yaxis'].map((a) => document.querySelector('{CHART}')._fullLayout[a].range.map((v) => +v))"
    )
    zoomed = opened.evaluate(ranges)
    opened.locator(".st-key-images_grid button").nth(2).click()
    settle(opened)
    assert "images_picked" in query(opened)
    assert opened.evaluate(ranges) == [pytest.approx(pair, rel=0.05, abs=0.02) for pair in zoomed]


@pytest.mark.parametrize("options", [{"width": 420}, {"width": 1440, "color_scheme": "dark"}])
def test_narrow_and_dark(visitor, address, options):
    page = visitor(**options)
    page.goto(f"{address}/images?run=digits&ood=letters&images_picked=1514")
    app_browser.settle(page)
    assert page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator(".st-key-images_grid img").first.evaluate("(image) => image.naturalWidth") == 16
