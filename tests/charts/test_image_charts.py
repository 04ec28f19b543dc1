"""The figures of one image, and the threshold of the score histogram: what their traces and axes hold."""

import math

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    FigureDataError,
    export_bytes,
    has_browser,
    image_features_chart,
    image_map_chart,
    image_scores_chart,
    score_histogram_chart,
    template,
)
from cfs_explore.charts.channel_bars import POOLINGS
from cfs_explore.charts.map_marks import frame_open_cell
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.theme import ROLE_COLOURS

QUANTILES = {"id_q05": 0.6, "id_q25": 0.8, "id_median": 1.0, "id_q75": 1.3, "id_q95": 2.0}


@pytest.fixture
def profile(make_map) -> pd.DataFrame:
    """An image's cells: percentiles 0 to 100, ratios 1/4 to 4."""
    frame = make_map()
    share = np.linspace(0, 1, len(frame))
    return frame.assign(
        score=4.0 ** (2 * share - 1),
        draw_min=0.2,
        draw_max=4.5,
        id_median=1.0,
        ratio=4.0 ** (2 * share - 1),
        percentile=100 * share,
        n_ood=1,
    )


@pytest.fixture
def detectors() -> pd.DataFrame:
    rows = [
        {"name": "CFS(1x2)", "score": 2.0, "draws": [1.9, 2.1], "percentile": 95.0, "p_value": 0.05, **QUANTILES},
        {"name": "up1.res2", "score": 0.5, "draws": [0.4, 0.6], "percentile": 3.0, "p_value": 0.97, **QUANTILES},
    ]
    return pd.DataFrame(rows).assign(n_id=421)


@pytest.fixture
def features() -> pd.DataFrame:
    z = np.array([1.0, -4.0, 0.5, 2.0, 3.0, -0.1])
    return pd.DataFrame(
        {
            "channel": [0, 1, 2] * 2,
            "pooling": ["mean"] * 3 + ["std"] * 3,
            "value": 1.0,
            "z": z,
            "square": z**2,
            "share": z**2 / (z**2).sum(),
        }
    )


def test_percentiles_are_grey_at_the_middle_of_id(profile, theme):
    fig = image_map_chart(profile, "percentile", theme=theme)
    assert fig.layout.template == template(theme)
    heat, points = fig.data
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (0, 100)
    shown = np.array(heat.z, dtype=float)
    assert np.nanmin(shown) == 0 and np.nanmax(shown) == 100
    assert points.meta == CLICK_LAYER and sorted(points.customdata) == list(range(len(profile)))
    position = points.customdata.index(40)
    assert f"percentile {profile['percentile'].iloc[40]:.1f}" in points.hovertext[position]


def test_ratios_stand_on_a_symmetric_scale_of_doublings(profile):
    axis = image_map_chart(profile, "ratio").layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-2, 2)
    assert list(axis.colorbar.ticktext) == ["1/4×", "1/2×", "1×", "2×", "4×"]
    far = profile.assign(ratio=profile["ratio"].where(profile.index > 0, 1 / 1000))
    axis = image_map_chart(far, "ratio").layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-10, 10) and "1×" in axis.colorbar.ticktext
    assert len(axis.colorbar.ticktext) <= 9


def test_an_ordinary_image_is_not_blown_up_to_full_colour(profile):
    axis = image_map_chart(profile.assign(ratio=1.01), "ratio").layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-1, 1)


def test_a_missing_or_infinite_ratio_leaves_its_cell_blank(profile):
    ratio = profile["ratio"].astype(float).to_numpy().copy()
    ratio[:2] = 0.0, np.nan
    heat = image_map_chart(profile.assign(ratio=ratio), "ratio").data[0]
    blank = sum(value is None for row in heat.z for value in row)
    gaps = sum(value is None for row in image_map_chart(profile, "ratio").data[0].z for value in row)
    assert blank == gaps + 2


