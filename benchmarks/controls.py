"""How fast the diagnostic pages answer, in a real headless browser: run ``python benchmarks/controls.py [page ...]``.

Every control in the page's view is used once after a warm-up: the next option of a selection, another segment, one
step of a slider. Timed inside the page, from the key or mouse event to the second frame after nothing is under way.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import headless_browser, running_app, settle, stopped
from limit import run_within
from playwright.sync_api import TimeoutError

PAGES = ("complementarity", "separation", "stability", "prediction", "controls", "lab")
GOAL = 0.35

#: Resolves to the milliseconds from the next key or mouse press until the app, which ran, has been at rest for two
#: frames with every chart drawn; null where nothing ran within a second.
STOPWATCH = """() => {
  const app = () => document.querySelector('[data-testid=stApp]').dataset.testScriptState;
  const resting = () => app() === 'notRunning' && !document.querySelector('[data-stale=true]')
    && [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every((c) => c.querySelector('.main-svg'));
  window.awaited = () => resting() ? 'a run of the script after a key or mouse press' : 'the page at rest';
  window.stopwatch = new Promise((resolve) => {
    const begin = () => {
      const start = performance.now();
      let ran = false;
      const look = () => {
        ran = ran || app() !== 'notRunning';
        if (!ran && performance.now() - start > 1000) resolve(null);
        else if (ran && resting()) {
          const end = performance.now();
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(end - start)));
        } else setTimeout(look, 4);
      };
      look();
    };
    for (const kind of ['keydown', 'mousedown']) {
      window.addEventListener(kind, begin, {once: true, capture: true});
    }
  });
}"""


def timed(page, act) -> float | None:
    """Seconds that the page takes to answer ``act``; None where it has nothing to do."""
    page.evaluate(STOPWATCH)
    act()
    spent = stopped(page)
    settle(page)
    return spent


def selections(page):
    """(label, prepare, act) for the next option of every selection in view."""
    boxes = page.locator("[data-testid=stMain] [data-testid=stSelectbox]")
    for i in range(boxes.count()):
        box = boxes.nth(i)
        if not box.is_visible():
            continue
        label = box.locator("label").inner_text().strip()

        def prepare(box=box):
            box.locator("input").click(timeout=3000)
            page.wait_for_timeout(200)
            page.keyboard.press("ArrowDown")
            page.wait_for_timeout(50)

        yield f"{label} (selection)", prepare, lambda: page.keyboard.press("Enter")


def segments(page):
    """(label, prepare, act) for another segment of every segmented control in view."""
    groups = page.locator("[data-testid=stMain] [data-testid=stButtonGroup]")
    for i in range(groups.count()):
        button = groups.nth(i).locator("[role=radio][aria-checked=false]").first
        if button.count() and button.is_visible():
            yield f"{button.inner_text().strip()} (segment)", lambda: None, lambda b=button: b.click(timeout=3000)


def sliders(page):
    """(label, prepare, act) for one step of every slider in view."""
    thumbs = page.get_by_role("slider")
    for i in range(thumbs.count()):
        thumb = thumbs.nth(i)
        if thumb.count():
            label = thumb.get_attribute("aria-label") or f"slider {i + 1}"
            yield f"{label} (slider)", thumb.focus, lambda: page.keyboard.press("ArrowRight")


def main(pages: list[str]) -> None:
    """Print the median and the slowest answer of each page's controls."""
    with running_app() as url, headless_browser() as browser:
        for name in pages:
            page = browser.new_page(viewport={"width": 1440, "height": 1250})
            page.goto(f"{url}/{name}?run=digits")
            settle(page)
            times = {}
            for turn in range(2):  # the first warms up: imports, caches
                for kind in (selections, segments, sliders):
                    for label, prepare, act in list(kind(page)):
                        try:
                            prepare()
                            spent = timed(page, act)
                        except TimeoutError:  # an earlier control took this one away
                            continue
                        if turn and spent is not None:
                            times[label] = spent
            page.close()
            if not times:
                print(f"{name}: no control in view")
                continue
            slowest = max(times, key=times.get)
            print(
                f"{name}: median {statistics.median(times.values()):.2f} s of {len(times)} controls, slowest "
                f"{times[slowest]:.2f} s ({slowest}); goal {GOAL:g} s"
            )


if __name__ == "__main__":
    run_within(900, lambda: main(sys.argv[1:] or list(PAGES)))
