"""Many visitors at once, each on an exploration of their own, while a run is measured: a part of ``reliability.py``.

Each visitor's exploration has a value of its own in every cell of its map, a name and a backbone's name of its own, so
that anything which another visitor should have seen is told at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
from playwright.async_api import Browser, Error, Page, async_playwright
from reliability_client import read_pages
from reliability_common import Check, note, small_spec
from reliability_server import Server, megabytes, serving

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
from app_browser import FLAGS, NO_BROWSER, SETTLED, find_browser
from browser_steps import watch

from cfs_explore import jobs
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec

VISITORS = 8
PAGES = ("map", "complementarity", "separation", "stability", "prediction", "controls", "protocol")
#: Seconds that a visitor looks at a page.
READING = (5.0, 15.0)
#: Seconds that 95 of 100 pages may take by a click, and by their address, where the whole app is loaded anew.
BY_CLICK, BY_ADDRESS = 1.5, 3.0

#: A page is there when another title than the last one's stands over at least one figure and nothing is under way.
THERE = f"""(last) => ({SETTLED})() && document.querySelector('h1').innerText !== last
  && document.querySelector('[data-testid=stPlotlyChart] .main-svg') !== null"""
#: Whose page this is: exploration and backbone in the sidebar, text, errors, and the values on a map.
LOOK = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const numbers = (z) => z === null ? [] : typeof z === 'number' ? [z] : Array.from(z).flatMap(numbers);
  const maps = all('.st-key-map .js-plotly-plot').flatMap((graph) => graph.data.filter((d) => d.type === 'heatmap'));
  return {
    exploration: document.querySelector('[data-testid=stSidebar] [data-testid=stSelectbox] input').value,
    sidebar: document.querySelector('[data-testid=stSidebar]').innerText,
    text: document.querySelector('[data-testid=stMain]').innerText,
    errors: all('[data-testid=stException], [data-testid=stAlertContentError]').map((e) => e.innerText),
    values: [...new Set(maps.flatMap((map) => numbers(map.z)))],
  };
}"""


