"""Captions of many verdicts say how many chance would give, and how many survive (theory 30)."""

import pytest

from cfs_explore.figures.catalogue import make_figures

MANY = ("complementarity-sets", "controls-excess", "controls-reencoding", "prediction-losses-all")


@pytest.mark.parametrize("kind", MANY)
def test_many_verdicts_are_given_with_chance(digits, choices, kind):
    figure = make_figures(digits, [kind], choices)[0][kind]
    assert "by chance alone" in figure.caption and "survive at a false-discovery rate" in figure.caption


def test_sets_that_survive_are_marked(digits, choices):
    figure = make_figures(digits, ["complementarity-sets"], choices)[0]["complementarity-sets"]
    texts = [note.text for note in figure.chart.layout.annotations]
    assert [" * " in text or "</b> *" in text for text in texts] == figure.rows["survives"].tolist()
    assert 0 < figure.rows["survives"].sum() < len(figure.rows)
