"""Halves of a set, class by class, and the middle of its images."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from preparing import prepare

from cfs_explore.errors import SourceError
from cfs_explore.images import encoded, open_source, to_input

CLASSES = {"a": 7, "b": 4, "c": 1, "d": 2}


@pytest.fixture
def classes(tmp_path):
    """Fourteen images in four classes, all different."""
    rng = np.random.default_rng(3)
    for name, count in CLASSES.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (5, 6), np.uint8)).save(tmp_path / "set" / name / f"{i}.png")
    return tmp_path / "set"


def names(given, **options) -> list[str]:
    with open_source(given, **options) as source:
        return source.names


@pytest.mark.parametrize("seed", range(5))
def test_halves_are_disjoint_together_whole_and_halve_every_class(classes, seed):
    first, second = (names(classes, half=half, half_seed=seed) for half in ("first", "second"))
    assert sorted(first + second) == names(classes) and first == sorted(first) and second == sorted(second)
    assert Counter(name[0] for name in first) == {"a": 4, "b": 2, "c": 1, "d": 1}
    assert Counter(name[0] for name in second) == {"a": 3, "b": 2, "d": 1}


def test_a_half_is_drawn_by_its_own_seed_alone(classes):
    assert names(classes, half="first") == names(classes, half="first", seed=9)
    assert len({tuple(names(classes, half="first", half_seed=seed)) for seed in range(20)}) > 10


def test_every_image_is_as_often_in_a_half(classes):
    seen = Counter(name for seed in range(400) for name in names(classes, half="second", half_seed=seed))
    assert all(abs(seen[f"a/{i}.png"] / 400 - 3 / 7) < 0.1 for i in range(7)) and seen["c/0.png"] == 0


def test_the_limit_draws_from_the_half(classes):
    second = names(classes, half="second")
    drawn = names(classes, half="second", limit=3, seed=5)
    assert len(drawn) == 3 and set(drawn) < set(second)
    assert names(classes, half="second", limit=99) == second


def test_a_half_reads_its_own_images(classes):
    with open_source(classes) as whole, open_source(classes, half="second", limit=4) as part:
        for index, name in enumerate(part.names):
            assert part.read(index).image_id == whole.read(whole.names.index(name)).image_id
        assert part.labels() == [name[0] for name in part.names]


def test_the_same_halves_of_changed_images(classes):
    changed = {"altered": "inverted", "of": str(classes)}
    assert names(changed, half="first") == names(classes, half="first")


def test_pages_of_a_class_are_halved(tmp_path):
    (tmp_path / "a").mkdir()
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in range(5)]
    pages[0].save(tmp_path / "a" / "x.tiff", save_all=True, append_images=pages[1:])
    first, second = (names({"path": str(tmp_path), "pages": "all"}, half=half) for half in ("first", "second"))
    assert (len(first), len(second)) == (3, 2) and not set(first) & set(second)


def test_more_files_than_pages_are_allowed(classes, monkeypatch):
    monkeypatch.setattr(encoded, "_MOST", 3)
    assert len(names({"path": str(classes), "pages": "all"})) == 14
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in range(5)]
    pages[0].save(classes / "a" / "x.tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(SourceError, match="more than 3 further pages"):
        names({"path": str(classes), "pages": "all"})


def test_without_labels_all_images_are_one_class(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(9 * 64).astype(np.uint8).reshape(9, 8, 8))
    assert [len(names(tmp_path / "x.npy", half=half)) for half in ("first", "second")] == [5, 4]


def test_an_empty_half(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "1.png")
    assert names(tmp_path, half="first") == ["a/1.png", "b/1.png"]
    with pytest.raises(SourceError, match=r"the second half of .* is empty: no class has two images"):
        open_source(tmp_path, half="second")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half": "third"}, "half = 'third': allowed are first and second"),
        ({"half": "first", "half_seed": -1}, "half_seed = -1: allowed is a whole number from 0 on"),
        ({"centre_crop": 0}, "centre_crop = 0: allowed is a whole number of pixels from 1 on"),
        ({"centre_crop": True}, "centre_crop = True"),
    ],
)
def test_mistakes(classes, options, message):
    with pytest.raises(SourceError, match=message):
        open_source(classes, **options)


@pytest.mark.parametrize(
    ("size", "side", "top", "left"), [((218, 178), 140, 39, 19), ((9, 6), 4, 2, 1), ((5, 8), 5, 0, 1)]
)
def test_the_middle_of_an_image(tmp_path, size, side, top, left):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    with open_source(tmp_path, centre_crop=side) as source:
        record = source.read(0)
    np.testing.assert_array_equal(record.pixels, pixels[top : top + side, left : left + side])
    assert (record.height, record.width) == size and (source.names, source.labels()) == (["x.png"], [""])


def test_what_is_cut_out_has_the_id_of_its_pixels(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 10), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.png")
    Image.fromarray(pixels[3:9, 2:8]).save(tmp_path / "cut.png")
    with open_source(tmp_path / "whole.png", centre_crop=6) as middle, open_source(tmp_path / "cut.png") as cut:
        assert middle.read(0).image_id == cut.read(0).image_id


def test_smaller_images_are_left_out_and_listed(classes, tmp_path):
    Image.fromarray(np.full((20, 30), 7, np.uint8)).save(classes / "a" / "large.png")
    with open_source(classes, centre_crop=10) as source:
        rows, skipped = prepare(source, (1, 4, 4), "crop", tmp_path / "x.npy")
    assert rows["name"].tolist() == ["a/large.png"] and rows["width"].tolist() == [30]
    assert skipped[0] == ("a/0.png", "6 x 5 pixels, less than the centre_crop of 10.") and len(skipped) == 14
    (classes / "a" / "large.png").unlink()
    with open_source(classes, centre_crop=10) as source, pytest.raises(SourceError, match="less than the centre_crop"):
        prepare(source, (1, 4, 4), "crop", tmp_path / "x.npy")


def test_the_middle_is_cut_before_resizing(classes, tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (30, 20, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    with open_source(tmp_path / "x.png", centre_crop=16) as source:
        prepare(source, (3, 8, 8), "crop", tmp_path / "x.npy", filter="bilinear")
    expected = to_input(pixels[7:23, 2:18], (3, 8, 8), filter="bilinear")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy")[0], expected)
