"""How fast the probe redraws with the digits backbone: run ``python benchmarks/probe.py``.

(a) The core: one forward of two images with the maps, z-scores and scores of two taps, moved from level to level; and
all levels of them as a film.
(b) The page, in a real headless browser, while level or noise draw is slid with the arrow keys: from the key press to
everything redrawn (pictures, maps, score maps with their lines, z-scores, scores), timed inside the page to the frame
after the last change.
(c) What follows when the slider is let go: until the headline says the level, and the bytes that the server sends.
(d) The page's first opening on a fresh server: by its address, and from the map, looked at for some seconds.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import headless_browser, running_app, settle, stopped
from limit import run_within

from cfs_explore.locations import BUNDLES
from cfs_explore.probe.film import Film
from cfs_explore.probe.inputs import ProbeImage, stored_image
from cfs_explore.probe.network import Probe
from cfs_explore.store import open_run

WARM_UP, REDRAWS, LET_GO, GOAL = 5, 40, 5, 0.2
#: First openings of each kind, seconds for which the map is looked at before, and what an opening may take.
OPENINGS, LOOKED_S, OPENING_GOAL = 3, 10, 3

#: Resolves to the milliseconds from the next key to everything redrawn for another level or draw.
STOPWATCH = """() => {
  const film = document.querySelector('.st-key-probe_film [data-testid=stBidiComponentIsolated]').shadowRoot;
  const all = (selector, read) => [...film.querySelectorAll(selector)].map(read).join();
  const pixels = (canvas) => canvas.toDataURL(), path = (each) => each.getAttribute('d');
  const looks = Object.entries({
    'value': () => all('.value', (each) => each.textContent),
    'pictures': () => all('.strip figure:not(:nth-of-type(1)) canvas', pixels),
    'maps': () => all('.maps canvas', pixels),
    'score maps': () => all('.where .pictures figure canvas.map', pixels),
    'lines in score maps': () => all('.where .pictures figure path', path),
    'values of score maps': () => all('.where .stack', (each) => each.ariaLabel),
    'captions of maps': () => all('.maps figcaption', (each) => each.textContent),
    'z-scores': () => all('.bars path:is(.id, .ood)', path),
    'marks of scores': () => all('.marks path:is(.id, .ood)', path),
    'scores': () => all('li', (each) => each.textContent),
  });
  const before = looks.map(([, look]) => look());
  const left = () => looks.filter(([, look], i) => look() === before[i]).map(([name]) => name);
  window.awaited = () => 'other ' + left().join(', ');
  window.stopwatch = new Promise((resolve) => window.addEventListener('keydown', () => {
    const start = performance.now();
    const drawn = () => requestAnimationFrame(() => {
      const frame = performance.now();
      setTimeout(() => left().length === 0 ? resolve(frame - start) : drawn());
    });
    requestAnimationFrame(drawn);
  }, {once: true, capture: true}));
}"""
#: Once the levels between the measured ones are there, too.
WHOLE = """() => {
  const film = document.querySelector('.st-key-probe_film [data-testid=stBidiComponentIsolated]').shadowRoot;
  return film.querySelector('#level').max > 20 || film.querySelector('.note').textContent;
}"""
#: What the headline says.
HEADLINE = "() => document.querySelector('[data-testid=stMain] [data-testid=stMarkdownContainer] p').innerText"


def inputs() -> tuple[Probe, list[ProbeImage], list[str]]:
    """The probe, two images, two taps."""
    run = open_run(BUNDLES / "digits")
    sets = (("id_test", None), ("ood", "letters"))
    columns = ("image_id", "name", "label", "thumbnail")
    images = [stored_image(run, run.entry(*each), run.images(*each, columns=columns).iloc[0]) for each in sets]
    return Probe.open(run, device="cpu"), images, run.manifest.presets["sparse_ed"]


def core(probe: Probe, images: list[ProbeImage], taps: list[str]) -> list[float]:
    """Seconds of each look."""
    times = []
    for lam in (list(probe.levels) * 2)[: WARM_UP + REDRAWS]:
        start = time.perf_counter()
        seen = probe.see(images, lam, 0, taps)
        for view in seen.taps.values():
            view.strongest()
        times.append(time.perf_counter() - start)
    return times[WARM_UP:]


def film(probe: Probe, images: list[ProbeImage], taps: list[str]) -> tuple[float, int]:
    """Seconds for all levels, however long they take, and how many they are."""
    start = time.perf_counter()
    film, lam = Film(probe, images, 0, taps, budget=float("inf")), next(iter(probe.levels))
    film.pack(lam)
    film.make_rest()
    return time.perf_counter() - start, len(film.pack(lam)["lams"])


def page() -> tuple[list[float], list[float], list[float], list[int], int]:
    """Seconds of each redraw by level and by draw, and from letting go of the level to the new headline; bytes sent for
    the latter; the film's levels."""
    sent = []
    with running_app() as url, headless_browser() as browser:
        tab = browser.new_page(viewport={"width": 1440, "height": 1000})
        tab.on("websocket", lambda socket: socket.on("framereceived", lambda data: sent.append(len(data))))
        tab.goto(f"{url}/probe?run=digits&ood=letters&probe_lam=-5")
        tab.locator(".maps").nth(1).wait_for(timeout=180_000)
        tab.wait_for_function(WHOLE, timeout=60_000)
        settle(tab)
        slider = tab.get_by_role("slider", name="Noise level")
        draw = tab.get_by_role("slider", name="Noise draw")
        draw.focus()
        draws = [_redraw(tab, key) for key in _there_and_back(int(draw.get_attribute("max")) + 1)]
        settle(tab)
        levels = int(slider.get_attribute("max")) + 1
        slider.focus()
        times = [_redraw(tab, key) for key in _there_and_back(levels)]
        waits, sizes = [], []
        for k in range(LET_GO):
            tab.wait_for_timeout(1500)
            settle(tab)
            said = tab.evaluate(HEADLINE)
            sent.clear()
            start = time.perf_counter()
            tab.keyboard.press("ArrowLeft" if k % 2 else "ArrowRight")
            tab.wait_for_function(f"(said) => ({HEADLINE})() !== said", arg=said)
            waits.append(time.perf_counter() - start)
            settle(tab)
            sizes.append(sum(sent))
    return times[WARM_UP:], draws[WARM_UP:], waits, sizes, levels


