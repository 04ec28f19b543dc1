"""Captions of many verdicts say how many chance would give, and how many survive (theory 30)."""

import pytest

from cfs_explore.plates.catalogue import make_plates

MANY = ("complementarity-sets", "controls-excess", "controls-reencoding", "prediction-losses-all")


@pytest.mark.parametrize("kind", MANY)
def test_many_verdicts_are_told_with_chance(digits, choices, kind):
    plate = make_plates(digits, [kind], choices)[0][kind]
    assert "chance alone would make about" in plate.caption and "survive at a false-discovery rate" in plate.caption


def test_sets_that_survive_are_marked(digits, choices):
    plate = make_plates(digits, ["complementarity-sets"], choices)[0]["complementarity-sets"]
    texts = [note.text for note in plate.figure.layout.annotations]
    assert [" * " in text or "</b> *" in text for text in texts] == plate.rows["survives"].tolist()
    assert 0 < plate.rows["survives"].sum() < len(plate.rows)
