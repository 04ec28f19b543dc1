"""The prediction page's figures, through their traces."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    FigureDataError,
    ablation_grid_chart,
    export_bytes,
    has_browser,
    policy_style,
    proxy_dots_chart,
    proxy_scatter_chart,
    regret_dots_chart,
    regret_grid_chart,
    to_grey,
    to_publication,
)
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.theme import ROLE_COLOURS

TAPS = 29
#: Those of the table `regret`.
POLICIES = {name: style for name, style in policy_style.POLICIES.items() if name != "sealed"}
SETS = ["near", "far"]


@pytest.fixture
def cells(frame) -> pd.DataFrame:
    """The synthetic map as a prediction table."""
    table = frame.rename(columns={"auroc_lo": "lo", "auroc_hi": "hi"})
    return table.assign(predicted=0.4 + table["auroc"] / 2)


@pytest.fixture
def regret() -> pd.DataFrame:
    rows = [
        {
            "ood": ood,
            "policy": policy,
            "tap": "up_blocks.1.resnets.0" if ood and policy != "random" else None,
            "lam": 5.0,
            "auroc": 0.9 - loss,
            "lo": 0.85 - loss,
            "hi": 0.95 - loss,
            "regret": loss,
            "regret_lo": loss - 0.02,
            "regret_hi": loss + 0.02,
            "note": "",
        }
        for ood, start in (("near", 0.0), ("far", 0.1), ("", 0.05))
        for loss, policy in zip(np.arange(6) / 50 + start, POLICIES, strict=True)
    ]
    table = pd.DataFrame(rows)
    missing = (table["ood"] == "far") & (table["policy"] == "icc")
    table.loc[missing, ["auroc", "lo", "hi", "regret", "regret_lo", "regret_hi"]] = np.nan
    table.loc[missing, "note"] = "needs two draws"
    return table


@pytest.fixture
def ablation() -> pd.DataFrame:
    rows = [
        {"levels": levels, "shift": shift, "taps": taps, "n_taps": n, "auroc": 0.7 + n / 100 + shift / 10, "sd": 0.01}
        for levels in (1, 2)
        for shift in (-0.5, 0.0, 0.5)
        for taps, n in (("decoder", 1), ("all", 29))
    ]
    sizes = {"lams": "5.0", "lo": 0.6, "hi": 0.9, "draws": 5, "n_train": 8, "n_id": 9, "n_ood": 7}
    return pd.DataFrame(rows).assign(**sizes)


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_scatter_places_every_cell_under_its_region(cells, theme):
    fig = proxy_scatter_chart(cells, TAPS, {"best": 40, "proxy": 41}, 50, theme)
    regions = {name: t for name, t in named(fig).items() if name in ("Input", "Encoder", "Middle", "Decoder", "Output")}
    assert sum(len(trace.x) for trace in regions.values()) == len(cells)
    assert len({trace.marker.symbol for trace in regions.values()}) == 5
    decoder = cells[cells["region"] == "decoder"]
    assert regions["Decoder"].customdata == tuple(decoder["level"] * TAPS + decoder["tap_index"])
    assert regions["Decoder"].marker.color == ROLE_COLOURS["decoder"]
    for name, index in (("Best cell", 40), ("Proxies choose", 41), ("Open cell", 50)):
        row = cells.iloc[index]
        assert (named(fig)[name].x[0], named(fig)[name].y[0]) == (row["predicted"], row["auroc"])
    assert "Fixed λ" not in named(fig)


def test_cells_without_a_prediction_are_left_out(cells):
    cells.loc[3, "predicted"] = np.nan
    fig = proxy_scatter_chart(cells, TAPS, {"best": 3}, 3)
    shown = [index for trace in fig.data if trace.customdata is not None for index in trace.customdata]
    assert 3 not in shown and len(shown) == len(cells) - 1
    assert "Best cell" not in named(fig) and "Open cell" not in named(fig)


def test_one_cell_has_a_range(cells):
    fig = proxy_scatter_chart(cells.iloc[:1], TAPS, {}, None)
    low, high = fig.layout.xaxis.range
    assert low < cells["predicted"].iloc[0] < high


def test_losses_stand_in_the_tables_order(regret, theme):
    fig = regret_dots_chart(regret[regret["ood"] == "near"], "5.0", theme)
    assert [trace.name for trace in fig.data] == [style.label("5.0") for style in POLICIES.values()]
    assert [trace.y[0] for trace in fig.data] == list(range(6))
    assert len({trace.marker.symbol for trace in fig.data}) == 6
    second = fig.data[1]
    assert second.x[0] == pytest.approx(0.02) and second.error_x.arrayminus[0] == pytest.approx(0.02)
    assert "<b>Fixed λ = 5.0</b> 0.020 [0.000, 0.040] · up1.res0 @ λ 5.0" in fig.layout.annotations[1].text
    assert "·" not in fig.layout.annotations[5].text  # a mean over cells is nowhere


def test_a_policy_without_a_cell_says_why(regret):
    fig = regret_dots_chart(regret[regret["ood"] == "far"], "5.0")
    assert "Highest ICC" not in named(fig)
    assert any("needs two draws" in note.text for note in fig.layout.annotations)


def test_losses_without_any_interval(regret):
    rows = regret[regret["ood"] == "near"].assign(regret_lo=np.nan, regret_hi=np.nan)
    fig = regret_dots_chart(rows, "5.0")
    low, high = fig.layout.xaxis.range
    assert low <= 0 < rows["regret"].max() < high
    assert all(trace.error_x.array is None for trace in fig.data)


def test_unknown_policy(regret):
    with pytest.raises(FigureDataError, match="must be one of"):
        regret_dots_chart(regret.assign(policy="luck"), "5.0")


def test_grid_has_a_row_per_set_and_the_mean(regret, theme):
    fig = regret_grid_chart(regret, SETS, "5.0", theme, "far")
    heat, clicks = fig.data
    assert len(heat.z) == 3 and len(heat.z[0]) == 6
    np.testing.assert_allclose(heat.z[0], np.arange(6) / 50)
    assert heat.z[1][3] is None or np.isnan(heat.z[1][3])
    assert clicks.meta == CLICK_LAYER and clicks.customdata == tuple(np.repeat([0, 1, 2], 6))
    texts = [note.text for note in fig.layout.annotations]
    assert "<b>0.020</b><br>[0.000, 0.040]" in texts and "n/a" in texts
    assert list(fig.layout.yaxis.ticktext)[:2] == SETS and "Mean" in fig.layout.yaxis.ticktext[2]
    (frame,) = fig.layout.shapes
    assert (frame.y0, frame.y1) == (0.5, 1.5)
    assert any("needs two draws" in text for text in clicks.hovertext)


@pytest.mark.parametrize("change", [lambda fig: fig, to_grey])
def test_text_stands_out_on_every_cell(regret, contrast, change):
    from plotly.colors import sample_colorscale, unlabel_rgb

    fig = change(regret_grid_chart(regret.assign(regret=np.linspace(0, 0.4, len(regret))), SETS, "5.0"))
    axis = fig.layout.coloraxis
    scale = [list(stop) for stop in axis.colorscale]
    values = np.array(fig.data[0].z, dtype=float).ravel()
    for value, note in zip(values, fig.layout.annotations, strict=False):
        share = min(1, (value - axis.cmin) / (axis.cmax - axis.cmin))
        rgb = [round(part) for part in unlabel_rgb(sample_colorscale(scale, [share])[0])]
        assert contrast("#{:02X}{:02X}{:02X}".format(*rgb), note.font.color) >= 4.4


def test_ablation_says_mean_and_spread(ablation, theme):
    fig = ablation_grid_chart(ablation, theme)
    assert list(fig.layout.yaxis.ticktext) == [
        *("1 level, λ − 0.5", "1 level", "1 level, λ + 0.5"),
        *("2 levels, λ − 0.5", "2 levels", "2 levels, λ + 0.5"),
    ]
    texts = [note.text for note in fig.layout.annotations]
    assert texts[:2] == ["0.660 ± 0.010", "0.940 ± 0.010"]
    assert "<b>All 29 taps</b>" in texts and "<b>Decoder tap</b>" in texts
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (0, 1)


def test_ablation_with_one_draw_has_no_spread(ablation):
    fig = ablation_grid_chart(ablation.assign(sd=np.nan, draws=1))
    assert fig.layout.annotations[0].text == "0.660"


@pytest.fixture
def proxies() -> pd.DataFrame:
    return pd.DataFrame(
        {"proxy": ["blur", "mix"], "predicted": [0.7, 0.8], "auroc": [0.75, 0.85], "lo": [0.7, 0.8], "hi": [0.8, 0.9]}
    )


def test_left_out_proxies_are_open_and_say_so(proxies, theme):
    fig = proxy_dots_chart(proxies, ["blur"], theme)
    assert named(fig)["left out"].x == (0.75,) and named(fig)["left out"].marker.symbol == "circle-open"
    assert named(fig)["measured, 95 % interval"].x == (0.85,)
    assert named(fig)["predicted (13)"].x == (0.7, 0.8)
    assert fig.layout.annotations[0].text.endswith("left out") and "left out" not in fig.layout.annotations[1].text
    assert "left out" not in named(proxy_dots_chart(proxies))


def test_tables_without_the_columns(cells, regret, ablation, proxies):
    for make in (
        lambda: proxy_scatter_chart(cells.drop(columns="predicted"), TAPS, {}),
        lambda: regret_dots_chart(regret.drop(columns="note"), "5.0"),
        lambda: regret_grid_chart(regret.drop(columns="regret"), SETS, "5.0"),
        lambda: ablation_grid_chart(ablation.drop(columns="sd")),
        lambda: proxy_dots_chart(proxies.drop(columns="lo")),
    ):
        with pytest.raises(FigureDataError, match="lacks the columns"):
            make()


def test_for_print(regret, ablation):
    for fig in (regret_grid_chart(regret, SETS, "5.0", "dark"), ablation_grid_chart(ablation, "dark")):
        printed = to_publication(fig, "174mm")
        assert CLICK_LAYER not in {trace.meta for trace in printed.data}
        assert not [trace for trace in printed.data if trace.type == "heatmap"]
    if has_browser():
        assert b"<svg" in export_bytes(regret_grid_chart(regret, SETS, "5.0"), "svg", width="174mm")[:400]
