"""What a visitor does, in a real headless browser: from the first page to the map of their own pictures."""

import io
import re
import zipfile
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import auroc, compose
from cfs_explore.figures import short_tap_name
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser  # noqa: E402 (it imports Playwright)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(app_browser.find_browser() is None, reason="no Chrome or Chromium is installed"),
]


@pytest.fixture(scope="module")
def address():
    with app_browser.running_app() as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with app_browser.headless_browser() as found:
        yield found


@pytest.fixture
def page(browser, address):
    """A new visitor; at the end, nothing was asked of another host and no script of a page failed."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    strangers, failures = [], []
    page.on("request", lambda r: None if _is_local(r.url) else strangers.append(r.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    page.close()
    assert strangers == []
    assert failures == []


@pytest.fixture(scope="module")
def digits():
    return open_run(BUNDLES / "digits")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A zip of 30 pictures, one broken one and a text file."""
    path = tmp_path_factory.mktemp("upload") / "circles.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(30):
            image = Image.new("L", (24, 24))
            left, top = rng.integers(0, 8, 2).tolist()
            ImageDraw.Draw(image).ellipse([left, top, left + 12, top + 14], fill=int(rng.integers(120, 255)))
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            archive.writestr(f"circles/{i:02d}.png", buffer.getvalue())
        archive.writestr("circles/broken.png", b"not a picture")
        archive.writestr("notes.txt", "hello")
    return path


def _is_local(url: str) -> bool:
    return urlparse(url).scheme in ("data", "blob", "about") or urlparse(url).hostname in ("localhost", "127.0.0.1")


def _query(page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).query).items()}


def _cell_name(run, index: int) -> str:
    level, tap = divmod(index, len(run.taps))
    return f"{short_tap_name(run.taps[tap].name)} @ λ {run.levels[level].lam:.1f}"


def _wait_for_query(page, **values: str) -> None:
    page.wait_for_function(
        "(want) => Object.entries(want).every(([k, v]) => new URLSearchParams(location.search).get(k) === v)",
        arg=values,
        timeout=20_000,
    )


def _download(page, figure: str, menu: str, button: str) -> bytes:
    page.locator(f".st-key-{figure}_{menu} button").first.click()
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    content = waiting.value.path().read_bytes()
    page.keyboard.press("Escape")
    return content


def test_the_first_request_may_be_for_a_page_of_its_own(page, address):
    page.goto(f"{address}/map?run=digits&ood=letters&cell=54")
    app_browser.settle(page)
    assert page.locator("h1").inner_text() == "Where does the signal live?"
    page.get_by_text("Open the map").wait_for(state="detached")
    assert page.get_by_role("link", name="New exploration").count() == 1


def test_from_start_to_the_map(page, address):
    page.goto(address)
    app_browser.settle(page)
    page.get_by_role("button", name="Open the map").first.click()
    page.get_by_role("heading", name="Where does the signal live?").wait_for(timeout=30_000)
    app_browser.settle(page)
    assert page.locator(".st-key-map .js-plotly-plot").count() == 1


def test_click_a_cell_then_compose(page, address, digits):
    first, second, third = 4 * 29 + 25, 2 * 29 + 7, 12
    page.goto(f"{address}/map?run=digits&ood=letters&cells={first}&cell=0")
    app_browser.settle(page)
    page.mouse.click(*app_browser.cell_position(page, "map", first))
    _wait_for_query(page, cell=str(first))
    page.get_by_role("heading", name=_cell_name(digits, first)).wait_for(timeout=20_000)
    app_browser.settle(page)

    page.get_by_role("radio", name="composes a detector").click()
    _wait_for_query(page, click="compose")
    app_browser.settle(page)
    clicks = ((second, f"{first}.{second}"), (0, f"{first}.{second}.0"), (third, f"{first}.{second}.0.{third}"))
    for index, composed in (*clicks, (0, f"{first}.{second}.{third}")):
        page.mouse.click(*app_browser.cell_position(page, "map", index))
        _wait_for_query(page, cells=composed, cell=str(index))
        app_browser.settle(page)
    pairs = [Cell(*divmod(index, 29)) for index in (first, second, third)]
    expected = auroc(compose(digits.scores("id_test"), pairs), compose(digits.scores("ood", "letters"), pairs))
    page.get_by_text(re.compile(rf"{expected.value:.3f} \[{expected.lo:.3f}, {expected.hi:.3f}\]")).first.wait_for()
    chips = page.locator(".st-key-cells").inner_text()
    assert _cell_name(digits, first) in chips
    assert _cell_name(digits, second) in chips

    page.reload()
    app_browser.settle(page)
    assert _query(page)["cells"] == f"{first}.{second}.{third}"
    assert page.get_by_role("heading", name=_cell_name(digits, 0)).count() == 1


