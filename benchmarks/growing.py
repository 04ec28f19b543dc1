"""How soon an upload has a map, in a real headless browser: run ``python benchmarks/growing.py``.

A zip of 1,000 pictures against the digits' stored statistics, with the form's defaults: from the click on Start to the
first map drawn, and to the page of the finished one.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import headless_browser, running_app, settle
from PIL import Image

from cfs_explore import images

TURNS, PICTURES, LONG = 3, 1_000, 300_000
#: Seconds that a person looks at the form before Start; meanwhile a worker loads its libraries.
READING = 4


def write_zip(path: Path) -> None:
    """Letters drawn from a font, a PNG each."""
    letters = {"builtin": "letters", "n": PICTURES, "side": 28}
    with images.open_source(letters) as source, zipfile.ZipFile(path, "w") as file:
        for index in range(len(source)):
            buffer = io.BytesIO()
            Image.fromarray(source.read(index).pixels.squeeze()).save(buffer, "PNG")
            file.writestr(f"letters/{index:04d}.png", buffer.getvalue())


def one_turn(browser, url: str, upload: Path) -> tuple[float, float]:
    """Seconds from Start to the first map, and to the finished one."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{url}/new?run=digits")
    settle(page)
    page.set_input_files("input[type=file]", upload)
    page.get_by_text("About", exact=False).first.wait_for(timeout=LONG)  # the speed of this machine is known
    settle(page)
    page.wait_for_timeout(1000 * READING)
    start = time.perf_counter()
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".st-key-growing_map .heatmaplayer").wait_for(timeout=LONG)
    first = time.perf_counter() - start
    page.wait_for_url("**/map?*", timeout=LONG)
    page.locator(".st-key-map .heatmaplayer").wait_for(timeout=LONG)
    final = time.perf_counter() - start
    page.close()
    return first, final


def main() -> None:
    """Print both, with the machine's load before."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"CFS_EXPLORE_RUNS": f"{folder}/runs", "CFS_EXPLORE_CACHE_GB": "0"}
        upload = Path(folder) / "letters.zip"
        write_zip(upload)
        load = os.getloadavg()[0]
        with headless_browser() as browser, running_app() as url:
            times = [one_turn(browser, url, upload) for _ in range(TURNS)]
    for name, goal, values in zip(("first map", "final map"), (6, 20), zip(*times, strict=True), strict=True):
        shown = ", ".join(f"{seconds:.1f}" for seconds in values)
        print(f"{name}: median {statistics.median(values):.1f} s after Start ({shown}); goal {goal} s; load {load:.1f}")


if __name__ == "__main__":
    main()
