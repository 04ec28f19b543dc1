"""Words around numbers and names."""

import re
from pathlib import Path

import pytest

from cfs_explore.wording import counted, listed, part_of

PACKAGE = Path(__file__).parents[2] / "cfs_explore"


@pytest.mark.parametrize(
    ("n", "expected"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (12_345, "12,345 images")]
)
def test_one_is_singular(n, expected):
    assert counted(n, "image") == expected


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [
        (5, 1200, "5 of 1,200 images were"),
        (1, 12, "1 of 12 images was"),
        (12, 12, "all 12 images were"),
        (1, 1, "the only image was"),
    ],
)
def test_a_part_has_its_verb(count, total, expected):
    assert part_of(count, total, "image") == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (["a", "b", "a"], "a and b")],
)
def test_names_are_listed_once(names, expected):
    assert listed(names) == expected


def test_no_text_leaves_the_plural_to_the_reader():
    """No "1 image(s)"."""
    found = [
        p.name for p in PACKAGE.rglob("*.py") if re.search(r"\b(image|file|warning|picture|set)\(s\)", p.read_text())
    ]
    assert found == []
