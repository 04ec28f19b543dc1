"""The protocol page's cost and comparison, through the figures' traces."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import FigureDataError, export_bytes, has_browser, template, to_publication
from cfs_explore.charts.cost_axis import beside, cost_axis
from cfs_explore.charts.cost_front import cost_front_chart
from cfs_explore.charts.difference_map import difference_alt, difference_map_chart
from cfs_explore.charts.marks import CLICK_LAYER


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for draws in (1, 5):
        rows += [(f"tap {k} @ 5", "cell", draws, 1, 0.1 + 0.01 * k, 0.2 + 0.1 * k, rng.uniform(0.5, 0.9))
                 for k in range(60)]  # fmt: skip
        rows += [("CFS-dec(1x1) sparse_ed @ 5", "CFS-dec", draws, 1, 0.6, 3.0, 0.82)]
        rows += [("CFS(1x2) sparse_ed @ 5", "CFS", draws, 1, 0.6, 3.0, 0.86)]
        rows += [("CFS(4x2) sparse_ed around 5", "CFS(KxL)", draws, 4, 2.4, 12.0, 0.88)]
    frame = pd.DataFrame(rows, columns=["detector", "kind", "draws", "forwards", "effective", "ms", "judged_auroc"])
    frame = frame.assign(**{cost: frame[cost] * frame["draws"] for cost in ("forwards", "effective", "ms")})
    auroc = frame["judged_auroc"]
    return frame.assign(auroc=auroc, lo=auroc - 0.02, hi=auroc + 0.02, judged_lo=auroc - 0.03, judged_hi=auroc + 0.03,
                        picked_auroc=auroc, n_id=250, n_ood=250)  # fmt: skip


@pytest.fixture
def front(table) -> pd.DataFrame:
    return table.loc[[3, 61, 62]].sort_values("ms", ignore_index=True)


@pytest.fixture
def difference(frame) -> pd.DataFrame:
    """The fixture's 29 taps against a smaller backbone's, which share their regions' first taps."""
    b = frame.groupby("region")["tap_index"].transform("min")
    value = frame["auroc"] - 0.6
    return pd.DataFrame(
        {"region": frame["region"], "tap_a": frame["tap"], "depth_a": frame["depth"], "tap_index_a": frame["tap_index"]}
        | {"tap_b": "small " + b.astype(str), "depth_b": 0.5, "tap_index_b": b, "level_a": frame["level"]}
        | {"level_b": frame["level"], "requested": frame["requested"], "lam": frame["lam"], "lam_b": frame["lam"] + 0.1}
        | {"auroc_a": 0.6, "auroc_b": frame["auroc"], "difference": value, "lo": value - 0.05, "hi": value + 0.05}
        | {"paired": True, "n_id_a": 500, "n_ood_a": 400, "n_id_b": 300, "n_ood_b": 200}
    )


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """The same differences with the explorations in the other order."""
    other = {"a": "b", "b": "a"}
    names = {name: f"{name[:-1]}{other[name[-1]]}" for name in frame if name[-2:] in ("_a", "_b") and name != "lam_b"}
    return frame.rename(columns=names).assign(level_a=frame["level_a"], level_b=frame["level_b"])


def test_rings_of_a_map_stay_above_its_cells_in_print(difference):
    printed = to_publication(difference_map_chart(difference), "174mm")
    cells = [shape for shape in printed.layout.shapes if (shape.fillcolor or "").startswith("rgb(")]
    assert len(cells) == difference["difference"].notna().sum()
    assert {shape.layer for shape in cells} == {"below"}
    assert any(trace.name == "interval includes 0" for trace in printed.data)


@pytest.mark.parametrize("cost", ["forwards", "effective", "ms"])
def test_no_cell_lies_on_a_published_detector(table, front, cost, theme):
    fig = cost_front_chart(table, front, cost, theme)
    assert fig.layout.template == template(theme)
    at = {}
    for trace in fig.data:
        if trace.hovertext and trace.name != "On the front":
            at.setdefault(trace.name, []).extend(zip(trace.x, trace.y, strict=True))
    assert {name: len(points) for name, points in at.items()} == {
        "Single cells": 120, "CFS-dec(1x1)": 2, "CFS(1x2)": 2, "CFS(K×L)": 2,
    }  # fmt: skip
    costs = np.sort(table.loc[table["kind"] == "cell", cost].to_numpy())
    drawn = np.sort([x for x, _ in at["Single cells"]])
    assert not np.isin(drawn, costs).any()
    np.testing.assert_allclose(drawn, costs, rtol=0.3)


def test_kinds_have_their_symbols_and_more_draws_are_open(table, front):
    fig = cost_front_chart(table, front, "ms")
    shown = {(t.name, t.marker.symbol) for t in fig.data if t.hovertext and t.name != "On the front"}
    assert len({symbol for _, symbol in shown}) == len(shown) == 8
    assert sum(symbol.endswith("-open") for _, symbol in shown) == 4
    assert [t.name for t in fig.data if t.x == (None,)] == ["open: 5 noise draws"]
    single = cost_front_chart(table[table["draws"] == 1], front, "ms")
    assert not [t for t in single.data if t.x == (None,)]
    words = next(t for t in fig.data if t.marker.symbol == "square").hovertext[0]
    assert "#F 1 · effective 0.60 · 3.00 ms" in words
    assert "judged 0.860 [0.830, 0.890]" in words and "all images 0.860 [0.840, 0.880]" in words


