"""Which backbone is proposed for which pictures, why, and what is said of the way into it."""

import numpy as np
import pytest
from PIL import Image

from cfs_explore.images import open_source
from cfs_explore.images.proposal import Pictures, conversion, pictures_of, rank_inputs, reason
from cfs_explore.images.survey import survey

#: In the order in which an app lists them.
INPUTS = {
    "digits": (1, 16, 16),
    "cifar-a": (3, 32, 32),
    "cifar-b": (3, 32, 32),
    "fashion": (1, 28, 28),
    "faces": (3, 256, 256),
}
PHOTOS = Pictures("colour", 481, 321)


@pytest.mark.parametrize(
    ("pictures", "opened", "first"),
    [
        (None, "cifar-b", "cifar-b"),  # before any picture: what the visitor is looking at
        (None, None, "digits"),
        (None, "of another server", "digits"),
        (PHOTOS, "digits", "faces"),
        (Pictures("colour", 32, 32), "digits", "cifar-a"),
        (Pictures("colour", 32, 32), "cifar-b", "cifar-b"),  # among equals
        (Pictures("colour", 64, 64), "faces", "cifar-a"),  # twice as large, not a quarter
        (Pictures("colour", 128, 64), "cifar-b", "cifar-b"),
        (Pictures("grey", 28, 28), "digits", "fashion"),
        (Pictures("grey", 20, 20), "fashion", "digits"),
        (Pictures("grey", 32, 32), "cifar-b", "fashion"),  # colour counts before size
        (Pictures("grey", 4000, 3000), "digits", "fashion"),
    ],
)
def test_colour_then_size_then_what_is_open(pictures, opened, first):
    assert rank_inputs(INPUTS, pictures, opened)[0] == first
    assert sorted(rank_inputs(INPUTS, pictures, opened)) == sorted(INPUTS)


def test_no_backbone_is_known():
    assert rank_inputs({}, PHOTOS) == []


OPEN = "it is the backbone of the open exploration"


def test_reasons_are_those_that_decided():
    few = {"digits": (1, 16, 16), "cifar-a": (3, 32, 32), "cifar-b": (3, 32, 32)}
    assert reason(few, "cifar-a", PHOTOS, "digits") == "its input is in colour like your pictures"
    assert reason(few, "cifar-b", PHOTOS, "cifar-b") == f"its input is in colour like your pictures, and {OPEN}"
    mixed = Pictures("grey", 20, 20, mixed=True)
    assert reason(few, "digits", mixed) == "its input is in grey like most of your pictures"
    assert reason(INPUTS, "faces", PHOTOS) == "its input is in colour like your pictures and nearest to them in size"
    only = {"cifar-a": (3, 32, 32), "faces": (3, 256, 256)}
    assert reason(only, "faces", PHOTOS, "faces") == "its input is nearest to your pictures in size"
    grey = Pictures("grey", 20, 20)
    assert reason(only, "cifar-a", grey) == "none here takes pictures in grey, and it is nearest in size"
    assert reason({"cifar-a": (3, 32, 32)}, "cifar-a", PHOTOS) == ""
    assert (reason(few, "cifar-b", None, "cifar-b"), reason(few, "digits", None)) == (OPEN, "")


@pytest.mark.parametrize(
    ("pictures", "shape", "policy", "expected"),
    [
        (PHOTOS, (1, 16, 16), "crop", "colour to grey, 481x321 cut and scaled to 16x16"),
        (PHOTOS, (3, 16, 16), "squash", "481x321 squashed to 16x16"),
        (PHOTOS, (3, 16, 16), "pad", "481x321 scaled, with black bars, to 16x16"),
        (Pictures("grey", 28, 28), (3, 32, 32), "crop", "grey in three equal channels, 28x28 scaled to 32x32"),
        (Pictures("colour", 32, 32), (3, 32, 32), "crop", "they go in as they are"),
        (Pictures("colour", 64, 96, alike=False), (3, 32, 48), "crop", "about 64x96 cut and scaled to 48x32"),
        (Pictures("colour", 32, 32, alike=False), (3, 32, 32), "crop", "those of another size cut and scaled to 32x32"),
        (Pictures("colour", 48, 32), (3, 64, 96), "crop", "48x32 scaled to 96x64"),
        (Pictures("colour", 16, 16, mixed=True), (1, 16, 16), "crop", "some colour to grey"),
        (Pictures("grey", 16, 16, mixed=True), (3, 16, 16), "crop", "some grey in three equal channels"),
    ],
)
def test_what_the_pictures_go_through(pictures, shape, policy, expected):
    assert conversion(pictures, shape, policy) == expected


def test_pictures_in_brief(tmp_path):
    rng = np.random.default_rng(0)
    for name, n, shape in (("a", 4, (10, 30, 3)), ("b", 5, (20, 40)), ("c", 1, (8, 8, 3))):
        (tmp_path / name).mkdir()
        for i in range(n):
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / name / f"{i}.png")
    found = {}
    for name in "abc":
        with open_source(tmp_path / name) as source:
            found[name] = survey(source)
    assert pictures_of([found["a"]]) == Pictures("colour", 30, 10)
    assert pictures_of([found["b"], found["a"]]) == Pictures("grey", 40, 20, alike=False, mixed=True)
    assert pictures_of(found.values()).mixed and pictures_of([]) is None
