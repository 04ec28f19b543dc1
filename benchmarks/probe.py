"""How fast the probe redraws with the digits backbone: run ``python benchmarks/probe.py``.

(a) The core: one forward of two images with the maps, z-scores and scores of two taps, moved from level to level.
(b) The page, in a real headless browser: from a key press on the slider to all redrawn (pictures, maps, headline,
figures), timed inside the page to the second frame after the last change. And how many bytes a redraw sends.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import headless_browser, running_app, settle

from cfs_explore.locations import BUNDLES
from cfs_explore.probe.inputs import stored_image
from cfs_explore.probe.network import Probe
from cfs_explore.store import open_run

WARM_UP, REDRAWS, GOAL = 5, 40, 0.2

#: Resolves to the milliseconds from the next key to the page redrawn for another level.
STOPWATCH = """() => {
  const find = (part) => document.querySelector(part);
  const charts = ['probe_encoder_score', 'probe_encoder_z', 'probe_decoder_score', 'probe_decoder_z'];
  const looks = [
    () => find('[data-testid=stMain] [data-testid=stMarkdownContainer] p')?.innerText,
    () => find('.st-key-probe_strip_A .cfs-two img')?.src,
    () => find('.cfs-maps figcaption')?.closest('.cfs-maps').innerText,
    ...charts.map((key) => () => [...document.querySelectorAll(`.st-key-${key} .scatterlayer :is(path.js-line, text)`)]
      .map((line) => line.getAttribute('d') || line.textContent).join()),
  ];
  const before = looks.map((look) => look());
  const done = () => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning' &&
    looks.every((look, i) => { const now = look(); return now && now !== before[i]; }) &&
    !find('[data-testid=stMain] [data-stale=true]');
  window.stopwatch = new Promise((resolve) => window.addEventListener('keydown', () => {
    const start = performance.now();
    const look = () => done() ? requestAnimationFrame(() => resolve(performance.now() - start))
      : requestAnimationFrame(look);
    requestAnimationFrame(look);
  }, {once: true, capture: true}));
}"""


def core() -> list[float]:
    """Seconds of each look."""
    run = open_run(BUNDLES / "digits")
    probe = Probe.open(run, device="cpu")
    sets = (("id_test", None), ("ood", "letters"))
    columns = ("image_id", "name", "label", "thumbnail")
    images = [stored_image(run, run.entry(*each), run.images(*each, columns=columns).iloc[0]) for each in sets]
    taps = run.manifest.presets["sparse_ed"]
    times = []
    for lam in (list(probe.levels) * 2)[: WARM_UP + REDRAWS]:
        start = time.perf_counter()
        seen = probe.see(images, lam, 0, taps)
        for view in seen.taps.values():
            view.strongest()
        times.append(time.perf_counter() - start)
    return times[WARM_UP:]


def page() -> tuple[list[float], list[int]]:
    """Seconds of each redraw, and bytes that the server sent for it."""
    sent = []
    with running_app() as url, headless_browser() as browser:
        tab = browser.new_page(viewport={"width": 1440, "height": 1000})
        tab.on("websocket", lambda socket: socket.on("framereceived", lambda data: sent.append(len(data))))
        tab.goto(f"{url}/probe?run=digits&ood=letters&probe_lam=-6")
        settle(tab)
        tab.get_by_role("slider").first.focus()
        times, sizes = [], []
        for _ in range(WARM_UP + REDRAWS):
            tab.evaluate(STOPWATCH)
            sent.clear()
            tab.keyboard.press("ArrowRight")
            times.append(tab.evaluate("() => window.stopwatch") / 1000)
            sizes.append(sum(sent))
            settle(tab)
    return times[WARM_UP:], sizes[WARM_UP:]


def main() -> None:
    """Print both."""
    _tell(f"core, 2 images x 2 taps, {torch.get_num_threads()} threads", core())
    times, sizes = page()
    _tell("page, key press to redrawn", times)
    print(f"sent per redraw: median {statistics.median(sizes) / 1024:.0f} KiB")


def _tell(what: str, times: list[float]) -> None:
    median = statistics.median(times)
    print(
        f"{what}: median {1000 * median:.0f} ms of {len(times)} ({1000 * min(times):.0f} to {1000 * max(times):.0f}), "
        f"{1 / median:.1f} redraws a second; goal {1 / GOAL:.0f}"
    )


if __name__ == "__main__":
    main()
