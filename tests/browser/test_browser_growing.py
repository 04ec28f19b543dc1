"""A map that grows on the page of its run: it can be clicked, it is drawn again, and it can be kept as it is."""

import re

import pytest
from browser_steps import query

from cfs_explore import jobs
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.store.growing import growing_map

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

#: Keeps what each frame shows of the map: one figure, drawn, its caption in its place.
RECORD = """() => {
  window.frames_shown = new Set();
  const caption = () => [...document.querySelectorAll('[data-testid=stCaptionContainer]')]
    .find((each) => each.innerText.includes('So far'));
  const look = () => {
    const shown = [...document.querySelectorAll('.st-key-growing_map')].filter((each) => each.offsetHeight > 0);
    const drawn = shown.filter((each) => each.querySelector('.heatmaplayer'));
    const top = caption() && Math.round(caption().getBoundingClientRect().top + window.scrollY);
    window.frames_shown.add(JSON.stringify([shown.length, drawn.length, top]));
    requestAnimationFrame(look);
  };
  look();
}"""
SO_FAR = re.compile(r"So far [\d,]+ ID and ([\d,]+) OOD images")


@pytest.fixture
def long_run():
    """A run that takes minutes, at work."""
    spec = {
        "name": "growing letters",
        "backbone": str(BUNDLES / "digits" / "backbone"),
        "id": {"run": "digits"},
        "ood": [{"name": "letters", "source": {"builtin": "letters", "n": 2000, "side": 16}}],
        "draws": 5,
        "diagnostics": ["controls"],
    }
    run = jobs.create(RunSpec.parse(spec))
    jobs.start(run)
    yield run
    jobs.cancel(run)


def shown(page) -> int:
    """OOD images of the map that is on show."""
    return int(SO_FAR.search(page.get_by_text(SO_FAR).inner_text())[1].replace(",", ""))


def test_a_map_grows_is_clicked_and_kept(page, address, long_run):
    page.goto(f"{address}/new?job={long_run.name}")
    page.get_by_text("Starting the process").or_(page.get_by_text("Loading")).first.wait_for(timeout=60_000)
    page.locator(".st-key-growing_map .heatmaplayer").wait_for(timeout=120_000)
    first = shown(page)
    x, y = app_browser.cell_position(page, "growing_map", 5 * 29 + 3)
    page.mouse.click(x, y)
    page.get_by_role("heading", name=re.compile(r"down0.downsample.*-1\.0|.*−1\.0")).wait_for()
    heading = page.get_by_role("heading", level=3).last.inner_text()

    page.evaluate(RECORD)
    page.wait_for_function(
        "([text, n]) => Number(document.body.innerText.match(text)[1].replace(',', '')) > n",
        arg=[SO_FAR.pattern, first],
        timeout=120_000,
    )
    frames = page.evaluate("[...window.frames_shown].map(JSON.parse)")
    assert {tuple(frame[:2]) for frame in frames} == {(1, 1)}  # no frame without the map, none with two
    assert len({frame[2] for frame in frames}) == 1  # and nothing moves
    assert page.get_by_role("heading", level=3).last.inner_text() == heading  # what was clicked stays open

    page.reload()
    page.locator(".st-key-growing_map .heatmaplayer").wait_for(timeout=120_000)
    assert page.get_by_role("heading", level=3).last.inner_text() == heading  # also where the page is loaded anew

    page.get_by_role("button", name="Stop here and keep this map").click()
    page.wait_for_url("**/map?*", timeout=60_000)
    app_browser.settle(page)
    assert query(page)["run"] == long_run.name and query(page)["cell"] == str(5 * 29 + 3)
    kept = open_run(long_run)
    assert first < kept.entry("ood", "letters").count < 2000 and growing_map(long_run) is None
    page.get_by_text(re.compile(r"^\d+ warnings?$")).click()
    page.get_by_text(re.compile("of 2,000 images were measured, drawn at random")).wait_for()
