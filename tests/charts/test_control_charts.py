"""The controls' figures, through their traces; and what the page says in words."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    FigureDataError,
    control_dots_chart,
    excess_alt,
    excess_map_chart,
    reencoding_chart,
    seed_spread_chart,
    to_publication,
)
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.headlines.controls import controls_headline


@pytest.fixture
def excess(frame) -> pd.DataFrame:
    """29 taps x 8 levels: the trained map against a flat control; the first cell is not measured."""
    value = frame["auroc"] - 0.6
    made = frame.assign(trained=frame["auroc"], control_auroc=0.6, seed_sd=0.01, excess=value)
    made = made.assign(lo=value - 0.05, hi=value + 0.05)
    made.loc[0, ["excess", "lo", "hi"]] = np.nan
    return made


def test_excess_map_is_centred_on_zero(excess, theme):
    fig = excess_map_chart(excess, theme)
    axis = fig.layout.coloraxis
    assert axis.cmin == -axis.cmax and axis.colorscale[len(axis.colorscale) // 2][0] == 0.5
    z = np.array([v for row in fig.data[0].z for v in row if v is not None], dtype=float)
    np.testing.assert_allclose(np.sort(z), np.sort(excess["excess"].dropna()))


def test_rings_mark_exactly_the_cells_that_may_have_no_excess(excess):
    fig = excess_map_chart(excess)
    rings, layer = fig.data[1], fig.data[-1]
    where = dict(zip(layer.customdata, zip(layer.x, layer.y, strict=True), strict=True))
    expected = excess[(excess["lo"] <= 0) & (excess["hi"] >= 0)]
    assert 0 < len(expected) < len(excess) - 1
    index = expected["level"] * 29 + expected["tap_index"]
    assert set(zip(rings.x, rings.y, strict=True)) == {where[i] for i in index}
    assert layer.meta == CLICK_LAYER and "not measured" in layer.hovertext[0]
    assert "trained" in layer.hovertext[5] and "SD over seeds" in layer.hovertext[5]


def test_excess_map_for_print_keeps_its_rings(excess):
    fig = to_publication(excess_map_chart(excess, "dark"), "84mm")
    assert any(trace.name == "interval includes 0" for trace in fig.data)
    assert len([shape for shape in fig.layout.shapes if shape.type == "rect"]) > 200


def test_excess_in_words(excess):
    text = excess_alt(excess, "untrained copies")
    better, worse = (excess["lo"] > 0).sum(), (excess["hi"] < 0).sum()
    assert f"better in {better} cells, worse in {worse}; in {231 - better - worse}" in text


@pytest.fixture
def rows() -> pd.DataFrame:
    columns = ["name", "auroc", "lo", "hi", "kind", "note"]
    values = [
        ("Best cell, trained", 0.9, 0.87, 0.93, "trained", ""),
        ("Best cell, untrained", 0.7, 0.66, 0.74, "untrained", ""),
        ("All image statistics", 0.4, np.nan, np.nan, "statistics", ""),
        ("Input tap (depth 0)", np.nan, np.nan, np.nan, "input tap", "not measured in this run"),
    ]
    return pd.DataFrame(values, columns=columns)


def test_control_dots(rows, theme):
    fig = control_dots_chart(rows, theme)
    assert [trace.x[0] for trace in fig.data] == [0.9, 0.7, 0.4]
    assert fig.data[1].error_x.array == (pytest.approx(0.04),) and fig.data[2].error_x.array is None
    labels = [note.text for note in fig.layout.annotations]
    assert "0.900 [0.870, 0.930]" in labels[0] and labels[3].endswith("not measured in this run")
    assert len({(t.marker.symbol, t.marker.color) for t in fig.data}) == 3  # shapes distinguish them, too
    lines = {shape.x0 for shape in fig.layout.shapes if shape.x0 == shape.x1}
    assert lines == {0.5, 0.9} and fig.layout.xaxis.range[0] <= 0.4


def test_control_dots_without_any_number(rows):
    fig = control_dots_chart(rows.assign(auroc=np.nan, lo=np.nan, hi=np.nan))
    assert len(fig.data) == 0 and len(fig.layout.annotations) == 4


def test_an_unknown_kind_is_refused(rows):
    with pytest.raises(FigureDataError, match="'kind' of a row"):
        control_dots_chart(rows.assign(kind="magic"))


def test_reencoding_scatter(excess, theme):
    known = excess.dropna(subset=["excess"])
    fig = reencoding_chart(known, theme)
    line, *regions = fig.data
    assert list(line.x) == list(line.y)
    assert sum(len(trace.x) for trace in regions) == len(known)
    assert len({trace.marker.symbol for trace in regions}) == len(regions) == known["region"].nunique()


def test_seed_spread(frame, theme):
    level = frame[frame["level"] == 2].assign(lo=lambda f: f["auroc_lo"], hi=lambda f: f["auroc_hi"])
    copies = pd.concat([level.assign(seed=seed, auroc=0.5 + seed / 100) for seed in (0, 1, 2)])
    fig = seed_spread_chart(level, copies, theme)
    assert [trace.name for trace in fig.data] == [*(f"Untrained, seed {s}" for s in (0, 1, 2)), "Trained"]
    assert len({trace.marker.symbol for trace in fig.data}) == 4
    assert list(fig.data[3].y) == level["auroc"].tolist() and set(fig.data[1].y) == {0.51}


def best(untrained=(0.7, 0.65, 0.75, 0.2, 0.15, 0.25), statistics=(0.6, 0.55, 0.65, 0.3, 0.25, 0.35), single=None):
    rows = {"untrained": untrained, "statistics": statistics, "best statistic": single}
    columns = ["control", "auroc", "auroc_lo", "auroc_hi", "excess", "lo", "hi"]
    frame = pd.DataFrame([(name, *row) for name, row in rows.items() if row], columns=columns)
    return frame.assign(trained=frame["auroc"] + frame["excess"])


def test_headline_of_a_clear_excess():
    assert controls_headline("letters", best()) == (
        "For **letters**, the trained backbone beats its untrained copies by **0.200 [0.150, 0.250]** AUROC, best cell "
        "against best cell; plain image statistics together reach **0.600 [0.550, 0.650]**."
    )


def test_headline_without_an_excess():
    text = controls_headline("far", best(untrained=(0.99, 0.98, 1, 0.005, -0.002, 0.012)))
    assert "does **not** beat its untrained copies beyond chance" in text
    assert "0.005 [\u22120.002, 0.012]" in text


def test_headline_of_a_control_that_wins():
    text = controls_headline("far", best(untrained=(0.9, 0.88, 0.92, -0.1, -0.14, -0.06)))
    assert "untrained copies **beat the trained backbone** by **0.100 [0.060, 0.140]**" in text


def test_headline_names_the_strongest_statistics():
    level = controls_headline("far", best(single=(0.95, 0.9, 1, 0.01, -0.02, 0.04)))
    assert "the best plain image statistic alone reaches **0.950 [0.900, 1.000]**" in level
    assert "does **not** exceed beyond chance" in level
    worse = controls_headline("far", best(single=(0.99, 0.98, 1, -0.05, -0.07, -0.03)))
    assert worse.endswith("**0.990 [0.980, 1.000]**, **more** than the trained backbone.")


def test_saturated_headlines_are_no_evidence():
    """Theory 30: two AUROCs near 1 support nothing, whatever their difference."""
    text = controls_headline("far", best((0.996, 0.99, 1, 0.003, 0.001, 0.005), (0.997, 0.99, 1, 0.002, 0.001, 0.004)))
    assert text.count("**no evidence**") == 2 and "beats" not in text


def test_headline_with_too_few_images_or_no_statistics():
    nothing = (np.nan,) * 6
    assert "Too few images of **one**" in controls_headline("one", best(untrained=nothing, statistics=nothing))
    assert controls_headline("a", best(statistics=None)).endswith("best cell against best cell.")