@dataclass
class Diary:
    """What the visitors noted.

    Attributes:
        loads: page, whether by its address (or else by a click), and seconds.
        errors: on pages, of scripts, in the console; requests to other computers; pages that did not come.
        mixed: what belongs to another visitor.
    """

    loads: list[tuple[str, bool, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)


def visited(home: Path, seconds: float) -> list[Check]:
    """Eight visitors for some seconds."""
    if find_browser() is None:
        sys.exit(NO_BROWSER)
    runs = home / "runs"
    runs.mkdir(parents=True)
    for number in range(VISITORS):
        _exploration(runs, number)
    diary, alone = Diary(), Diary()
    with serving(runs) as server, _busy(runs) as busy, server.peak() as peak:
        memories, _ = asyncio.run(_all_visitors(server, diary, seconds, browsers=VISITORS))
        _, answers = asyncio.run(_all_visitors(server, alone, seconds, browsers=1))
        tracebacks, worked = server.tracebacks(), busy()
    diary.errors += alone.errors
    diary.mixed += alone.mixed
    for text in [*diary.errors, *diary.mixed]:
        note(text)
    crowd = f"{VISITORS} browsers on the server's own cores"
    own = f"1 browser there and {VISITORS - 1} visitors who draw elsewhere"
    return [
        *_timings(diary, f"{crowd}, {seconds:g} s", judged=False),
        *_timings(alone, f"{own}, {seconds:g} s", judged=True),
        _answers(answers, f"{own}, {seconds:g} s"),
        *_health(diary, memories, peak[0], tracebacks, worked),
    ]


def _timings(diary: Diary, who: str, *, judged: bool) -> list[Check]:
    """How long a browser waits until a page's figures are there."""
    checks = []
    ways = ((True, "by its address", BY_ADDRESS), (False, "by a click in the sidebar", BY_CLICK))
    for by_address, how, goal in ways:
        times = [spent for _, address, spent in diary.loads if address == by_address]
        if not times:
            continue
        p50, p95 = np.quantile(times, [0.5, 0.95])
        what = f"{who}: a page {how} until its figures are drawn ({len(times)} pages)"
        met = bool(p95 < goal) if judged else None
        checks.append(Check("sessions", what, f"p50 {p50:.2f} s, p95 {p95:.2f} s", met))
    return checks


def _answers(answers: list[tuple[str, float]], who: str) -> Check:
    """How long the server takes to answer, without any drawing."""
    p50, p95 = np.quantile([spent for _, spent in answers], [0.5, 0.95])
    what = f"{who}: the server's whole answer, {len(answers)} pages"
    return Check("sessions", what, f"p50 {p50:.2f} s, p95 {p95:.2f} s", bool(p95 < BY_CLICK))


def _health(diary: Diary, memories: list[int], peak: int, tracebacks: int, worked: bool) -> list[Check]:
    shown = ", ".join(map(megabytes, memories))
    errors = len(diary.errors) + tracebacks
    return [
        Check("sessions", "errors on pages, in consoles, in the server's log", str(errors), errors == 0),
        Check("sessions", "pages that showed something of another visitor", str(len(diary.mixed)), not diary.mixed),
        Check("sessions", "a run was measured all the time", "yes" if worked else "no", worked),
        Check("sessions", "memory of the server: start, middle, end, peak", f"{shown}, {megabytes(peak)}"),
    ]


def _exploration(runs: Path, number: int) -> None:
    """A copy of the bundled one that tells whose it is."""
    copy = shutil.copytree(BUNDLES / "digits", runs / f"visit-{number}")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["name"], manifest["backbone"]["name"] = f"Visit {number}.", f"Backbone {number}."
    manifest.pop("files", None)  # the table is another one than it was
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    table = pd.read_parquet(copy / "tables" / "auroc_map.parquet")
    table[["auroc", "lo", "hi"]] = _value(number)
    table.to_parquet(copy / "tables" / "auroc_map.parquet", index=False)


def _value(number: int) -> float:
    return 0.55 + 0.03125 * number


@contextlib.contextmanager
def _busy(runs: Path) -> Iterator:
    """A run is measured meanwhile; gives a function that says whether it still is."""
    before = {name: os.environ.get(name) for name in ("CFS_EXPLORE_RUNS", "CFS_EXPLORE_CACHE_GB")}
    os.environ |= {"CFS_EXPLORE_RUNS": str(runs), "CFS_EXPLORE_CACHE_GB": "0"}
    test = {"name": "test", "source": {"builtin": "digits", "split": "test"}}
    train = {"name": "train", "source": {"builtin": "digits", "split": "train"}}
    levels = [9 - 0.5 * i for i in range(28)]
    spec = small_spec(name="Busy", id={"train": train, "test": test}, draws=8, levels=levels, shard_size=None)
    run = jobs.create(RunSpec.parse(spec))
    jobs.start(run)
    try:
        yield lambda: jobs.read_status(run).state == "running"
    finally:
        jobs.cancel(run)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


async def _all_visitors(
    server: Server, diary: Diary, seconds: float, *, browsers: int
) -> tuple[list[int], list[tuple[str, float]]]:
    """Let them all in, some with a browser here.

    Returns:
        The server's memory at the start, in the middle and at the end; page and seconds of each answer to the others.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        memories = [server.memory()]
        until = time.monotonic() + seconds
        visits = [asyncio.create_task(_visit(browser, server.url, i, until, diary)) for i in range(browsers)]
        others = [
            asyncio.create_task(read_pages(server.url, f"visit-{i}", PAGES, until, i, READING))
            for i in range(browsers, VISITORS)
        ]
        await asyncio.sleep(seconds / 2)
        memories.append(server.memory())
        await asyncio.gather(*visits)
        answers = [answer for answered in await asyncio.gather(*others) for answer in answered]
        memories.append(server.memory())
        await browser.close()
    return memories, answers


async def _visit(browser: Browser, url: str, number: int, until: float, diary: Diary) -> None:
    """One visitor: page after page, by address or by a click, each looked at for some seconds."""
    rng, strangers, failures, current = random.Random(number), [], [], ""
    page = await browser.new_page(viewport={"width": 1440, "height": 1000})
    watch(page, strangers, failures)
    while time.monotonic() < until:
        target = rng.choice([name for name in PAGES if name != current])
        by_address = not current or rng.random() < 0.5
        try:
            diary.loads.append((target, by_address, await _open(page, url, target, number, by_address)))
            _check(await page.evaluate(LOOK), page.url, target, number, diary)
            current = target
        except Error as error:
            diary.errors.append(f"visitor {number}, {target}: {str(error).splitlines()[0]}")
            current = ""
        await asyncio.sleep(rng.uniform(*READING))
    diary.errors += [f"visitor {number}: {text}" for text in failures]
    diary.errors += [f"visitor {number} asked another computer: {address}" for address in strangers]
    await page.close()


async def _open(page: Page, url: str, target: str, number: int, by_address: bool) -> float:
    """Seconds until a page is there, and still is a moment later."""
    last = "" if by_address else await page.locator("h1").inner_text()
    since = time.perf_counter()
    if by_address:
        await page.goto(f"{url}/{target}?run=visit-{number}", wait_until="commit")
    else:
        await page.locator(f"[data-testid=stSidebarNavLink][href$='/{target}']").click()
    while True:
        await page.wait_for_function(THERE, arg=last, timeout=60_000)
        spent = time.perf_counter() - since
        await page.wait_for_timeout(150)
        if await page.evaluate(THERE, last):
            return spent


def _check(seen: dict, address: str, target: str, number: int, diary: Diary) -> None:
    """Whether everything on a page is the visitor's own."""
    where = f"visitor {number}, {target}"
    diary.errors += [f"{where}: {text}" for text in seen["errors"]]
    asked = parse_qs(urlparse(address).query).get("run", [""])[0]
    if (seen["exploration"], asked) != (f"Visit {number}.", f"visit-{number}"):
        diary.mixed.append(f"{where}: shows {seen['exploration']!r}, its address says {asked!r}")
    if f"Backbone {number}." not in seen["sidebar"]:
        diary.mixed.append(f"{where}: another backbone in the sidebar")
    others = [i for i in range(VISITORS) if i != number]
    if any(f"{kind} {i}." in seen["text"] for i in others for kind in ("Visit", "Backbone")):
        diary.mixed.append(f"{where}: the text names another's exploration")
    if target == "map" and seen["values"] != [_value(number)]:
        diary.mixed.append(f"{where}: the map's cells are {seen['values'][:3]}, not {_value(number)}")
