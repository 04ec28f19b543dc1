"""A large upload through the browser: a part of ``reliability.py``."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from reliability_common import Check, note, wait_until
from reliability_server import megabytes, serving, settled_memory

from app_browser import NO_BROWSER, find_browser, headless_browser, settle  # isort: skip (found by reliability_server)

#: Side of a grey picture of a megabyte.
_SIDE = 1024
#: Seconds after which Streamlit has forgotten a visitor who left, and a few more.
_FORGOTTEN = 180
#: Seconds that an upload may take on a busy machine.
_LONG = 900


def uploaded(home: Path, size: int) -> list[Check]:
    """A stored zip of pictures of noise, about ``size`` bytes, into the first uploader of the form."""
    if find_browser() is None:
        sys.exit(NO_BROWSER)
    (home / "runs").mkdir(parents=True)
    archive = home / "noise.zip"
    count = _write_zip(archive, size)
    size = archive.stat().st_size
    note(f"a zip of {count:,} pictures, {megabytes(size)}")
    with serving(home / "runs") as server, headless_browser() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{server.url}/new")
        settle(page)
        before = server.memory()
        with server.peak() as peak:
            since = time.perf_counter()
            page.locator("input[type=file]").first.set_input_files(archive)
            page.get_by_text(f"{count:,} images").first.wait_for(timeout=1000 * _LONG)
            spent = time.perf_counter() - since
            settle(page, _LONG)
        after = settled_memory(server, 3)
        spooled = [path for path in (home / "runs" / ".uploads").rglob("*.zip") if path.stat().st_size == size]
        page.close()
        note(f"uploaded in {spent:.1f} s; waiting until the server has forgotten the visitor")
        since = time.monotonic()
        wait_until(lambda: server.memory() < before + 0.2 * size, _FORGOTTEN, 1.0)
        forgotten, waited = server.memory(), time.monotonic() - since
        tracebacks = server.tracebacks()
    what = f"a zip of {megabytes(size)} ({count:,} pictures) through the browser"
    memory = f"{megabytes(before)}, {megabytes(peak[0])}, {megabytes(after)}"
    return [
        Check("upload", f"{what}, until its images are counted", f"{spent:.1f} s", len(spooled) == 1),
        Check("upload", "errors in the server's log", str(tracebacks), tracebacks == 0),
        Check("upload", "memory of the server before, at its peak, after", memory),
        Check("upload", f"memory {waited:.0f} s after the visitor has left", megabytes(forgotten)),
    ]


def _write_zip(path: Path, size: int) -> int:
    """Write pictures of noise, stored, each another; returns how many."""
    rng, count = np.random.default_rng(0), max(1, size // (_SIDE * _SIDE))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for i in range(count):
            buffer = io.BytesIO()
            pixels = rng.integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
            Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
            archive.writestr(f"{i:05d}.png", buffer.getvalue())
    return count
