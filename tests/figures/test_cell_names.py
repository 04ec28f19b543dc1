"""Cells are called by tap and level, and found by their name, whatever else is in the run."""

from dataclasses import replace

import pytest

from cfs_explore.contracts import Level
from cfs_explore.errors import RunError
from cfs_explore.store.cell_names import cell_names, find_cell, level_names


def test_every_cell_is_found_by_its_name(digits):
    names = cell_names(digits)
    assert len(set(names)) == len(digits.levels) * len(digits.taps)
    assert [find_cell(digits, name) for name in names] == list(range(len(names)))
    assert names[80] == "up1.res2@5" and find_cell(digits, "up_blocks.1.resnets.2@5.0") == 80


def test_a_number_is_the_cell_of_an_older_link(digits):
    assert find_cell(digits, "80") == 80
    count = len(digits.levels) * len(digits.taps)
    with pytest.raises(RunError, match=f"has {count} cells, and none with the number {count}"):
        find_cell(digits, str(count))


@pytest.mark.parametrize("name", ["", "@", "up1.res2", "up1.res2@", "up1.res2@five", "up9@5", "up1.res2@4", "-1", "٣"])
def test_what_is_no_cell_is_refused(digits, name):
    with pytest.raises(RunError):
        find_cell(digits, name)


def test_levels_that_one_decimal_does_not_tell_apart_have_more(digits):
    level = digits.levels[0]
    close = [replace(level, lam=lam) for lam in (1.0, 1.04, 1.046, -0.001)]
    assert level_names(close) == ["1", "1.04", "1.05", "0"]
    assert level_names([Level(9.0, 8.97, 1, 0, 0), Level(5.0, 5.0, 1, 0, 0), Level(0.0, -0.04, 1, 0, 0)]) == [
        "9",
        "5",
        "0",
    ]
