"""The form's look at pictures: a strip of them and what would spoil the map, unasked; a table and more in details."""

import io

import numpy as np
import pytest
from form_steps import add_other, choose_backbone, choose_id, keyed, open_details, picture, strips, upload
from page_steps import button, open_page, texts
from PIL import Image

from cfs_explore.diagnostics import CONSEQUENCE
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.ui import survey

pytestmark = pytest.mark.usefixtures("runs")


@pytest.fixture
def surveys(monkeypatch):
    """Which sources were read, and of how many images, in order."""
    seen, original = [], survey.survey

    def noting(source, *, sample, **options):
        seen.append((source.location, sample))
        return original(source, sample=sample, **options)

    monkeypatch.setattr(survey, "survey", noting)
    return seen


def encoded(pixels, codec="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, codec, **options)
    return buffer.getvalue()


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def as_colour(pixels):
    return np.repeat(pixels[..., None], 3, axis=2)


# What is shown


def test_a_strip_is_shown_unasked_and_the_rest_in_details(surveys, write_images):
    app = add_other(open_page("new"), "path", paths=str(write_images(250, "zip", side=16)))
    assert [count for _, count in surveys] == [survey.QUICK] and not app.table
    (strip,) = strips(app)
    assert strip.count("<img") == 12 and 'tabindex="0"' in strip and 'alt="' in strip
    app = open_details(app)
    assert [count for _, count in surveys] == [survey.QUICK, survey.MOST]
    facts = app.table[0].value.set_index("Property")
    assert list(facts.columns) == ["This set", "ID set"]
    assert facts.loc["Images", "This set"] == "250" and facts.loc["Native size", "ID set"] == "all 16x16"
    assert facts.loc["Colour", "ID set"] == "all grey"
    keyed(app.text_input, "name_")[0].set_value("Patches").run()
    assert len(surveys) == 2  # kept
    assert "**Patches** · 250 images" in texts(app)


def test_large_pictures_are_looked_at_in_smaller_number(monkeypatch, surveys, write_images):
    monkeypatch.setattr(survey, "_QUICK_PIXELS", 20 * 40 * 40)
    app = add_other(open_page("new"), "path", paths=str(write_images(50, "zip", side=40, seed=9)))
    assert [count for _, count in surveys] == [20]
    assert "50 images" in texts(app) and strips(app)[0].count("<img") == 12


def test_a_large_set_is_sampled_and_says_so(monkeypatch):
    monkeypatch.setattr(survey, "MOST", 60)
    app = open_details(add_other(open_page("new"), "sample", sample="letters"))
    assert app.table[0].value.set_index("Property").loc["Images", "This set"] == "60 of 400, drawn at random"


def test_names_from_files_stay_text():
    hostile = "<img src=x onerror=alert(1)> **b**.png"
    app = open_details(upload(open_page("new"), {hostile: picture(0), "b.png": picture(0), "c.png": b"no picture"}))
    assert not app.exception
    (sheet,) = [e.proto.body for e in app.get("html") if "cfs-sheet" in e.proto.body and "<figure" in e.proto.body]
    for shown in (sheet, *strips(app)):
        assert "<img src=x" not in shown and shown.count("<img") == 2
    assert "**b**" not in "".join(e.value for e in app.markdown)
    assert "c.png (not an image in one of" in texts(app)


def test_nothing_that_can_be_read():
    app = upload(open_page("new"), {"a.png": b"no picture", "b.png": b"neither"})
    assert not app.exception
    assert "None of the pictures that were looked at can be read" in texts(app)


# What is warned of, unasked


def test_what_is_also_in_the_stored_id_set_is_reported():
    """Four ID pictures of the bundled run, planted among noise, in another codec: found and named."""
    digits = open_run(BUNDLES / "digits")
    stored = digits.images("id_test", columns=("name", "thumbnail", "format")).iloc[[0, 5, 9, 11]]
    files = {f"noise-{i}.jpg": picture(i, "JPEG") for i in range(26)}
    files |= {f"leak-{i}.png": png for i, png in enumerate(stored["thumbnail"])}
    app = upload(open_page("new"), files | {"noise-7 again.jpg": files["noise-7.jpg"]})
    said = texts(app)
    assert "pictures: 4 of 31 images are also in the ID set, pixel by pixel (leak-0.png = " in said
    assert f"leak-0.png = {stored['name'].iloc[0]}" in said
    codec = stored["format"].iloc[0]
    assert f"pictures differs from the ID set in codec (87 % JPEG; ID: all {codec}): {CONSEQUENCE}" in said
    assert "**Twice in the set:** noise-7 again.jpg = noise-7.jpg" in texts(open_details(app))


def test_grey_stored_as_colour_is_reported_against_stored_colour():
    app = open_page("new", run="cifar10-edm")
    app = upload(app, {f"{i}.jpg": encoded(as_colour(noise(i, 32, 32)), "JPEG") for i in range(25)})
    app = choose_backbone(app, str(BUNDLES / "cifar10-edm" / "backbone"))
    assert "colour (all grey; ID: all colour)" in texts(app)
    assert "Your pictures: grey in three equal channels." in texts(app)


def test_own_id_images_are_looked_at_and_compared(write_images, tmp_path):
    own = write_images(30, "zip", side=16, seed=3)
    app = add_other(open_page("new"), "path", paths=str(own))
    app = open_details(choose_id(app))
    assert list(app.table[0].value.columns) == ["Property", "This set"]
    assert "Choose in-distribution images (step 2)" in texts(app)
    app = add_other(app, "path", prefix="new_id", paths=str(own))
    assert "every image is also in the ID set, pixel by pixel" in texts(app)
    assert not button(app, "Start").disabled and len(strips(app)) == 2
    app = open_details(app, 1)
    assert len(app.table) == 2 and list(app.table[1].value.columns) == ["Property", "This set"]


def test_own_grey_id_images_are_compared_by_pixels(write_images, tmp_path):
    folder = tmp_path / "turned"
    folder.mkdir()
    for i in range(24):
        (folder / f"{i}.png").write_bytes(encoded(as_colour(noise(i, 16, 16))))
    colour = tmp_path / "colour"
    colour.mkdir()
    for i in range(24):
        (colour / f"{i}.png").write_bytes(encoded(noise(i, 16, 16, 3)))
    app = choose_id(add_other(open_page("new"), "path", paths=str(folder)))
    app = add_other(app, "path", prefix="new_id", paths=str(colour))
    assert "turned differs from the ID set in colour (all grey; ID: all colour)" in texts(app)


BAD = {
    "one": ([noise(0, 16, 16)], "A single picture: the map can only say where it ranks among the ID images"),
    "few": ([noise(i, 16, 16) for i in range(5)], "Fewer than 20 pictures: the intervals will be wide."),
    "same": ([noise(0, 16, 16)] * 22, "All 22 pictures are the same, pixel by pixel"),
    "flat": ([np.full((16, 16), 10 * i, np.uint8) for i in range(22)], "Every picture is of one flat colour"),
    "large": ([noise(i, 90, 80) for i in range(22)], "far larger than the input (80x90 to 16x16)"),
    "long": (
        [noise(i, 16, 64) for i in range(22)],
        "the resize crop keeps the middle 25 % of it (median over the pict",
    ),
    "small": ([noise(i, 3, 3) for i in range(22)], "far smaller than the input (3x3 to 16x16)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_said_before_the_start_and_can_be_measured(kind):
    pictures, warning = BAD[kind]
    app = upload(open_page("new", run="digits"), {f"{i}.png": encoded(p) for i, p in enumerate(pictures)})
    assert not app.exception and warning in texts(app)
    assert not button(app, "Start").disabled


def test_another_resizing_takes_the_warning_of_the_cut_away():
    app = upload(open_page("new", run="digits"), {f"{i}.png": encoded(noise(i, 16, 64)) for i in range(22)})
    assert "Most of each picture is cut away" in texts(app)
    app.selectbox(key="new_resize").select("pad").run()
    assert "cut away" not in texts(app) and not app.exception


def test_the_id_set_itself_is_said():
    stored = open_run(BUNDLES / "digits").images("id_test", columns=("thumbnail",))["thumbnail"]
    app = upload(open_page("new"), {f"{i}.png": png for i, png in enumerate(stored[:25])})
    assert "pictures: every image is also in the ID set, pixel by pixel" in texts(app)
    assert not button(app, "Start").disabled


def test_a_single_id_image_cannot_start():
    app = add_other(open_page("new"), "sample", sample="letters")
    app = upload(choose_id(app), {"only.png": picture(0)}, prefix="new_id")
    assert "only has a single image: one part fits the statistics and another is scored" in texts(app)
    assert button(app, "Start").disabled and not app.exception
