"""Take the README's screenshots from the running app, in a real browser.

Usage: python scripts/screenshots.py [folder]    (default docs/images; needs Chrome or Chromium)
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

#: file name -> (page with its query, colour scheme)
SHOTS = {
    "start": ("?run=digits", "light"),
    "map": ("map?run=digits&ood=letters", "light"),
    "map-dark": ("map?run=digits&ood=letters", "dark"),
    "new": ("new?run=digits", "light"),
}


def main(folder: Path = ROOT / "docs" / "images") -> None:
    """Start the app, visit each page, save a PNG of each."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        sys.exit("No Chrome or Chromium was found; install one (Debian: apt-get install chromium).")
    with running_app() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        for name, (path, scheme) in SHOTS.items():
            page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)
            page.goto(f"{url}/{path}")
            settle(page)
            page.screenshot(path=folder / f"{name}.png")
            print(f"{folder / name}.png")
        browser.close()


@contextmanager
def running_app():
    """The app on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cfs_explore", "app", "--headless", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str, seconds: float = 60) -> None:
    """Until the address answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def settle(page: Page) -> None:
    """Until the page has its title, nothing is stale, and its charts are drawn."""
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true], [data-testid=stSkeleton]')",
        timeout=60_000,
    )
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
