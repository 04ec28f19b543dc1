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
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
NO_BROWSER = "No Chrome or Chromium was found; install one (Debian: apt-get install chromium)."

#: What a page that is not drawn yet waits for; none when it has its title, no run is under way, nothing is stale, and
#: every chart and component is drawn.
UNSETTLED = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const state = document.querySelector('[data-testid=stApp]')?.dataset.testScriptState;
  return Object.entries({
    'no title': !document.querySelector('h1'),
    'something loads': all('[data-testid=stStatusWidget], [data-testid=stSkeleton]').length > 0,
    'something is stale': all('[data-stale=true]').length > 0,
    [`the script is ${state}`]: state !== 'notRunning',
    'a chart is not drawn': !all('[data-testid=stPlotlyChart]').every((chart) => chart.querySelector('.main-svg')),
    'the film is not drawn': !all('.st-key-probe_film [data-testid=stBidiComponentIsolated]')
      .every((each) => each.shadowRoot?.querySelector('canvas')),
  }).filter(([, wrong]) => wrong).map(([why]) => why);
}"""
SETTLED = f"() => ({UNSETTLED})().length === 0"
#: Milliseconds of the stopwatch that a benchmark has put into the page, or an error that says what it waits for.
_STOPPED = """(seconds) => Promise.race([window.stopwatch, new Promise((_, refuse) => setTimeout(
  () => refuse(new Error(`no answer within ${seconds} s; still waiting for: ${window.awaited?.() ?? 'the page'}`)),
  1000 * seconds))])"""


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
    """The app on a free port; gives its address. Without ``wait`` it may not answer yet.

    Raises:
        TimeoutError: it does not answer.
    """
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
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, seconds: float = 60, pause: float = 0.02) -> None:
    """Until the address answers.

    Raises:
        TimeoutError: it does not within these seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} did not answer within {seconds:g} s ({error}).") from error
            time.sleep(pause)


def settle(page: Page, seconds: float = 120) -> None:
    """Until the page is drawn, and still is after two frames.

    Raises:
        TimeoutError: saying what was missing after these seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            page.wait_for_function(SETTLED, timeout=1000 * max(0.001, deadline - time.monotonic()))
        except PlaywrightTimeout:
            why = ", ".join(page.evaluate(UNSETTLED)) or "it is now, but was not in time"
            raise TimeoutError(f"{page.url} was not drawn within {seconds:g} s: {why}.") from None
        page.wait_for_timeout(150)
        if page.evaluate(SETTLED):
            return


def stopped(page: Page, seconds: float = 60) -> float | None:
    """Seconds that the page's ``window.stopwatch`` resolves to, which is in milliseconds; None where it is null.

    Args:
        page: in which a benchmark has put it, and ``window.awaited``, a function that says what it waits for.
        seconds: to wait at most.

    Raises:
        TimeoutError: with what it still waits for.
    """
    try:
        spent = page.evaluate(_STOPPED, seconds)
    except PlaywrightError as error:
        raise TimeoutError(f"{page.url}: {error.message}") from None
    return None if spent is None else spent / 1000


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