def test_the_open_cell_is_outlined(profile):
    fig = image_map_chart(profile)
    frame_open_cell(fig, 31)
    box = next(shape for shape in fig.layout.shapes if shape.name == "open cell")
    points = fig.data[1]
    position = points.customdata.index(31)
    assert (box.x0 + box.x1) / 2 == points.x[position] and (box.y0 + box.y1) / 2 == points.y[position]


def test_another_value_is_named(profile):
    with pytest.raises(FigureDataError, match="'value'"):
        image_map_chart(profile, "auroc")
    with pytest.raises(FigureDataError, match="percentile"):
        image_map_chart(profile.drop(columns="percentile"))


@pytest.mark.parametrize("role", ["id", "ood"])
def test_detectors_stand_beside_their_id_distribution(detectors, role, theme):
    fig = image_scores_chart(detectors, role, theme)
    assert fig.layout.xaxis.type == "log" and len(fig.data) == 8
    wide, narrow, draws, mean = fig.data[:4]
    assert (list(wide.x), list(narrow.x)) == ([0.6, 2.0], [0.8, 1.3])
    assert list(draws.x) == [1.9, 2.1] and list(mean.x) == [2.0]
    assert mean.marker.color == ROLE_COLOURS[role] and wide.line.color == ROLE_COLOURS["id"]
    assert fig.layout.annotations[0].text == "<b>CFS(1x2)</b> percentile 95.0 · p = 0.050"
    low, high = fig.layout.xaxis.range
    assert low < math.log10(0.4) and high > math.log10(2.1)


def test_scores_that_no_logarithm_has_are_named_in_words(detectors):
    fig = image_scores_chart(detectors.assign(id_median=[0.0, 1.0]))
    assert len(fig.data) == 4 and len(fig.layout.annotations) == 2


def test_the_farthest_features_of_each_pooling(features, theme):
    means, stds = image_features_chart(features, 2, theme).data
    assert list(means.x) == [-4.0, 1.0] and list(stds.x) == [3.0, 2.0]
    assert means.marker.color == POOLINGS["mean"][1] and stds.marker.color == POOLINGS["std"][1]
    fig = image_features_chart(features, 2)
    assert list(fig.layout.yaxis.ticktext) == ["1", "0"] and list(fig.layout.yaxis2.ticktext) == ["1", "0"]
    assert fig.layout.xaxis.range == fig.layout.xaxis2.range and fig.layout.xaxis.range[1] > 4
    assert "52.9 % of the score" in means.hovertext[0]


def test_features_at_the_mean_of_id_still_draw(features):
    assert image_features_chart(features.assign(z=0.0, square=0.0)).layout.xaxis.range == (-1.0, 1.0)


@pytest.mark.parametrize("log", [False, True])
def test_a_threshold_stands_where_its_score_is(bins, log):
    """On a logarithmic axis plotly takes a line's place as it is, and a text's as its logarithm."""
    bins = bins.assign(left=bins["left"] + 0.1, right=bins["right"] + 0.1)
    fig = score_histogram_chart(bins, threshold=2.0, threshold_label="Flagged above", log=log)
    assert fig.layout.shapes[0].x0 == 2.0
    assert fig.layout.annotations[0].x == pytest.approx(math.log10(2) if log else 2.0)
    assert fig.layout.annotations[0].text == "Flagged above<br>at 2.00"
    assert (fig.layout.xaxis.type == "log") == log
    highest = bins[["id", "ood"]].max().max()
    assert fig.layout.yaxis.range[1] == pytest.approx(1.2 * highest)  # room for the text over the bars
    end = float(bins["right"].max())
    assert score_histogram_chart(bins, threshold=0.99 * end, log=log).layout.annotations[0].xanchor == "right"
    assert score_histogram_chart(bins, threshold=0.4, log=log).layout.annotations[0].xanchor == "left"


@pytest.mark.skipif(not has_browser(), reason="needs Chrome or Chromium")
def test_they_export(profile, detectors, features):
    figures = (
        image_map_chart(profile, "ratio", "dark"),
        image_scores_chart(detectors),
        image_features_chart(features),
    )
    for fig in figures:
        assert export_bytes(fig, "svg", width="84mm").lstrip().startswith(b"<svg")
