"""The map page's figures hold the tables' numbers and say of what."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cfs_explore.charts.map_marks import OPEN_CELL_COLOUR
from cfs_explore.figures.choices import METRICS, choose
from cfs_explore.figures.map import KINDS
from cfs_explore.wording import format_estimate


@pytest.fixture(scope="module")
def letters(digits):
    return choose(digits, ood="letters")


@pytest.fixture(scope="module")
def cell(digits, letters):
    """The chosen cell's scores of ID and OOD images, mean over draws."""
    level, tap = divmod(letters.cell, len(digits.taps))
    return [digits.scores(*which)[:, :, level, tap].mean(axis=1) for which in (("id_test",), ("ood", "letters"))]


def make(kind, run, choices):
    return KINDS[kind].make(run, choices, "light")


def heat(trace):
    """A map's values by level, then tap, without the gaps between regions."""
    return [value for row in trace.z for value in row if value is not None and np.isfinite(value)]


def share_above(id_scores, ood_scores):
    """AUROC by counting pairs."""
    above = ood_scores[:, None] > id_scores
    return (above + 0.5 * (ood_scores[:, None] == id_scores)).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert len(figure.rows) and figure.alt
    assert not re.search(r"\s", figure.stem)
    if kind == "map-sets":
        assert figure.stem == "digits-all-auroc" and "8 OOD sets" in figure.caption
    else:
        assert figure.stem.startswith("digits-letters-") and "OOD: letters" in figure.caption
    assert "n = 421 ID, 250 OOD" in figure.caption
    assert kind not in ("map-histogram", "map-roc") or "cell up1.res2 @ λ 5.0" in figure.caption


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_alone_is_enough(kind, bare):
    figure = make(kind, bare, choose(bare))
    assert len(figure.rows) and figure.stem.startswith("bare-")


@pytest.mark.parametrize("metric", METRICS)
def test_heatmap_has_the_tables_values_and_outlines(metric, digits, letters):
    figure = make("map-heatmap", digits, replace(letters, metric=metric, cell=41, cells=(80, 72)))
    table = digits.table("auroc_map")
    table = table[table["ood"] == "letters"].sort_values(["level", "tap_index"])
    np.testing.assert_array_equal(heat(figure.chart.data[0]), table[metric])
    assert figure.rows[metric].tolist() == table[metric].tolist()
    assert "OOD: letters" in figure.caption and METRICS[metric] in figure.caption
    layer = figure.chart.data[-1]
    shapes = {shape.name: shape for shape in figure.chart.layout.shapes if shape.name}
    assert set(shapes) == {"open cell", "selected 80", "selected 72"}
    for name, index in (("open cell", 41), ("selected 80", 80), ("selected 72", 72)):
        place = layer.customdata.index(index)
        middle = [(shapes[name][f"{axis}0"] + shapes[name][f"{axis}1"]) / 2 for axis in "xy"]
        assert middle == [layer.x[place], layer.y[place]]
    assert shapes["open cell"].line.color == OPEN_CELL_COLOUR


def test_sets_has_a_map_and_the_honest_best_of_every_set(digits, letters):
    figure = make("map-sets", digits, letters)
    table, best = digits.table("auroc_map"), digits.table("best_cell").set_index("ood")
    maps = [trace for trace in figure.chart.data if trace.type == "heatmap"]
    assert len(maps) == len(digits.ood_names)
    for ood, trace in zip(digits.ood_names, maps, strict=True):
        np.testing.assert_array_equal(heat(trace), table.loc[table["ood"] == ood, "auroc"])
        row = best.loc[ood]
        assert f"best {format_estimate(row.honest, row.honest_lo, row.honest_hi)}" in [
            note.text for note in figure.chart.layout.annotations
        ]
    assert len(figure.rows) == len(table)


def test_the_composed_detector_averages_its_cells(digits, letters):
    cells = (50, 137, 200)
    figure = make("map-detectors", digits, replace(letters, cells=cells))
    sides = [
        np.mean([digits.scores(*which).mean(axis=1)[:, index // 29, index % 29] for index in cells], axis=0)
        for which in (("id_test",), ("ood", "letters"))
    ]
    drawn = {trace.name: trace.x[0] for trace in figure.chart.data}
    assert drawn["Composed: 3 cells"] == pytest.approx(share_above(*sides), abs=1e-6)
    presets = digits.table("detectors").set_index(["ood", "name"])["auroc"]
    best = digits.table("best_cell").set_index("ood").loc["letters"]
    assert drawn["CFS(1x2)"] == presets["letters", "CFS(1x2)"]
    assert drawn["CFS-dec(1x1)"] == presets["letters", "CFS-dec(1x1)"]
    assert (drawn["Best cell, honest"], drawn["Best cell, naive"]) == (best["honest"], best["naive"])
    leads = digits.table("leads").query("ood == 'letters'")
    rival = leads.loc[leads["lead"].idxmax(), "detector"]
    (name,) = (name for name in drawn if name.startswith("Best rival: "))
    rows = digits.table("falsifier").query("ood == 'letters' and network == 'trained'").set_index("detector")
    assert drawn[name] == rows.loc[rival, "auroc"] and len(drawn) == 6


def test_other_detectors_stand_beside_the_composed_one(digits, letters):
    chosen = replace(letters, options={"map_detectors": "Diffusion NLL,Ledoit-Wolf Mahalanobis head"})
    drawn = {trace.name: trace.x[0] for trace in make("map-detectors", digits, chosen).chart.data}
    rows = digits.table("falsifier").query("ood == 'letters' and network == 'trained'").set_index("detector")
    for name, title in (("nll", "Diffusion NLL"), ("head_ledoit_wolf", "Ledoit-Wolf Mahalanobis head")):
        assert drawn[f"{title}, n = 64 + 64"] == rows.loc[name, "auroc"]
    assert not [name for name in drawn if name.startswith("Best rival")]


def test_histogram_counts_every_image_of_both_sets(digits, letters, cell):
    figure = make("map-histogram", digits, letters)
    edges = [*figure.rows["left"], figure.rows["right"].iloc[-1]]
    for name, scores in zip(("id", "ood"), cell, strict=True):
        counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
        assert np.abs(figure.rows[f"{name}_count"] - counts).sum() <= 2  # float32 rounding at an edge
        assert figure.rows[f"{name}_count"].sum() == len(scores)
    assert [trace.name for trace in figure.chart.data] == ["ID", "OOD"]
    assert set(figure.rows["id"]) <= set(figure.chart.data[0].y)


def test_roc_is_the_cells(digits, letters, cell):
    figure = make("map-roc", digits, letters)
    curve = figure.chart.data[0]
    area = np.trapezoid(curve.y, curve.x)
    assert area == pytest.approx(share_above(*cell), abs=1e-6)
    assert area == pytest.approx(digits.auroc_map("letters")["auroc"].iloc[letters.cell], abs=1e-6)
    assert f"{area:.3f}" in figure.alt
