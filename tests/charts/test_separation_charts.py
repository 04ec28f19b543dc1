"""The separation page's figures, through their traces."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    FigureDataError,
    auroc_map_chart,
    channel_bars_chart,
    delta_parts_chart,
    export_bytes,
    has_browser,
    head_dots_chart,
    predicted_measured_chart,
    sparsity_chart,
    tap_parts_chart,
    to_publication,
    top_channels_chart,
)
from cfs_explore.charts.cell_scatter import REGION_MARKS
from cfs_explore.charts.theme import REGION_COLOURS

TAPS = 29


@pytest.fixture
def cells(frame) -> pd.DataFrame:
    """The synthetic map as a separation table."""
    z = 1.2 * frame["auroc"].map(lambda a: NormalDist().inv_cdf(min(max(a, 0.01), 0.99)))
    shift = 0.3 + 0.01 * frame["tap_index"]
    table = frame.rename(columns={"auroc_lo": "lo", "auroc_hi": "hi"}).assign(
        delta=z,
        delta_lo=z - 0.1,
        delta_hi=z + 0.1,
        mean_shift=shift,
        variance_change=z - shift,
        var_id=0.75,
        var_ood=0.25,
    )
    for part in ("mean_shift", "variance_change"):
        table = table.assign(**{f"{part}_lo": table[part] - 0.2, f"{part}_hi": table[part] + 0.2})
    table["predicted"] = z.map(NormalDist().cdf)
    table["bound"] = (z**2 / (1 + z**2)).where(z > 0)
    return table


def traces(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_scatter_shows_every_cell_once_where_it_is(cells, theme):
    fig = predicted_measured_chart(cells, TAPS, 70, theme)
    by_name, seen = traces(fig), {}
    for region, (label, symbol) in REGION_MARKS.items():
        trace = by_name[label]
        assert (trace.marker.symbol, trace.marker.color) == (symbol, REGION_COLOURS[region])
        assert trace.selected.marker.opacity == trace.unselected.marker.opacity == trace.marker.opacity
        seen |= dict(zip(trace.customdata, zip(trace.x, trace.y, strict=True), strict=True))
    assert sorted(seen) == list(range(len(cells)))
    row = cells.iloc[70]
    assert seen[70] == (row["predicted"], row["auroc"])
    chosen = by_name["Chosen cell"]
    assert (chosen.x[0], chosen.y[0], chosen.hoverinfo) == (row["predicted"], row["auroc"], "skip")
    assert chosen.error_y.array[0] == pytest.approx(row["hi"] - row["auroc"])
    assert fig.layout.dragmode == "pan" and fig.layout.clickmode == "event+select"


def test_the_bound_curve_goes_through_the_bounds_of_the_cells(cells):
    """(12) is a function of (13): every cell's own bound lies on the drawn curve."""
    curve = traces(predicted_measured_chart(cells, TAPS))["Lower bound"]
    applies = cells[cells["bound"].notna() & (cells["predicted"] < 0.99)]
    np.testing.assert_allclose(np.interp(applies["predicted"], curve.x, curve.y), applies["bound"], atol=2e-3)


def test_scatter_leaves_out_what_has_no_prediction(cells):
    cells.loc[cells["level"] > 0, "predicted"] = np.nan
    fig = predicted_measured_chart(cells, TAPS, 100)
    assert sum(len(t.customdata) for t in fig.data if t.customdata is not None) == TAPS
    assert "Chosen cell" not in traces(fig)
    assert "Encoder" not in traces(predicted_measured_chart(cells.assign(predicted=np.nan), TAPS))
    with pytest.raises(FigureDataError, match="predicted"):
        predicted_measured_chart(cells.drop(columns="predicted"), TAPS)


def test_parts_have_their_bars_intervals_and_numbers(cells, theme):
    row = cells.iloc[33].to_dict()
    fig = delta_parts_chart(row, theme)
    assert [bar.x[0] for bar in fig.data] == [row["mean_shift"], row["variance_change"], row["delta"]]
    assert [bar.error_x.array[0] for bar in fig.data] == pytest.approx([0.2, 0.2, 0.1])
    assert len({bar.marker.pattern.shape for bar in fig.data[:2]}) == 2  # not by colour alone
    assert f"{row['delta']:.3f} [" in fig.layout.annotations[2].text.replace("−", "-")


def test_parts_without_interval_are_bars_alone(cells):
    row = cells.iloc[33].to_dict() | {"delta_lo": np.nan, "delta_hi": np.nan}
    fig = delta_parts_chart(row)
    assert fig.data[2].error_x.array is None
    assert "[" not in fig.layout.annotations[2].text


def test_tap_parts_are_in_units_of_the_score(cells, theme):
    level = cells[cells["level"] == 3].assign(var_id=3.0, var_ood=1.0)
    fig = tap_parts_chart(level, 14, theme)
    assert fig.layout.meta["least_px"] == 13 * len(level) + 76
    shift, change, delta = fig.data
    np.testing.assert_allclose(shift.y, level["mean_shift"] / 2)
    np.testing.assert_allclose(np.add(shift.y, change.y), delta.y)
    np.testing.assert_allclose(delta.error_y.array, 0.05)
    assert fig.layout.barmode == "relative"
    assert [text.startswith("<b>") for text in fig.layout.xaxis.ticktext].index(True) == 14


