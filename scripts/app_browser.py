"""The app in a real headless browser: find one, start the app on a free port, wait until a page is drawn.

Shared by the screenshots, the browser tests and ``benchmarks/app.py``; needs Playwright's Python package.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
NO_BROWSER = "No Chrome or Chromium was found; install one (Debian: apt-get install chromium)."

#: True when the page has its title, no run is under way, nothing is stale, and every chart and component is drawn.
SETTLED = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  return document.querySelector('h1')
    && !document.querySelector('[data-testid=stStatusWidget], [data-stale=true], [data-testid=stSkeleton]')
    && document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'
    && all('[data-testid=stPlotlyChart]').every((chart) => chart.querySelector('.main-svg'))
    && all('.st-key-probe_film [data-testid=stBidiComponentIsolated]')
      .every((each) => each.shadowRoot?.querySelector('canvas'));
}"""


def find_browser() -> str | None:
    """Path of an installed Chrome or Chromium."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def headless_browser() -> Iterator[Browser]:
    """A headless Chrome or Chromium; exits with a clear line where there is none."""
    path = find_browser()
    if path is None:
        sys.exit(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def running_app(*, wait: bool = True) -> Iterator[str]:
    """The app on a free port; gives its address. Without ``wait`` it may not answer yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cfs_explore", "app", "--headless", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if wait:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def wait_for(url: str, seconds: float = 60, pause: float = 0.02) -> None:
    """Until the address answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)


def settle(page: Page, seconds: float = 60) -> None:
    """Until the page is drawn, and still is after two frames."""
    deadline = time.monotonic() + seconds
    while True:
        page.wait_for_function(SETTLED, timeout=1000 * max(0.001, deadline - time.monotonic()))
        page.wait_for_timeout(150)
        if page.evaluate(SETTLED):
            return


def cell_position(page: Page, chart: str, index: int, trace: int = -1) -> tuple[float, float]:
    """Where in the viewport a chart's point with this ``customdata`` is, scrolled into view.

    Args:
        page: with the chart drawn.
        chart: its key.
        index: the customdata, such as a cell index.
        trace: of the chart; the map's click layer is the last.
    """
    graph = page.locator(f".st-key-{chart} .js-plotly-plot")
    graph.scroll_into_view_if_needed()
    x, y = graph.evaluate(
        """(graph, [index, number]) => {
          const trace = number < 0 ? graph.data.length + number : number;
          const data = graph.data[trace], layout = graph._fullLayout;
          const x = layout[(data.xaxis || 'x').replace('x', 'xaxis')];
          const y = layout[(data.yaxis || 'y').replace('y', 'yaxis')];
          const point = [...data.customdata].indexOf(index), box = graph.getBoundingClientRect();
          return [box.left + x._offset + x.l2p(data.x[point]), box.top + y._offset + y.l2p(data.y[point])];
        }""",
        [index, trace],
    )
    return x, y
