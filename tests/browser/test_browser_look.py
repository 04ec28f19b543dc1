"""A folder from the browser, and a look at its images before the run."""

import io
import zipfile

import app_browser
import numpy as np
import pytest
from PIL import Image

from cfs_explore.diagnostics import CONSEQUENCE


@pytest.fixture
def pets(tmp_path):
    """A folder of two classes with a text file and a hidden picture; one picture is there twice."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", ".thumbs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(11):
            Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "pets" / name / f"{i}.jpg")
    (tmp_path / "pets" / "dog" / "again.jpg").write_bytes((tmp_path / "pets" / "cat" / "3.jpg").read_bytes())
    (tmp_path / "pets" / "notes.txt").write_text("no picture")
    return tmp_path / "pets"


def switch_to_folder(page) -> None:
    page.get_by_text("A folder", exact=True).click()
    page.get_by_text("the folder that a picture lies in is its class").wait_for()
    app_browser.settle(page)


@pytest.mark.parametrize("width", [1400, 420])
def test_a_folder_with_classes_is_looked_at(visitor, address, pets, width):
    page = visitor(width)
    page.goto(f"{address}/new")
    app_browser.settle(page)
    switch_to_folder(page)
    page.set_input_files("input[type=file]", pets)
    page.get_by_text("23 images", exact=True).wait_for(timeout=30_000)
    page.get_by_text("Look at the images").click()
    sheet = page.locator(".cfs-sheet img")
    sheet.first.wait_for(timeout=30_000)
    app_browser.settle(page)
    assert sheet.count() == 23 and all(
        image.get_attribute("alt").split("/")[0] in ("cat", "dog") for image in sheet.all()
    )
    said = page.locator("[data-testid=stMain]").inner_text()
    assert "pets differs from the ID set in codec (all JPEG" in said and CONSEQUENCE in said
    assert "2: dog (12), cat (11)" in said and "Twice in the set: cat/3.jpg = dog/again.jpg" in said
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_files_then_a_folder_are_two_sets(visitor, address, pets, tmp_path):
    page = visitor()
    with zipfile.ZipFile(tmp_path / "dots.zip", "w") as archive:
        buffer = io.BytesIO()
        Image.new("L", (16, 16), 90).save(buffer, "PNG")
        archive.writestr("dot.png", buffer.getvalue())
    page.goto(f"{address}/new")
    app_browser.settle(page)
    page.set_input_files("input[type=file]", tmp_path / "dots.zip")
    page.get_by_text("1 image · fewer than 20").wait_for(timeout=30_000)
    switch_to_folder(page)
    page.set_input_files("input[type=file]", pets)
    page.get_by_text("23 images", exact=True).wait_for(timeout=30_000)
    app_browser.settle(page)
    assert page.get_by_role("textbox", name="Name of the exploration").input_value() == "pets + dots"
    page.get_by_role("button", name="Take out").click()
    page.get_by_text("1 image · fewer than 20").wait_for(state="detached", timeout=30_000)
