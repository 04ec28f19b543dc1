"""The lab's figures, through their traces, shapes and annotations."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    FigureDataError,
    delta_histogram_chart,
    lab_dots_chart,
    pair_curve_chart,
    pair_scatter_chart,
    tap_curve_chart,
    template,
)
from cfs_explore.charts.lab_marks import COMBINATIONS
from cfs_explore.charts.lab_scatter import RADIUS
from cfs_explore.charts.theme import ROLE_COLOURS

NAN = float("nan")


@pytest.fixture
def marks():
    rows = [
        ("At least", "bound", 0.3, NAN, NAN, ""),
        ("Encoder alone", "exact", 0.7, NAN, NAN, "encoder"),
        ("Encoder alone", "measured", 0.72, 0.69, 0.75, "encoder"),
    ]
    return pd.DataFrame(rows, columns=["name", "kind", "auroc", "lo", "hi", "series"])


@pytest.fixture
def tap_curve():
    return pd.DataFrame(
        {
            "channels": [1, 4, 16],
            "bound": [NAN, 0.2, 0.4],
            "prediction": [0.5, 0.6, 0.8],
            "auroc": [0.52, 0.61, 0.79],
            "lo": [0.5, 0.59, 0.77],
            "hi": [0.55, 0.63, 0.82],
        }
    )


@pytest.fixture
def pair_curve():
    frame = pd.DataFrame({"shift_d": [0.0, 1.0, 2.0, 3.0, 4.0], "hurts": [True, True, False, False, True]})
    return frame.assign(**{f"auroc_{name}": np.linspace(0.5, 0.9, 5) for name in COMBINATIONS})


def test_histogram_marks_both_means_and_their_distance(bins, theme):
    fig = delta_histogram_chart(bins, 1.0, 1.8, theme)
    assert fig.layout.template == template(theme)
    means = {shape.name: shape.x0 for shape in fig.layout.shapes}
    assert means == {"mean id": 1.0, "mean ood": 1.8}
    arrow = next(note for note in fig.layout.annotations if note.showarrow)
    assert (arrow.ax, arrow.x) == (1.0, 1.8)
    assert any(note.text == "Δ = 0.800" for note in fig.layout.annotations)


def test_histogram_without_a_distance_has_no_arrow(bins):
    fig = delta_histogram_chart(bins, 1.0, 1.0)
    assert not any(note.showarrow for note in fig.layout.annotations)


def test_dots_share_a_row_per_name_on_a_fixed_axis(marks, theme):
    fig = lab_dots_chart(marks, theme)
    assert fig.layout.template == template(theme)
    assert [trace.y[0] for trace in fig.data] == [0, 1, 1]
    assert tuple(fig.layout.xaxis.range) == (0, 1.005)
    texts = [note.text for note in fig.layout.annotations]
    assert texts == ["<b>At least</b> 0.300", "<b>Encoder alone</b> exact 0.700 · measured 0.720 [0.690, 0.750]"]
    measured = fig.data[2]
    assert measured.marker.color == ROLE_COLOURS["encoder"]
    assert measured.error_x.array[0] == pytest.approx(0.03)
    assert len({trace.marker.symbol for trace in fig.data}) == 3
    allowed = [shape for shape in fig.layout.shapes if shape.line.width == 6]
    assert [(shape.x0, shape.x1, shape.y0) for shape in allowed] == [(0.3, 1, 0)]


def test_a_bound_that_says_nothing_has_a_row_but_no_dot(marks):
    marks.loc[0, "auroc"] = NAN
    fig = lab_dots_chart(marks)
    assert len(fig.data) == 2
    assert fig.layout.annotations[0].text == "<b>At least</b> n/a"


def test_dots_of_an_unknown_kind(marks):
    with pytest.raises(FigureDataError, match="guess"):
        lab_dots_chart(marks.assign(kind="guess"))
    with pytest.raises(FigureDataError, match="series"):
        lab_dots_chart(marks.drop(columns="series"))


def test_tap_curve_tells_computed_from_measured(tap_curve, theme):
    fig = tap_curve_chart(tap_curve, "channels", 4, "Features d", theme)
    assert fig.layout.template == template(theme)
    assert [trace.name for trace in fig.data] == ["Cantelli bound", "Normal prediction", "Measured"]
    assert [trace.mode for trace in fig.data] == ["lines", "lines", "markers"]
    assert fig.data[0].line.dash != fig.data[1].line.dash
    assert list(fig.data[2].error_y.arrayminus) == pytest.approx([0.02, 0.02, 0.02])
    assert fig.layout.xaxis.type == "log"
    now = next(shape for shape in fig.layout.shapes if shape.name == "now")
    assert now.x0 == now.x1 == 4


def test_pair_curve_shades_where_averaging_hurts(pair_curve, theme):
    fig = pair_curve_chart(pair_curve, "shift_d", 1.0, "Decoder shift", theme)
    assert [trace.name for trace in fig.data] == [name for name, _ in COMBINATIONS.values()]
    assert len({trace.line.dash for trace in fig.data}) == len(COMBINATIONS)
    shaded = [(shape.x0, shape.x1) for shape in fig.layout.shapes if shape.name == "averaging hurts"]
    assert shaded == [(0.0, 1.5), (3.5, 4.0)]
    assert [note.x for note in fig.layout.annotations] == [0.75]  # the short stretch has no room for words


def test_pair_curve_without_shade_and_below_chance(pair_curve):
    fig = pair_curve_chart(pair_curve.assign(hurts=False, auroc_decoder=0.2), "shift_d", 1.0, "Decoder shift")
    assert not any(shape.name == "averaging hurts" for shape in fig.layout.shapes)
    assert fig.layout.yaxis.range[0] < 0.2
    with pytest.raises(FigureDataError, match="auroc_best"):
        pair_curve_chart(pair_curve.drop(columns="auroc_best"), "shift_d", 1.0, "Decoder shift")


def test_scatter_ellipses_and_cuts_are_where_they_should_be(theme):
    images = pd.DataFrame({"kind": ["id", "ood"], "encoder": [0.1, 1.2], "decoder": [0.0, 0.8]})
    covariance, mean = np.array([[1.0, 0.5], [0.5, 2.0]]), np.array([1.0, 2.0])
    clouds = {"id": (np.zeros(2), covariance), "ood": (mean, covariance)}
    weights = {"average": np.array([0.5, 0.5]), "best": np.array([0.9, -0.1])}
    fig = pair_scatter_chart(images, clouds, weights, theme)
    traces = {trace.name: trace for trace in fig.data}
    ellipse = np.stack([traces["OOD ellipse"].x, traces["OOD ellipse"].y]) - mean[:, None]
    distance = np.einsum("ik,ij,jk->k", ellipse, np.linalg.inv(covariance), ellipse)
    assert distance == pytest.approx(RADIUS**2)
    for name, own in (("Plain average: cut", weights["average"]), ("Best weighting: cut", weights["best"])):
        ends = np.stack([traces[name].x, traces[name].y])
        assert own @ ends == pytest.approx(own @ mean / 2)
    assert traces["ID"].marker.symbol != traces["OOD"].marker.symbol
    assert any(note.showarrow and note.x == 1.0 and note.y == 2.0 for note in fig.layout.annotations)


def test_scatter_without_a_direction_has_no_cut_and_no_arrow():
    images = pd.DataFrame({"kind": ["id", "ood"], "encoder": [0.0, 0.0], "decoder": [0.0, 0.0]})
    same = (np.zeros(2), np.eye(2))
    fig = pair_scatter_chart(images, {"id": same, "ood": same}, {"best": np.zeros(2)})
    assert not any("cut" in trace.name for trace in fig.data)
    assert not fig.layout.annotations
