"""Grey or colour, by the pixels: in every mode and codec that a picture may come in, and where sets are compared."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from preparing import prepare

from cfs_explore.colour import STRAYS, TOLERANCE, colour_of, stored_colours
from cfs_explore.diagnostics import set_differences
from cfs_explore.images import open_source
from cfs_explore.images.decode import decode
from cfs_explore.images.survey import survey, survey_rows


def scene(seed=0, side=48) -> Image.Image:
    """Soft blobs of strong colours, as photographs have them."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)


def grey_scene(seed=0) -> Image.Image:
    return scene(seed).convert("L").convert("RGB")


def saved(image, codec, **options) -> np.ndarray:
    """Its pixels after the codec."""
    buffer = io.BytesIO()
    image.save(buffer, codec, **options)
    return decode(buffer.getvalue(), "x").pixels


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("PNG", {}),
        *[("JPEG", {"quality": q, "subsampling": s}) for q in (95, 75, 30, 5) for s in (0, 2)],
        *[("WEBP", {"quality": q}) for q in (90, 30, 5)],
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_grey_pictures_saved_in_colour_are_grey(codec, options):
    for seed in range(5):
        assert colour_of(saved(grey_scene(seed), codec, **options)) == "grey"
        assert colour_of(saved(scene(seed), codec, **options)) == "colour"


def test_a_scan_with_noise_in_its_channels_is_grey():
    noise = np.random.default_rng(0).integers(-2, 3, (48, 48, 3))
    noisy = Image.fromarray(np.clip(np.asarray(grey_scene()) + noise, 0, 255).astype(np.uint8))
    assert colour_of(saved(noisy, "PNG")) == colour_of(saved(noisy, "JPEG", quality=75)) == "grey"


def test_sepia_palettes_and_little_colour_are_colour():
    sepia = ImageOps.colorize(scene().convert("L"), black=(30, 15, 5), white=(255, 240, 205))
    assert colour_of(saved(sepia, "PNG")) == colour_of(saved(sepia, "JPEG", quality=60)) == "colour"
    assert colour_of(saved(scene().convert("P", palette=Image.Palette.ADAPTIVE), "PNG")) == "colour"
    assert colour_of(saved(grey_scene().convert("P"), "PNG")) == "grey"
    pale = Image.blend(grey_scene(), scene(), 0.15)  # a foggy day
    assert colour_of(saved(pale, "PNG")) == colour_of(saved(pale, "JPEG", quality=85)) == "colour"


def test_a_mark_on_a_scan_lets_it_be_and_a_coloured_thing_does_not():
    for side, expected in ((4, "grey"), (10, "colour")):  # 0.7 % and 4 % of the pixels
        picture = grey_scene()
        ImageDraw.Draw(picture).rectangle((5, 5, 4 + side, 4 + side), fill=(250, 20, 20))
        assert colour_of(np.asarray(picture)) == expected


def test_where_the_line_is():
    pixels = np.full((10, 10, 3), 100, np.uint8)
    pixels[..., 0] += TOLERANCE
    assert colour_of(pixels) == "grey"
    pixels[0, : round(100 * STRAYS), 2] = 0
    assert colour_of(pixels) == "grey"
    pixels[1, 0, 2] = 0
    assert colour_of(pixels) == "colour"
    assert colour_of(pixels[..., 0]) == colour_of(pixels[..., :1]) == "grey"


@pytest.fixture
def three_sets(tmp_path):
    """The same 24 scenes in colour, in grey stored as RGB, and in grey."""
    for i in range(24):
        for name, image in (("colour", scene(i)), ("turned", grey_scene(i)), ("grey", scene(i).convert("L"))):
            (tmp_path / name).mkdir(exist_ok=True)
            image.filter(ImageFilter.SMOOTH).save(tmp_path / name / f"{i:02d}.png")
    return tmp_path


def looked_at(path) -> pd.DataFrame:
    with open_source(path) as source:
        return survey(source).images


def test_grey_stored_as_colour_differs_from_colour(three_sets):
    colour, turned, grey = (looked_at(three_sets / name) for name in ("colour", "turned", "grey"))
    assert set(turned["mode"]) == {"RGB"}
    (difference,) = set_differences(colour, turned)
    assert (difference.name, difference.ood, difference.id) == ("colour", "all grey", "all colour")
    assert set_differences(grey, turned) == []


@pytest.mark.parametrize("thumbnails", [True, False])
def test_a_run_notes_it_and_older_runs_make_up_for_it(three_sets, tmp_path, thumbnails):
    """Rows of older runs know modes alone, and pixels where they have thumbnails."""
    for name, expected in (("colour", "colour"), ("turned", "grey"), ("grey", "grey")):
        with open_source(three_sets / name) as source:
            rows, _ = prepare(source, (3, 8, 8), "crop", tmp_path / "x.npy", thumbnails=thumbnails)
        assert set(rows["colour"]) == {expected}
        assert set(stored_colours(rows)) == {expected if thumbnails or name != "turned" else "colour"}
        assert set(survey_rows(rows, "stored").colours()["colour"]) == {expected}