def test_the_front_steps_through_its_detectors(table, front):
    fig = cost_front_chart(table, front, "ms", others={"small": front.iloc[:2]})
    steps = {trace.name: trace for trace in fig.data if trace.mode == "lines"}
    assert set(steps) == {"Front", "Front of small"} and all(step.line.shape == "hv" for step in steps.values())
    assert list(steps["Front"].x[:3]) == front["ms"].tolist() and len(steps["Front of small"].x) == 3
    assert steps["Front"].x[-1] == pytest.approx(10 ** fig.layout.xaxis.range[1])
    assert steps["Front of small"].line.dash == "dash"
    judged = next(trace for trace in fig.data if trace.name == "On the front")
    assert list(judged.y) == front["judged_auroc"].tolist() and judged.error_y.array[0] == pytest.approx(0.03)


def test_marked_detectors_are_named_once_and_never_over_each_other(table, front):
    names = ["CFS(1x2) sparse_ed @ 5", "CFS-dec(1x1) sparse_ed @ 5", "unknown"]
    close = table.assign(judged_auroc=table["judged_auroc"].where(table["kind"] != "CFS", 0.8201))
    notes = cost_front_chart(close, front, "ms", marked=names).layout.annotations
    assert [note.text for note in notes] == ["CFS-dec(1x1) sparse_ed @ λ 5.0", "CFS(1x2) sparse_ed @ λ 5.0"]
    assert notes[1].yshift - notes[0].yshift > 14 and notes[0].x == pytest.approx(np.log10(3))


def test_axes_of_costs():
    log = cost_axis(pd.Series([0.15, 3.0, 12.0]))
    assert log["type"] == "log" and {"0.2", "0.5", "1", "2", "5", "10"} <= set(log["ticktext"])
    assert set(cost_axis(pd.Series([0.001, 20.0]))["ticktext"]) >= {"0.001", "0.01", "0.1", "1", "10"}
    linear = cost_axis(pd.Series([1, 4]), whole=True)
    assert linear["type"] == "linear" and linear["dtick"] == 1
    assert cost_axis(pd.Series([1.0, 1.0]))["range"] == [0.5, 1.5]
    ones = pd.Series(np.ones(400))
    aside = np.abs(np.array(beside(ones, linear, 0.05)) - 1)
    assert aside.min() > 0.01 and aside.max() < 0.05 * 4 and len(np.unique(aside.round(9))) > 150
    assert beside(ones, linear, 0.05) == beside(ones, linear, 0.05)


def test_detectors_without_a_cost_are_left_out(table, front):
    table.loc[table["kind"] == "cell", "ms"] = np.nan
    assert "Single cells" not in {trace.name for trace in cost_front_chart(table, front, "ms").data}
    assert not cost_front_chart(table.assign(ms=np.nan), front.iloc[:0], "ms", marked=["tap 1 @ 5"]).data
    with pytest.raises(FigureDataError, match="'cost'"):
        cost_front_chart(table, front, "money")
    with pytest.raises(FigureDataError, match="'kind'"):
        cost_front_chart(table.assign(kind="magic"), front, "ms")


@pytest.mark.parametrize("order", ["first is larger", "second is larger"])
def test_no_cell_of_the_difference_is_doubled(difference, order, theme):
    rows = difference if order == "first is larger" else swapped(difference)
    fig = difference_map_chart(rows, theme)
    layer = fig.data[-1]
    assert layer.meta == CLICK_LAYER and len(set(layer.customdata)) == len(difference) == 29 * 8
    z = np.array([v for row in fig.data[0].z for v in row if v is not None], dtype=float)
    np.testing.assert_allclose(np.sort(z), np.sort(difference["difference"]))
    assert fig.layout.coloraxis.cmin == -fig.layout.coloraxis.cmax and "conv_in" in fig.layout.xaxis.ticktext


def test_difference_names_both_sides(difference):
    layer = difference_map_chart(difference, reach=0.3).data[-1]
    assert "first: 0.600 at conv_in @ λ 9.21, depth" in layer.hovertext[0]
    assert "second:" in layer.hovertext[0] and "at small 0 @ λ 9.31, depth 50 %, n = 300 ID" in layer.hovertext[0]
    assert difference_map_chart(difference, reach=0.3).layout.coloraxis.cmax == 0.3
    assert "different images" in difference_map_chart(difference.assign(paired=False)).data[-1].hovertext[0]
    with pytest.raises(FigureDataError, match="no rows"):
        difference_map_chart(difference.iloc[:0])


def test_difference_in_words(difference):
    text = difference_alt(difference, "large", "small")
    better, worse = (difference["lo"] > 0).sum(), (difference["hi"] < 0).sum()
    assert text.startswith("Map of AUROC of small minus that of large over 232 matching cells")
    assert f"better in {better} cells, worse in {worse}; in {232 - better - worse}" in text
    assert "no cell in common" in difference_alt(difference.iloc[:0], "large", "small")


def test_both_figures_print_alike_from_both_themes(table, front, difference):
    for make in (lambda theme: cost_front_chart(table, front, "ms", theme, ["CFS(1x2) sparse_ed @ 5"]),
                 lambda theme: difference_map_chart(difference, theme)):  # fmt: skip
        light, dark = (to_publication(make(theme), "84mm") for theme in ("light", "dark"))
        assert light.to_dict() == dark.to_dict()


@pytest.mark.skipif(not has_browser(), reason="needs Chrome or Chromium")
def test_both_figures_go_to_print(table, front, difference):
    for figure in (cost_front_chart(table, front, "effective", "dark"), difference_map_chart(difference, "dark")):
        assert export_bytes(figure, "svg", width="84mm").startswith(b"<svg")
