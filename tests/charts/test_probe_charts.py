"""The probe's figures through their traces: z-scores as bars of two images, and scores on the ID histogram."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import FigureDataError
from cfs_explore.charts.score_marks import score_marks_chart
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.charts.z_bars import z_bars_chart

ROLES = {"A": "id", "B": "ood"}


@pytest.fixture
def z():
    rows = [
        (image, channel, pooling, 0.1 * channel, sign * (channel + 1) * scale)
        for image, sign in (("A", 1), ("B", -4))
        for pooling, scale in (("mean", 1.0), ("std", 0.5))
        for channel in range(3)
    ]
    return pd.DataFrame(rows, columns=["image", "channel", "pooling", "value", "z"])


def bars(trace) -> dict[int, float]:
    """Channel -> height of its bar, each of which starts at zero and ends with a gap."""
    x, y = np.reshape(trace.x, (-1, 3)), np.reshape(trace.y, (-1, 3))
    assert (y[:, 0] == 0).all() and np.isnan(y[:, 2]).all() and (x[:, 0] == x[:, 1]).all()
    return {round(at): float(height) for at, height in zip(x[:, 0], y[:, 1], strict=True)}


def test_bars_are_the_z_scores_of_each_image_and_pooling_in_its_colour(z):
    fig = z_bars_chart(z, ROLES)
    assert [(trace.name, trace.yaxis) for trace in fig.data] == [("A", "y"), ("B", "y"), ("A", "y2"), ("B", "y2")]
    assert bars(fig.data[0]) == {0: 1, 1: 2, 2: 3} and bars(fig.data[3]) == {0: -2, 1: -4, 2: -6}
    assert [trace.line.color for trace in fig.data[:2]] == [ROLE_COLOURS["id"], ROLE_COLOURS["ood"]]
    assert [trace.line.dash for trace in fig.data] == ["solid", "4px,2px"] * 2
    assert [trace.showlegend for trace in fig.data] == [True, True, False, False]
    assert fig.data[0].x[0] < 0 < fig.data[1].x[0]  # side by side


def test_both_rows_have_one_scale_that_holds_every_bar(z):
    fig = z_bars_chart(z, ROLES, "dark")
    assert fig.layout.yaxis.range == fig.layout.yaxis2.range
    low, high = fig.layout.yaxis.range
    assert low < -12 and high > 3


def test_one_image_stands_in_the_middle(z):
    fig = z_bars_chart(z[z["image"] == "A"], {"A": "id"})
    assert len(fig.data) == 2 and fig.data[0].x[0] == 0


def test_scores_stand_where_they_are_on_the_id_histogram():
    bins = pd.DataFrame({"left": [1.0, 2.0, 4.0], "right": [2.0, 4.0, 8.0], "id": [0.2, 0.5, 0.3]})
    marks = pd.DataFrame(
        {"image": ["A", "B"], "role": ["id", "ood"], "score": [1.5, 20.0], "text": ["A 1.50", "B 20.0"]}
    )
    fig = score_marks_chart(bins, marks, log=True)
    histogram, a, b = fig.data
    assert list(histogram.x) == [1, 1, 2, 4, 8, 8] and list(histogram.y) == [0, 0.2, 0.5, 0.3, 0.3, 0]
    assert (list(a.x), list(b.x)) == ([1.5, 1.5], [20.0, 20.0]) and fig.layout.xaxis.type == "log"
    assert (a.line.color, b.line.color) == (ROLE_COLOURS["id"], ROLE_COLOURS["ood"]) and b.line.dash == "dash"
    assert "A 1.50" in a.text[1] and (a.textposition, b.textposition) == ("middle right", "middle left")
    assert score_marks_chart(bins, marks).layout.xaxis.type is None


@pytest.mark.parametrize("missing", ["z", "pooling"])
def test_a_missing_column_is_named(z, missing):
    with pytest.raises(FigureDataError, match=missing):
        z_bars_chart(z.drop(columns=missing), ROLES)
