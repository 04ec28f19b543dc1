"""A new exploration in a real headless browser: upload, progress, leave, come back, cancel, go on; and bad files."""

import contextlib
import io
import re
import zipfile

import numpy as np
import pytest
from browser_steps import query
from PIL import Image

from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

MAP = "Where does the signal live?"
PROGRESS = re.compile(r"[\d,]+ of [\d,]+ forwards")


def upload(page, address, *files) -> None:
    """Open the form and choose files."""
    page.goto(f"{address}/new?run=digits")
    app_browser.settle(page)
    page.set_input_files("input[type=file]", files)


def choose_diagnostics(page, label: str) -> None:
    """Map, Standard or Everything, wherever the form has it."""
    choice = page.locator(".st-key-new_diagnostics").get_by_text(label, exact=True)
    if not choice.is_visible():
        page.locator("[data-testid=stMain] summary").filter(has_text="More").last.click()
    choice.click()
    app_browser.settle(page)


def press_start(page) -> str:
    """Start; gives the address of the run."""
    page.locator(".cfs-strip img").first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Start", exact=True).click()  # before the speed is known, too
    page.wait_for_url("**/new?*job=*")
    return page.url


@pytest.fixture
def photos(tmp_path):
    """Colour photographs of a telephone, turned by EXIF, and among them two broken files."""
    rng, path = np.random.default_rng(0), tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(13):
            picture = Image.fromarray(rng.integers(0, 256, (40, 30, 3), np.uint8)).resize((3000, 4000))
            exif, buffer = picture.getexif(), io.BytesIO()
            exif[0x0112] = 6
            picture.save(buffer, "JPEG", quality=70, exif=exif)
            archive.writestr(f"{i}.jpg", buffer.getvalue())
        archive.writestr("cut.jpg", buffer.getvalue()[:5000])
        archive.writestr("empty.jpg", b"no picture")
    return path


def test_start_takes_the_backbone_that_is_shown(page, address, photos):
    """Pressed as soon as it can be: what the pictures are is known by then, and what is shown is measured."""
    upload(page, address, photos)
    page.locator(".cfs-strip img").first.wait_for(timeout=60_000)
    start = page.get_by_role("button", name="Start", exact=True)
    start.and_(page.locator(":enabled")).wait_for(timeout=60_000)
    said = page.locator("[data-testid=stMain]").inner_text()
    start.click()
    page.wait_for_url("**/new?*job=*")
    spec = RunSpec.parse(runs_root() / query(page)["job"] / "spec.yaml")
    leave_nothing_running(page, page.url)
    assert "13 images ×" in said and "The proposal has changed: before, it was digits" in said
    assert "its input is in colour like your pictures" in said
    assert "cifar10-ddpm" in spec.backbone.path and spec.id.run.endswith("cifar10-ddpm")


def open_map(page) -> None:
    """Open the map of a run as soon as it is measured; when a run has ended, its page leads there by itself."""
    from playwright.sync_api import TimeoutError

    button, heading = page.get_by_role("button", name="Open the map now"), page.get_by_role("heading", name=MAP)
    button.or_(heading).first.wait_for(timeout=180_000)
    if not heading.is_visible():
        with contextlib.suppress(TimeoutError):  # it ended meanwhile
            button.click(timeout=5_000)
    page.wait_for_url("**/map?*")
    heading.wait_for(timeout=60_000)


def cancel(page) -> None:
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled. What was measured is kept.").wait_for(timeout=60_000)


def leave_nothing_running(page, job: str) -> None:
    """Cancel the run of this address, unless it has ended meanwhile: then its page leads to the map."""
    page.goto(job)
    button = page.get_by_role("button", name="Cancel")
    heading, cancelled = (
        page.get_by_role("heading", name=MAP),
        page.get_by_text("Cancelled. What was measured is kept."),
    )
    button.or_(heading).first.wait_for(timeout=60_000)
    if button.is_visible():
        button.click()
        cancelled.or_(heading).first.wait_for(timeout=60_000)


def test_upload_run_and_reach_the_new_map(page, address, pictures):
    from playwright.sync_api import expect

    upload(page, address, pictures)
    page.get_by_text("31 images, 1 file left out").wait_for()
    page.get_by_text("More", exact=True).click()
    name = page.get_by_role("textbox", name="Name of the exploration")
    expect(name).to_have_value("circles")
    page.get_by_text("CFS(1x2): one encoder and one decoder tap").click()
    job = press_start(page)
    open_map(page)  # while the diagnostics go on
    app_browser.settle(page)
    assert query(page)["run"].startswith("circles-")
    page.get_by_text(re.compile(r"^\d+ warnings?$")).click()
    page.get_by_text("circles/broken.png").wait_for()

    leave_nothing_running(page, job)


def test_leave_a_run_come_back_cancel_and_go_on(visitor, address, pictures):
    page = visitor()
    upload(page, address, pictures)
    page.get_by_text(re.compile("About .* forwards")).wait_for(timeout=120_000)
    choose_diagnostics(page, "Everything")  # so that it does not end meanwhile
    job = press_start(page)
    page.get_by_role("heading", name="circles").wait_for()
    page.get_by_text(PROGRESS).wait_for(timeout=120_000)
    page.goto("about:blank")

    other = visitor()
    other.goto(job)
    other.get_by_text(PROGRESS).wait_for(timeout=60_000)
    cancel(other)
    other.reload()
    other.get_by_role("button", name="Go on").click()
    open_map(other)
    app_browser.settle(other)
    assert query(other)["run"].startswith("circles-")
    leave_nothing_running(other, job)


def test_a_missing_diagnostic_is_one_click_away_and_leads_back(page, address, pictures):
    upload(page, address, pictures)
    page.get_by_text(re.compile("About .* forwards")).wait_for(timeout=120_000)
    choose_diagnostics(page, "Map")
    press_start(page)
    open_map(page)
    page.goto(f"{address}/separation?run={query(page)['run']}")
    page.get_by_text("made without the stage Separation").wait_for(timeout=60_000)
    page.get_by_role("button", name=re.compile("Compute everything that is missing")).wait_for()
    page.get_by_role("button", name="Compute it (a few seconds)").click()
    page.wait_for_url("**/new?*job=*")
    page.wait_for_url("**/separation?*", timeout=120_000)
    page.locator(".st-key-separation_scatter .main-svg").first.wait_for(timeout=60_000)


def test_files_that_are_no_images_are_named_and_stop_the_start(page, address, tmp_path):
    (tmp_path / "torn.zip").write_bytes(b"PK torn")
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as archive:
        archive.writestr("readme.txt", "no picture")
    upload(page, address, tmp_path / "torn.zip", tmp_path / "notes.zip")
    page.get_by_text("torn.zip is not a readable zip archive").wait_for()
    page.get_by_text("no images in notes.zip").wait_for()
    assert ".uploads" not in page.locator("[data-testid=stMain]").inner_text()  # where the server keeps them
    assert page.get_by_role("button", name="Start", exact=True).is_disabled()
