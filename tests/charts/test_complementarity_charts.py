"""Scatter, curve, matrix and sets of the complementarity page, through their traces."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    FigureDataError,
    gain_curve_chart,
    pair_matrix_chart,
    score_scatter_chart,
    set_gains_chart,
    template,
    to_publication,
)
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.score_scatter import MOST_POINTS
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.contracts import Tap
from cfs_explore.diagnostics import pair_gain

THRESHOLDS = {"encoder": 2.0, "decoder": 3.0, "average": 2.2}
REGIONS = ("input", "encoder", "encoder", "middle", "decoder", "decoder")
TAPS = [Tap(f"down_blocks.{i}", region, (i + 1) / 6, 8, 4) for i, region in enumerate(REGIONS)]


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"class": ["ID"] * 60 + ["OOD"] * 40, "name": [f"image {i}" for i in range(100)]})
    return frame.assign(encoder=rng.gamma(4, 0.4, 100), decoder=rng.gamma(5, 0.5, 100))


def named(fig, name):
    return next(trace for trace in fig.data if trace.name == name)


def test_names_of_images_are_text_in_the_scatter(points):
    """Plotly reads tags and entities in texts."""
    hostile = '<a href="http://example.org">x</a> &lt;b&gt;.png'
    fig = score_scatter_chart(points.assign(name=hostile), THRESHOLDS, ("x", "y"))
    (first,) = {text.split("<br>")[0] for text in named(fig, "OOD").hovertext}
    assert first == '<b>OOD</b> &lt;a href="http://example.org"&gt;x&lt;/a&gt; &amp;lt;b&amp;gt;.png'


@pytest.mark.parametrize("log", [True, False])
def test_scatter_draws_classes_thresholds_and_iso_lines(points, theme, log):
    fig = score_scatter_chart(points, THRESHOLDS, ("x", "y"), theme=theme, log=log)
    assert fig.layout.template == template(theme)
    for name, role in (("ID", "id"), ("OOD", "ood")):
        rows = points[points["class"] == name]
        assert (
            list(named(fig, name).x) == rows["encoder"].tolist()
            and list(named(fig, name).y) == rows["decoder"].tolist()
        )
        assert named(fig, name).marker.color == ROLE_COLOURS[role]
    assert named(fig, "ID").marker.symbol != named(fig, "OOD").marker.symbol
    vertical, horizontal = named(fig, "95 % of ID: encoder"), named(fig, "95 % of ID: decoder")
    assert set(vertical.x) == {2.0} and set(horizontal.y) == {3.0}
    assert vertical.line.dash != horizontal.line.dash
    assert (vertical.line.color, horizontal.line.color) == (ROLE_COLOURS["encoder"], ROLE_COLOURS["decoder"])
    iso = [trace for trace in fig.data if trace.meta == "iso-line"]
    assert len(iso) >= 4
    for trace in iso:  # the average is constant along each line
        sums = np.array(trace.x) + np.array(trace.y)
        assert np.ptp(sums) < 1e-9
    average = named(fig, "95 % of ID: average")
    assert (average.x[0] + average.y[0]) / 2 == pytest.approx(2.2)
    assert (fig.layout.xaxis.type == "log") == log


def test_scatter_names_other_taps_and_thins_large_sets(points):
    many = pd.concat([points] * 60, ignore_index=True)
    fig = score_scatter_chart(many, THRESHOLDS, ("x", "y"), names=("mid", "up"))
    assert len(named(fig, "ID").x) == MOST_POINTS
    assert named(fig, "95 % of ID: mid") and named(fig, "95 % of ID: up")


def test_scatter_of_identical_scores_has_axes(points):
    flat = points.assign(encoder=1.0, decoder=1.0)
    for log in (True, False):
        fig = score_scatter_chart(flat, dict.fromkeys(THRESHOLDS, 1.0), ("x", "y"), log=log)
        low, high = fig.layout.xaxis.range
        assert low < high
    with pytest.raises(FigureDataError, match="decoder"):
        score_scatter_chart(points.drop(columns="decoder"), THRESHOLDS, ("x", "y"))


@pytest.fixture
def gains():
    lams = [9.0, 5.0, 1.0, -3.0]
    frame = pd.DataFrame({"level": range(4), "lam": lams})
    for name, scale in (("gain_d", 1.0), ("gain_e", 0.3)):
        values = scale * np.array([0.2, 0.5, 1.0, np.nan])
        frame[name], frame[f"{name}_lo"], frame[f"{name}_hi"] = values, values * 0.5, values * 1.5
    return frame


def test_curve_has_both_gains_with_bands_and_levels_to_click(gains, theme):
    labels = {"decoder": "up given down", "encoder": "down given up"}
    fig = gain_curve_chart(gains, labels, theme, selected=1)
    for role, name in (("decoder", "gain_d"), ("encoder", "gain_e")):
        curve = named(fig, labels[role])
        assert list(curve.x) == [9.0, 5.0, 1.0, -3.0] and list(curve.customdata) == [0, 1, 2, 3]
        np.testing.assert_array_equal(curve.y, gains[name])
        assert curve.line.color == ROLE_COLOURS[role]
        assert all(type(level) is int for level in curve.customdata)
    bands = [trace for trace in fig.data if trace.fill == "toself"]
    assert list(bands[0].y[:3]) == gains["gain_d_hi"].tolist()[:3] and len(bands[0].x) == 6  # without the missing level
    assert len({trace.line.dash for trace in fig.data if trace.customdata is not None}) == 2
    assert "chosen" in fig.layout.annotations[0].text and fig.layout.shapes[0].x0 == 5.0


@pytest.fixture
def pairs():
    rng = np.random.default_rng(1)
    return pair_gain(rng.normal(size=(6, 40)), rng.normal(0.7, 1, size=(6, 30)), TAPS)


def test_matrix_is_symmetric_and_centred_on_no_gain(pairs, theme):
    fig = pair_matrix_chart(pairs, TAPS, theme, selected=("down_blocks.1", "down_blocks.4"))
    axis = fig.layout.coloraxis
    assert axis.cmin == -axis.cmax and axis.cmax >= pairs["gain"].abs().max()
    heat = next(trace for trace in fig.data if trace.type == "heatmap")
    z = np.array([[np.nan if value is None else value for value in row] for row in heat.z])
    np.testing.assert_array_equal(z, z.T)
    np.testing.assert_allclose(
        np.sort(z[np.triu_indices_from(z)][~np.isnan(z[np.triu_indices_from(z)])]), np.sort(pairs["gain"])
    )
    assert sum(shape.name == "selected pair" for shape in fig.layout.shapes) == 4


def test_matrix_reports_the_pair_that_was_clicked(pairs):
    fig = pair_matrix_chart(pairs, TAPS)
    layer = next(trace for trace in fig.data if trace.meta == CLICK_LAYER)
    heat = next(trace for trace in fig.data if trace.type == "heatmap")
    assert all(type(cell) is int for cell in layer.customdata) and len(layer.customdata) == 30
    gain = {(row.tap_a, row.tap_b): row.gain for row in pairs.itertuples()}
    edges = np.array(heat.x)
    for cell, x, y in zip(layer.customdata, layer.x, layer.y, strict=True):
        a, b = sorted(divmod(cell, 6))
        row, column = np.searchsorted(edges, y) - 1, np.searchsorted(edges, x) - 1
        assert heat.z[row][column] == gain[TAPS[a].name, TAPS[b].name]


def test_matrix_goes_to_print_without_a_bitmap(pairs):
    print_version = to_publication(pair_matrix_chart(pairs, TAPS, "dark"), "174mm")
    assert all(trace.type != "heatmap" for trace in print_version.data)
    with pytest.raises(FigureDataError, match="not among"):
        pair_matrix_chart(pairs, TAPS[:3])


def test_sets_show_gain_interval_and_the_better_one(theme):
    rows = pd.DataFrame(
        {
            "ood": ["letters", "noisy", "equal", "one image"],
            "auroc_gain": [-0.02, 0.03, 0.0, np.nan],
            "auroc_gain_lo": [-0.03, 0.01, -0.01, np.nan],
            "auroc_gain_hi": [-0.01, 0.05, 0.01, np.nan],
            "better": ["decoder", "encoder", "encoder", "encoder"],
            "auroc_e": [0.7, 0.8, 1.0, 1.0],
            "auroc_d": [0.8, 0.7, 1.0, 0.5],
            "auroc_avg": [0.78, 0.83, 1.0, 0.9],
        }
    )
    fig = set_gains_chart(rows, theme)
    assert [trace.name for trace in fig.data] == ["letters", "noisy", "equal"]
    assert len({trace.marker.symbol for trace in fig.data}) == 3
    colours = [ROLE_COLOURS[role] for role in ("decoder", "encoder", "control")]
    assert [trace.marker.color for trace in fig.data] == colours
    assert fig.data[0].error_x.array[0] == pytest.approx(0.01)
    texts = [annotation.text for annotation in fig.layout.annotations]
    assert "−0.020 [−0.030, −0.010]" in texts[0] and "+0.030" in texts[1] and "too few images" in texts[3]
    low, high = fig.layout.xaxis.range
    assert low == -high and high > 0.05
