"""How fast the app answers, in a real headless browser: run ``python benchmarks/app.py``.

(a) From the start of the server's process to the first page drawn: a fresh server, a browser that is already running.
(b) From a click on a cell of the map to its panel drawn: heading, numbers, histogram, images and ROC curve of that
cell. Timed inside the page, from the mouse event to the second frame after the last change.
(c) From a click on a page's name at the left to that page drawn; every page has been seen before.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import UNSETTLED, cell_position, headless_browser, running_app, settle, stopped, wait_for
from limit import run_within

STARTS, WARM_UP = 5, 3
#: Cells (level, tap) to click, far apart and each once; the first ones warm up.
CELLS = [(k % 8, (7 * k + 2) % 29) for k in range(WARM_UP + 12)]

#: Resolves to the milliseconds from the next mouse press to the panel drawn, once its figures and heading are those of
#: another cell and nothing is under way.
STOPWATCH = """() => {
  const panel = ['h2', '.st-key-cell_histogram .scatterlayer', '.st-key-cell_roc .scatterlayer'];
  const parts = [...panel.map((part) => `.st-key-cell_panel ${part}`), '.st-key-beside_cell_images .cfs-gallery'];
  const shown = (part) => document.querySelector(part)?.innerHTML;
  const before = parts.map(shown);
  const left = () => [
    ...parts.filter((part, i) => !shown(part) || shown(part) === before[i]).map((part) => `another ${part}`),
    ...(document.querySelector('.st-key-cell_panel [data-stale=true]') ? ['nothing stale in the panel'] : []),
    ...(document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning' ? [] : ['the script']),
  ];
  window.awaited = () => left().join(', ') || 'a mouse press';
  window.stopwatch = new Promise((resolve) => window.addEventListener('mousedown', () => {
    const start = performance.now();
    const look = () => left().length ? requestAnimationFrame(look)
      : requestAnimationFrame(() => resolve(performance.now() - start));
    requestAnimationFrame(look);
  }, {once: true, capture: true}));
}"""

#: Pages to go to, one after the other.
PAGES = ("images", "triage", "image", "complementarity", "separation", "stability", "prediction", "controls", "map")
#: The same from the next mouse press to another page drawn.
PAGE_STOPWATCH = f"""() => {{
  const missing = {UNSETTLED};
  const before = location.pathname, title = document.querySelector('h1')?.textContent;
  const left = () => location.pathname === before || document.querySelector('h1')?.textContent === title
    ? ['another page'] : missing();
  window.awaited = () => left().join(', ') || 'a mouse press';
  window.stopwatch = new Promise((resolve) => window.addEventListener('mousedown', () => {{
    const start = performance.now();
    const look = () => left().length ? requestAnimationFrame(look)
      : requestAnimationFrame(() => resolve(performance.now() - start));
    requestAnimationFrame(look);
  }}, {{once: true, capture: true}}));
}}"""


def first_page(browser) -> float:
    """Seconds from process start to the first page drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    start = time.perf_counter()
    with running_app(wait=False) as url:
        wait_for(f"{url}/_stcore/health")
        page.goto(url, wait_until="commit")
        page.get_by_role("button", name="Open the map").first.wait_for(state="visible")
        spent = time.perf_counter() - start
        settle(page)
    page.close()
    return spent


def clicks(browser) -> list[float]:
    """Seconds from each click on a cell to its panel drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    times = []
    with running_app() as url:
        page.goto(f"{url}/map?run=digits&ood=letters")
        settle(page)
        for level, tap in CELLS:
            x, y = cell_position(page, "map", level * 29 + tap)
            page.evaluate(STOPWATCH)
            page.mouse.click(x, y)
            times.append(stopped(page))
            settle(page)
    page.close()
    return times[WARM_UP:]


def page_turns(browser) -> dict[str, float]:
    """Seconds from a click on a page's name to that page drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    times = {}
    with running_app() as url:
        page.goto(f"{url}/map?run=digits&ood=letters")
        settle(page)
        for name in PAGES * 2:  # the first time warms up: imports, caches
            page.evaluate(PAGE_STOPWATCH)
            page.locator(f"[data-testid=stSidebarNavLink][href$='/{name}']").click()
            times[name] = stopped(page)
            settle(page)
    page.close()
    return times


def main() -> None:
    """Print all."""
    with headless_browser() as browser:
        starts = [first_page(browser) for _ in range(STARTS)]
        shown = ", ".join(f"{seconds:.2f}" for seconds in starts)
        print(f"first page: median {statistics.median(starts):.2f} s after process start ({shown}); goal 3 s")
        times = clicks(browser)
        print(
            f"click to panel: median {statistics.median(times):.2f} s of {len(times)} "
            f"({min(times):.2f} to {max(times):.2f}); goal 0.3 s"
        )
        turns = page_turns(browser)
        slowest = max(turns, key=turns.get)
        print(
            f"page to page: median {statistics.median(turns.values()):.2f} s of {len(turns)}, slowest "
            f"{turns[slowest]:.2f} s ({slowest}); goal 0.6 s"
        )


if __name__ == "__main__":
    run_within(600, main)