def test_tap_parts_with_scores_that_do_not_vary(cells):
    level = cells[cells["level"] == 3].assign(var_id=0.0, var_ood=0.0)
    assert all(np.isnan(value) for value in tap_parts_chart(level).data[0].y)


def test_share_map_is_neutral_where_both_parts_are_alike(cells):
    fig = auroc_map_chart(cells.assign(mean_share=0.5), "mean_share")
    assert "both alike 0.5" in fig.layout.coloraxis.colorbar.title.text
    assert "chance" in auroc_map_chart(cells).layout.coloraxis.colorbar.title.text


@pytest.fixture
def channels() -> pd.DataFrame:
    values = np.array([3.0, -1, 5, 0, 1, 1, 2, -7]) / 100  # channels 0..3: means, then standard deviations
    return pd.DataFrame(
        {
            "channel": np.tile(np.arange(4), 2),
            "pooling": np.repeat(["mean", "std"], 4),
            "contribution": values,
            "mean_shift": values / 2,
            "variance_change": values / 2,
        }
    )


@pytest.mark.parametrize(("order", "places"), [("channel", [0, 1, 2, 3]), ("contribution", [1, 2, 0, 3])])
def test_a_channel_stands_at_one_place_in_both_rows(channels, order, places, theme):
    """Sums are 0.04, 0, 0.07, -0.07."""
    means, stds = channel_bars_chart(channels, order, theme).data
    assert list(means.x) == list(stds.x) == places
    assert list(means.y) == [0.03, -0.01, 0.05, 0.0]
    assert means.yaxis != stds.yaxis


def test_channel_rows_share_their_scale_and_name_their_pooling(channels):
    fig = channel_bars_chart(channels)
    assert fig.layout.yaxis.range == fig.layout.yaxis2.range
    assert [a.text for a in fig.layout.annotations] == ["<b>Channel means</b>", "<b>Channel standard deviations</b>"]
    flat = channel_bars_chart(channels.assign(contribution=0.0))
    assert flat.layout.yaxis.range == (-1, 1)


def test_sparsity_curve_and_its_ratio(theme):
    curve = pd.DataFrame({"features": [1, 2, 3, 4], "share": [0.6, 0.8, 0.9, 1.0]})
    fig = sparsity_chart(curve, 2.3, theme)
    assert list(fig.data[0].y) == [0.6, 0.8, 0.9, 1.0] and list(fig.data[1].y) == [0.25, 0.5, 0.75, 1]
    assert "2.3" in fig.layout.annotations[0].text and fig.layout.shapes[0].x0 == 2.3
    assert fig.layout.xaxis.type == "log"
    assert not sparsity_chart(curve, float("nan")).layout.shapes


def test_top_channels_have_a_band(theme):
    top = pd.DataFrame(
        {"k": [1, 2, 4, 6], "auroc": [0.6, 0.7, 0.8, 0.75], "lo": [0.5, 0.6, 0.7, 0.65], "hi": [0.7, 0.8, 0.9, 0.85]}
    )
    band, line = top_channels_chart(top, theme).data
    assert list(line.x) == [1, 2, 4, 6] and list(line.y) == [0.6, 0.7, 0.8, 0.75]
    assert list(band.y) == [0.7, 0.8, 0.9, 0.85, 0.65, 0.7, 0.6, 0.5]
    one = top_channels_chart(top.iloc[:1]).data[1]
    assert list(one.x) == [1]


def test_heads_show_differences_and_what_could_not_be_fitted(theme):
    nan = np.nan
    rows = [
        ("diag", "Diagonal", 0.8, 0.75, 0.85, nan, nan, nan, ""),
        ("knn", "Nearest", nan, nan, nan, nan, nan, nan, "too few images"),
        ("mixture", "Gaussians", 0.75, 0.7, 0.8, -0.05, -0.08, -0.02, ""),
    ]
    names = ["head", "title", "auroc", "lo", "hi", "difference", "difference_lo", "difference_hi", "note"]
    fig = head_dots_chart(pd.DataFrame(rows, columns=names), theme)
    assert [trace.x[0] for trace in fig.data] == [0.8, 0.75]
    texts = [annotation.text for annotation in fig.layout.annotations]
    assert "<b>Nearest</b> could not be fitted" in texts[1]
    assert "−0.050 [−0.080, −0.020] against the diagonal" in texts[2]
    assert fig.layout.shapes[0].x0 == 0.8


@pytest.mark.skipif(not has_browser(), reason="needs Chrome or Chromium")
def test_they_export(cells, channels):
    for fig in (predicted_measured_chart(cells, TAPS, 3, "dark"), channel_bars_chart(channels, "channel", "dark")):
        assert to_publication(fig).layout.paper_bgcolor == "#FFFFFF"
        assert export_bytes(fig, "svg", width="84mm").lstrip().startswith(b"<svg")
