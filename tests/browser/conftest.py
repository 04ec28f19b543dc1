"""One server and one headless browser for all browser tests of a process; each test is a new visitor."""

import io
import zipfile
from pathlib import Path

import browser_steps
import numpy as np
import pytest
from PIL import Image, ImageDraw

from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run

#: Milliseconds that a test waits where it names no others: the other core may be busy.
PATIENCE = 90_000


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder, and say why they are skipped where there is no browser."""
    of_browser = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    if not of_browser:
        return
    import app_browser

    missing = pytest.mark.skipif(app_browser.find_browser() is None, reason="no Chrome or Chromium is installed")
    for item in of_browser:
        item.add_marker("browser")
        item.add_marker(missing)


@pytest.fixture(scope="session")
def address():
    """The app's address; the server is a new one, nobody has visited it."""
    import app_browser

    with app_browser.running_app() as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    import app_browser
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    with app_browser.headless_browser() as found:
        yield found


@pytest.fixture
def visitor(browser, address):
    """Make a page of a new visitor: ``visitor(width=420)``. At the end, no page asked another host or failed."""
    pages, strangers, failures = [], [], []

    def open_page(width: int = 1440, **options):
        pages.append(browser.new_page(viewport={"width": width, "height": 1000}, accept_downloads=True, **options))
        pages[-1].set_default_timeout(PATIENCE)
        browser_steps.watch(pages[-1], strangers, failures)
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()
    assert strangers == []
    assert failures == []


@pytest.fixture
def page(visitor):
    return visitor()


@pytest.fixture(scope="session")
def digits():
    return open_run(BUNDLES / "digits")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A zip of 30 pictures, one broken one and a text file."""
    path = tmp_path_factory.mktemp("upload") / "circles.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(30):
            image = Image.new("L", (24, 24))
            left, top = rng.integers(0, 8, 2).tolist()
            ImageDraw.Draw(image).ellipse([left, top, left + 12, top + 14], fill=int(rng.integers(120, 255)))
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            archive.writestr(f"circles/{i:02d}.png", buffer.getvalue())
        archive.writestr("circles/broken.png", b"not a picture")
        archive.writestr("notes.txt", "hello")
    return path
