"""What would spoil a map and can be seen before it: each mistake planted, and nothing said of a good set."""

import numpy as np
import pytest
from PIL import Image

from cfs_explore.images import open_source
from cfs_explore.images.survey import survey
from cfs_explore.images.survey_warnings import set_warnings


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def warned(tmp_path):
    """Warnings of a set of these pictures, for an input of 16 x 16."""

    def of(pictures, count=None, shape=(1, 16, 16)):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for i, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(folder / f"{i:03d}.png")
        with open_source(folder) as source:
            return set_warnings(survey(source), count or len(pictures), shape)

    return of


def good(n, *shape):
    return [noise(i, *(shape or (16, 16))) for i in range(n)]


def test_a_good_set(warned):
    assert warned(good(20)) == []
    assert warned([*good(30), *good(1)]) == []  # one twice


@pytest.mark.parametrize(("count", "said"), [(1, "A single picture"), (2, "Fewer than 20"), (19, "Fewer than 20")])
def test_few(warned, count, said):
    (warning,) = warned(good(count))
    assert warning.startswith(said)


def test_what_counts_is_what_will_be_measured(warned):
    assert warned(good(12), count=500) == []  # a sample of them was looked at
    assert warned(good(25), count=5)[0].startswith("Fewer than 20")


def test_all_the_same(warned):
    (warning,) = warned(good(1) * 25)
    assert warning.startswith("All 25 pictures are the same, pixel by pixel")
    assert [text[:16] for text in warned(good(1))] == ["A single picture"]  # one is not alike


def test_a_sample_says_so(tmp_path):
    for i in range(30):
        Image.fromarray(np.full((16, 16), 7, np.uint8)).save(tmp_path / f"{i}.png")
    with open_source(tmp_path) as source:
        (warning,) = set_warnings(survey(source, sample=9), 30, (1, 16, 16))
    assert warning.startswith("All 9 pictures that were looked at are the same, pixel by pixel")


def test_flat(warned):
    flat = [np.full((16, 16), 9 * i, np.uint8) for i in range(25)]
    assert warned(flat)[0].startswith("Every picture is of one flat colour")
    assert warned([*flat, *good(24)])[0].startswith("25 of 49 pictures are of one flat colour")
    assert warned([*flat, *good(26)]) == []
    almost = [pixels.copy() for pixels in flat]
    for pixels in almost:
        pixels[8:] += 2  # faint, and yet something
    assert warned(almost) == []


@pytest.mark.parametrize(
    ("side", "said"),
    [(64, ""), (70, "The pictures are far larger"), (4, ""), (3, "The pictures are far smaller")],
)
def test_sizes_far_from_the_input(warned, side, said):
    warnings = warned(good(25, side, side))
    assert (warnings[0].startswith(said) if said else warnings == []) and len(warnings) == bool(said)


def test_pictures_that_cannot_be_read_are_counted_and_named(tmp_path):
    for i, pixels in enumerate(good(22)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    for name in ("broken.png", "torn.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture at all")  # which the set's own facts say
    with open_source(tmp_path) as source:
        found = survey(source)
        part = survey(source, sample=23)
    assert set_warnings(found, 24) == ["2 of 24 pictures cannot be read and are left out: broken.png, torn.jpg."]
    assert not found.is_sample and part.is_sample


def test_the_size_is_that_of_most(warned):
    pictures = [*good(20), *good(5, 400, 400)]
    assert warned(pictures) == []
    (warning,) = warned([*good(5), *good(20, 160, 320, 3)])
    assert "far larger than the input (about 320x160 to 16x16)" in warning
    assert warned([*good(5), *good(20, 160, 320, 3)], shape=None) == []
    assert warned([*good(5), *good(20, 160, 320, 3)], shape=(3, 64, 64)) == []


@pytest.mark.parametrize(
    ("size", "kept"), [((16, 20), None), ((16, 32), None), ((16, 34), "47 %"), ((60, 10), "17 %"), ((40, 16), "40 %")]
)
def test_pictures_that_are_mostly_cut_away(warned, size, kept):
    """The share that the crop keeps is that of the smaller aspect ratio by the larger one."""
    warnings = [text for text in warned(good(25, *size)) if "cut away" in text]
    assert len(warnings) == (kept is not None)
    if kept:
        assert f"keeps the middle {kept} of it (median over the pictures)" in warnings[0]
        assert "pad adds black bars, squash distorts" in warnings[0]


def test_the_cut_is_that_of_the_median_picture_and_of_the_crop_alone(tmp_path, warned):
    assert warned([*good(13), *good(12, 16, 60)]) == []
    assert "keeps the middle 27 %" in warned([*good(12), *good(13, 16, 60)])[0]
    (warning,) = warned(good(25, 8, 32), shape=(1, 16, 16))
    assert "middle 25 %" in warning and warned(good(25, 8, 32), shape=(1, 8, 32)) == []
    for i, pixels in enumerate(good(25, 16, 60)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    with open_source(tmp_path) as source:
        found = survey(source)
    for resize, count in [("crop", 1), ("pad", 0), ("squash", 0)]:
        assert len(set_warnings(found, 25, (1, 16, 16), resize)) == count


def test_nothing_can_be_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with open_source(tmp_path) as source:
        (warning,) = set_warnings(survey(source), 1, (1, 16, 16))
    assert warning.startswith("None of the pictures that were looked at can be read (a.png: not an image in one of")
