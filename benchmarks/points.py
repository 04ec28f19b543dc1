"""How fluid the images page stays with 20,000 points, in a real headless browser: run ``python benchmarks/points.py``.

An exploration of the digits backbone with one level, 421 ID images and 19,579 letters is made in a temporary folder;
then its images page is opened, dragged along, pointed at and boxed. Timed inside the page.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import headless_browser, running_app, settle

from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore

POINTS, ID_IMAGES = 20_000, 421
CHART = ".st-key-images_scatter .js-plotly-plot"
#: Resolves to the times of the frames, in ms, until ``window.stop`` is set.
FRAMES = """() => {
  window.stop = false;
  window.frames_seen = new Promise((resolve) => {
    const times = [], next = (now) => {
      times.push(now);
      window.stop ? resolve(times) : requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
}"""
COUNT = f"() => document.querySelector('{CHART}').data.reduce((n, trace) => n + (trace.customdata?.length ?? 0), 0)"
KINDS = f"() => [...new Set(document.querySelector('{CHART}').data.map((trace) => trace.type))]"
MIDDLE = f"""() => {{
  const graph = document.querySelector('{CHART}'), box = graph.getBoundingClientRect();
  const {{ xaxis, yaxis }} = graph._fullLayout;
  return [box.left + xaxis._offset + xaxis._length / 2, box.top + yaxis._offset + yaxis._length / 2];
}}"""


def make(folder: Path) -> None:
    """The exploration."""
    spec = {
        "name": "points",
        "backbone": {"path": str(BUNDLES / "digits" / "backbone")},
        "id": {"run": "digits"},
        "ood": [{"name": "letters", "source": {"builtin": "letters", "n": POINTS - ID_IMAGES}}],
        "levels": [5],
        "draws": 1,
    }
    explore(spec, folder / "points", device="cpu")


def tell(what: str, frames: list[float]) -> None:
    """One line of frame times."""
    gaps = sorted(b - a for a, b in pairwise(frames))
    median, slow = statistics.median(gaps), gaps[int(0.95 * len(gaps))]
    print(
        f"{what}: {1000 / median:.0f} frames a second in the median, 95 % of frames within {slow:.0f} ms ({len(gaps)})"
    )


def moving(page, what: str, act) -> None:
    """Frames while something is done."""
    page.evaluate(FRAMES)
    act()
    page.evaluate("() => { window.stop = true; }")
    tell(what, page.evaluate("() => window.frames_seen"))


def measure(url: str) -> None:
    """The page, opened and used."""
    with headless_browser() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        start = time.perf_counter()
        page.goto(f"{url}/images?run=points")
        settle(page, 180)
        print(
            f"page drawn after {time.perf_counter() - start:.1f} s: {page.evaluate(COUNT):,} points, "
            f"{', '.join(page.evaluate(KINDS))}"
        )
        page.locator(CHART).scroll_into_view_if_needed()
        x, y = page.evaluate(MIDDLE)
        page.mouse.move(x, y)

        def drag(dx: float, dy: float) -> None:
            page.mouse.down()
            page.mouse.move(x + dx, y + dy, steps=60)

        page.locator(f"{CHART} .modebar-btn[data-val=pan]").click()
        page.mouse.move(x, y)
        moving(page, "panning", lambda: (drag(160, 90), page.mouse.move(x, y, steps=60)))
        page.mouse.up()
        settle(page, 60)
        page.mouse.move(x, y)
        moving(page, "pointing along", lambda: page.mouse.move(x + 120, y + 60, steps=60))
        page.locator(f"{CHART} .modebar-btn[data-val=select]").click()
        page.mouse.move(x, y)
        moving(page, "drawing a box", lambda: drag(60, 60))
        start = time.perf_counter()
        page.mouse.up()
        page.get_by_text("images selected").wait_for()
        settle(page, 60)
        print(f"box let go, until the gallery shows its images: {time.perf_counter() - start:.2f} s")


def main() -> None:
    """Print all."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        os.environ["CFS_EXPLORE_RUNS"] = folder
        with running_app() as url:
            measure(url)


if __name__ == "__main__":
    main()
