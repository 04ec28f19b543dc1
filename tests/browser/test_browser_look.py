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
    page.get_by_text("each picture's own folder is its class").wait_for()
    app_browser.settle(page)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (700, "dark"), (420, "dark")])
def test_a_folder_with_classes_is_looked_at(visitor, address, pets, width, scheme):
    page = visitor(width, color_scheme=scheme)
    page.goto(f"{address}/new")
    app_browser.settle(page)
    switch_to_folder(page)
    page.set_input_files("input[type=file]", pets)
    page.get_by_text("pets · 23 images").wait_for()
    strip = page.locator(".cfs-strip img")
    strip.first.wait_for()
    assert strip.count() == 12 and all(image.get_attribute("alt") for image in strip.all())
    page.get_by_text("pets differs from the ID set in codec (all JPEG").wait_for()  # unasked
    page.get_by_text("Name, number, details").click()
    sheet = page.locator(".cfs-sheet img")
    sheet.first.wait_for()
    app_browser.settle(page)
    assert sheet.count() == 23 and all(
        image.get_attribute("alt").split("/")[0] in ("cat", "dog") for image in sheet.all()
    )
    said = page.locator("[data-testid=stMain]").inner_text()
    assert "pets differs from the ID set in codec (all JPEG" in said and CONSEQUENCE in said
    assert "2: dog (12), cat (11)" in said and "Twice in the set: cat/3.jpg = dog/again.jpg" in said
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_strip_scrolls_by_keys(visitor, address, pets):
    page = visitor(420)
    page.goto(f"{address}/new")
    app_browser.settle(page)
    switch_to_folder(page)
    page.set_input_files("input[type=file]", pets)
    strip = page.locator(".cfs-strip")
    strip.wait_for()
    app_browser.settle(page)
    assert strip.get_attribute("aria-label") == "Some images of pets"
    strip.focus()
    assert page.evaluate("document.activeElement.className") == "cfs-strip"
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.cfs-strip').scrollLeft > 0")


def test_a_photograph_from_a_phone_is_turned_and_warned_of(visitor, address, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).resize((4000, 3000)).save(tmp_path / "IMG_0001.jpg", quality=85, exif=exif)
    page = visitor()
    page.goto(f"{address}/new?run=cifar10-edm")
    app_browser.settle(page)
    page.set_input_files("input[type=file]", tmp_path / "IMG_0001.jpg")
    image = page.locator(".cfs-strip img")
    image.wait_for(timeout=60_000)
    assert image.evaluate("each => each.naturalHeight > each.naturalWidth")
    page.get_by_text("A single picture: the map can only say where it ranks").wait_for()
    page.get_by_text("far larger than the input (3000x4000 to 32x32)").wait_for()
    page.get_by_text("its input is in colour like your pictures").wait_for()
    assert page.get_by_role("button", name="Start", exact=True).is_enabled()


def test_a_proposal_changes_with_the_pictures_until_the_visitor_chooses(visitor, address, pets, tmp_path):
    page = visitor()
    page.goto(f"{address}/new?run=digits")
    app_browser.settle(page)
    page.get_by_text("it is the backbone of the open exploration").wait_for()
    page.set_input_files("input[type=file]", [*(pets / "cat").iterdir()])
    page.get_by_text("since its input is in colour like your pictures").wait_for()
    app_browser.settle(page)
    backbone = page.get_by_role("combobox", name="Backbone")
    assert backbone.input_value() == "cifar10-ddpm, 32×32 colour"
    backbone.click()
    page.get_by_text("digits-narrow, 16×16 grey").click()
    page.get_by_text("Your pictures: colour to grey, 30x20 cut and scaled to 16x16.").wait_for()
    page.get_by_role("button", name="Take the proposed one").click()
    page.get_by_text("since its input is in colour like your pictures").wait_for()
    app_browser.settle(page)
    assert backbone.input_value() == "cifar10-ddpm, 32×32 colour"


def test_files_then_a_folder_are_two_sets(visitor, address, pets, tmp_path):
    page = visitor()
    with zipfile.ZipFile(tmp_path / "dots.zip", "w") as archive:
        buffer = io.BytesIO()
        Image.new("L", (16, 16), 90).save(buffer, "PNG")
        archive.writestr("dot.png", buffer.getvalue())
    page.goto(f"{address}/new")
    app_browser.settle(page)
    page.set_input_files("input[type=file]", tmp_path / "dots.zip")
    page.get_by_text("A single picture: the map").wait_for()
    switch_to_folder(page)
    page.set_input_files("input[type=file]", pets)
    page.get_by_text("pets · 23 images").wait_for()
    app_browser.settle(page)
    page.get_by_text("More", exact=True).click()
    assert page.get_by_role("textbox", name="Name of the exploration").input_value() == "pets + dots"
    page.get_by_role("button", name="Take out").click()
    page.get_by_text("A single picture: the map").wait_for(state="detached")