def openings(browser, by_address: bool) -> list[float]:
    """Seconds until the film is drawn, each time on a fresh server."""
    times = []
    for _ in range(OPENINGS):
        with running_app() as url:
            tab = browser.new_page(viewport={"width": 1440, "height": 1000})
            if not by_address:
                tab.goto(f"{url}/map?run=digits&ood=letters")
                settle(tab)
                tab.wait_for_timeout(1000 * LOOKED_S)
            start = time.perf_counter()
            if by_address:
                tab.goto(f"{url}/probe?run=digits&ood=letters")
            else:
                tab.locator("[data-testid=stSidebarNavLink][href$='/probe']").click()
            tab.locator(".st-key-probe_film .maps canvas").first.wait_for(timeout=60_000)
            times.append(time.perf_counter() - start)
            settle(tab)
            tab.close()
    return times


def _there_and_back(levels: int) -> list[str]:
    """Keys that stay within a film that starts at or near its noisiest measured level."""
    steps = min(6, levels - 2)
    keys = ["ArrowRight"] * steps + ["ArrowLeft"] * steps
    return (keys * (WARM_UP + REDRAWS))[: WARM_UP + REDRAWS]


def _redraw(tab, key: str) -> float:
    tab.evaluate(STOPWATCH)
    tab.keyboard.press(key)
    return stopped(tab)


def main() -> None:
    """Print all."""
    given = inputs()
    _tell(f"core, 2 images x 2 taps, {torch.get_num_threads()} threads", core(*given))
    seconds, count = film(*given)
    print(f"film of {count} levels: {seconds:.1f} s")
    times, draws, waits, sizes, levels = page()
    _tell(f"page, key press to redrawn, film of {levels} levels", times)
    _tell("page, key press to redrawn, another noise draw", draws)
    print(f"let go until the headline follows: median {statistics.median(waits):.2f} s, of which it waits 0.25 s")
    print(f"sent for it: median {statistics.median(sizes) / 1024:.0f} KiB")
    with headless_browser() as browser:
        for how, by_address in (("by its address", True), (f"from the map, after {LOOKED_S} s", False)):
            found = openings(browser, by_address)
            print(
                f"first opening {how}: median {statistics.median(found):.1f} s of {len(found)} "
                f"({min(found):.1f} to {max(found):.1f}); goal {OPENING_GOAL} s"
            )


def _tell(what: str, times: list[float]) -> None:
    median = statistics.median(times)
    print(
        f"{what}: median {1000 * median:.0f} ms of {len(times)} ({1000 * min(times):.0f} to {1000 * max(times):.0f}), "
        f"{1 / median:.1f} redraws a second; goal {1 / GOAL:.0f}"
    )


if __name__ == "__main__":
    run_within(600, main)