def test_add_a_cell_by_its_button(page, address):
    page.goto(f"{address}/map?run=digits&ood=letters&cells=10&cell=20")
    app_browser.settle(page)
    page.get_by_role("button", name="Add to detector").click()
    _wait_for_query(page, cells="10.20")


def test_hover_tells_the_numbers(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    index = 2 * 29 + 10
    page.mouse.move(*app_browser.cell_position(page, "map", index))
    text = page.locator(".st-key-map .hoverlayer").text_content(timeout=10_000)
    row = digits.auroc_map("letters").iloc[index]
    for wanted in (f"{row.auroc:.3f}", f"{row.auroc_lo:.3f}", str(row.n_id), str(row.n_ood), row.tap, "4.99", "5"):
        assert wanted in text


def test_a_small_map_opens_its_set(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    graph = page.locator(".st-key-strip .js-plotly-plot")
    position = digits.ood_names.index("noisy")
    box = graph.evaluate(
        """(graph, k) => {
          const trace = graph.data.filter((t) => t.type === 'heatmap')[k], layout = graph._fullLayout;
          const x = layout[trace.xaxis.replace('x', 'xaxis')], y = layout[trace.yaxis.replace('y', 'yaxis')];
          const at = graph.getBoundingClientRect();
          return [at.left + x._offset + x._length / 2, at.top + y._offset + y._length / 2];
        }""",
        position,
    )
    page.mouse.click(*box)
    _wait_for_query(page, ood="noisy")


def test_take_the_numbers_and_the_figure_away(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    table = pd.read_csv(io.BytesIO(_download(page, "map", "table", "CSV")))
    np.testing.assert_allclose(table["auroc"], digits.auroc_map("letters")["auroc"])
    assert b"<svg" in _download(page, "map", "files", "SVG")[:500]
    assert _download(page, "map", "files", "PDF").startswith(b"%PDF")
    page.get_by_role("button", name="Data").click()
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name="Scores of every image (Parquet)").click()
    scores = pd.read_parquet(waiting.value.path())
    assert len(scores) == sum(s.count for s in digits.manifest.sets if s.role != "id_train")
    assert sum("@" in column for column in scores.columns) == 29 * 8


def test_upload_run_and_reach_the_new_map(page, address, pictures):
    page.goto(f"{address}/new?run=digits")
    app_browser.settle(page)
    page.set_input_files("input[type=file]", pictures)
    page.get_by_text("31 images, 1 file(s) left out").wait_for(timeout=30_000)
    page.get_by_text("CFS(1x2): one encoder and one decoder tap").click()
    page.get_by_text(re.compile("forwards")).wait_for(timeout=120_000)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/new?*job=*", timeout=30_000)
    page.wait_for_url("**/map?*", timeout=180_000)
    page.get_by_role("heading", name="Where does the signal live?").wait_for(timeout=30_000)
    app_browser.settle(page)
    assert _query(page)["run"].startswith("circles-")
    page.get_by_text("warning(s)").click()
    page.get_by_text("circles/broken.png").wait_for(timeout=10_000)


def test_cancel_leave_come_back_and_go_on(page, address, pictures, browser):
    page.goto(f"{address}/new?run=digits")
    app_browser.settle(page)
    page.set_input_files("input[type=file]", pictures)
    page.get_by_text(re.compile("forwards")).wait_for(timeout=120_000)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/new?*job=*", timeout=30_000)
    job = page.url
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled. What was measured is kept.").wait_for(timeout=60_000)
    page.goto("about:blank")

    other = browser.new_page()
    other.goto(job)
    other.get_by_role("button", name="Go on").click(timeout=30_000)
    other.wait_for_url("**/map?*", timeout=180_000)
    other.close()
