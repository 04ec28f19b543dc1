"""What an answer of the app costs, on a busy machine too: run ``python benchmarks/cost.py [map | pages ...]``.

Seconds of waiting say little while others use the cores. So this counts, for each kind of act in a real headless
browser, the means of: processor time of the server and of the page's main thread (of it: scripts, style and layout),
bytes and messages that the server sends, and elements and charts among them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import psutil
from app_browser import cell_position, headless_browser, running_app, settle
from limit import run_within
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

VIEW = {"width": 1440, "height": 1000}
CELLS = [(k % 8, (7 * k + 2) % 29) for k in range(12)]
PAGES = ("map", "images", "triage", "image", "complementarity", "separation", "stability", "prediction", "controls")
#: Answers that warm up, and milliseconds that an answer is given before it is looked for.
WARM_UP, ANSWER_MS = 2, 1500


class Meter:
    """What a tab and its server have used so far.

    Args:
        tab: of the browser, before it opens the app.
        server: the app's process.
    """

    def __init__(self, tab, server: psutil.Process):
        self._tab, self._server, self._received = tab, server, []
        tab.on("websocket", lambda socket: socket.on("framereceived", lambda frame: self._received.append(frame)))
        self._browser = tab.context.new_cdp_session(tab)
        self._browser.send("Performance.enable", {"timeDomain": "threadTicks"})

    def rest(self, seconds: int = 5, most: int = 90) -> None:
        """Until the server has done nothing for so many seconds: it loads ahead when it is not asked."""
        quiet, used = 0, self._server_s()
        for _ in range(most):
            self._tab.wait_for_timeout(1000)
            quiet = quiet + 1 if self._server_s() - used < 0.05 else 0
            used = self._server_s()
            if quiet == seconds:
                return
        raise TimeoutError(f"The server was at work for {most} s without being asked.")

    def _server_s(self) -> float:
        used = self._server.cpu_times()
        return used.user + used.system

    def read(self) -> Counter:
        """Seconds and counts so far."""
        used = {each["name"]: each["value"] for each in self._browser.send("Performance.getMetrics")["metrics"]}
        found = Counter(
            {
                "server s": self._server_s(),
                "page s": used["TaskDuration"],
                "script s": used["ScriptDuration"],
                "layout s": used["LayoutDuration"] + used["RecalcStyleDuration"],
            }
        )
        for frame in self._received:
            content = frame.encode() if isinstance(frame, str) else frame
            found["bytes"] += len(content)
            found["messages"] += 1
            try:
                message = ForwardMsg.FromString(content)
            except Exception:  # noqa: BLE001 - what is no message is counted as bytes only
                continue
            if message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "new_element":
                found["elements"] += 1
                found["charts"] += message.delta.new_element.WhichOneof("type") == "plotly_chart"
            if os.environ.get("COST_SIZES"):
                kind = message.WhichOneof("type")
                if kind == "delta":
                    kind = message.delta.WhichOneof("type")
                    kind = message.delta.new_element.WhichOneof("type") if kind == "new_element" else kind
                found[f"bytes {kind}"] += len(content)
                found[f"n {kind}"] += 1
        return found


@contextmanager
def metered(browser, path: str) -> Iterator[tuple]:
    """A tab that shows a page of a fresh server, and its meter."""
    with running_app() as url:
        tab = browser.new_page(viewport=VIEW)
        port = int(url.rsplit(":", 1)[1])
        meter = Meter(tab, _server(port))
        tab.goto(f"{url}/{path}")
        settle(tab)
        yield tab, meter
        tab.close()


def _server(port: int) -> psutil.Process:
    """The process that was started to serve this port."""
    mine = psutil.Process().children(recursive=True)
    return next(each for each in mine if str(port) in each.cmdline())


def mean_cost(meter: Meter, tab, acts: list[Callable[[], None]]) -> Counter:
    """Of an act, without those that warm up."""

    def do(act: Callable[[], None]) -> None:
        act()
        tab.wait_for_timeout(ANSWER_MS)  # to look whether it is drawn costs time, too
        settle(tab)

    for act in acts[:WARM_UP]:
        do(act)
    meter.rest()
    before = meter.read()
    for act in acts[WARM_UP:]:
        do(act)
    after = meter.read()
    after.subtract(before)
    return Counter({name: value / len(acts[WARM_UP:]) for name, value in after.items()})


def cells(browser) -> Counter:
    """A click on a cell of the map."""
    with metered(browser, "map?run=digits&ood=letters") as (tab, meter):

        def click(level: int, tap: int) -> None:
            tab.mouse.click(*cell_position(tab, "map", level * 29 + tap))

        return mean_cost(meter, tab, [lambda each=each: click(*each) for each in CELLS])


def pages(browser) -> Counter:
    """From page to page by the sidebar, each seen before."""
    with metered(browser, "map?run=digits&ood=letters") as (tab, meter):

        def go(name: str) -> None:
            tab.locator(f"[data-testid=stSidebarNavLink][href$='/{name}']").click()
            tab.wait_for_url(f"**/{name}*")

        names = [*PAGES[1:], PAGES[0]]
        for name in names:
            go(name)
            tab.wait_for_timeout(ANSWER_MS)
            settle(tab)
        return mean_cost(meter, tab, [lambda each=each: go(each) for each in [*PAGES[1:WARM_UP], *names]])


PARTS = {"map": ("click on a cell", cells), "pages": ("page to page", pages)}


def main(parts: list[str]) -> None:
    """Print the mean cost of each."""
    with headless_browser() as browser:
        for name in parts:
            what, measure = PARTS[name]
            cost = measure(browser)
            print(f"{what}: " + ", ".join(_told(*each) for each in cost.items()))


def _told(name: str, value: float) -> str:
    if name.endswith(" s"):
        return f"{name[:-2]} {1000 * value:.0f} ms"
    return f"{value / 1024:.1f} KiB {name}" if name.startswith("bytes") else f"{value:.1f} {name}"


if __name__ == "__main__":
    run_within(900, lambda: main(sys.argv[1:] or list(PARTS)))
