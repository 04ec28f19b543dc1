"""The figures of the page Where hold the tables' numbers and say of what."""

import numpy as np
import pytest
from changed_run import changed, with_columns
from figure_steps import assert_follows_theme, assert_whole, make

from cfs_explore.charts.localisation import CORNERS
from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.where import KINDS, corner_counts
from cfs_explore.wording import format_estimate

OOD = "photo patches"
OTHER = {"where_map_of": "deviation", "where_measure": "aupro"}


@pytest.fixture(scope="module")
def choices(digits):
    return choose(digits, ood=OOD)


@pytest.fixture(scope="module")
def cells(digits):
    return digits.table("localisation").query("ood == @OOD and part == 'score' and network == 'trained'")


def shown(heatmap) -> np.ndarray:
    """Values of a map without the gaps between regions."""
    return np.array([[value for value in row if value is not None] for row in heatmap.z], dtype=float)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, choices):
    figure = make(kind, digits, choices)
    assert_whole(figure, "digits-photo-patches-where-score")
    assert_follows_theme(kind, digits, choices)
    told = "OOD: photo patches; n = 64 ID-test images, in each a patch of an OOD image at a random place, 6 pixels wide"
    share = "(14 % of the pixels), going on at the opposite edge"
    assert f"{told} {share}; first noise draw; 95 % intervals over images" in figure.caption


def test_the_map_is_the_tables_and_its_star_is_the_highest(digits, choices, cells):
    figure = make("where-map", digits, choices)
    shape = len(digits.levels), len(digits.taps)
    assert shown(figure.chart.data[0]) == pytest.approx(cells["auroc"].to_numpy().reshape(shape))
    best = cells.loc[cells["auroc"].idxmax()]
    layer = figure.chart.data[-1]
    index = layer.customdata.index(digits.cell_number(best["level"], best["tap_index"]))
    star = next(each for each in figure.chart.data if each.meta == "best cell")
    assert (star.x[0], star.y[0]) == (layer.x[index], layer.y[index])
    for name in ("auroc", "aupro", "detection"):
        ends = ("lo", "hi") if name == "auroc" else (f"{name}_lo", f"{name}_hi")
        assert format_estimate(best[name], *best[list(ends)]) in layer.hovertext[index]
    assert format_estimate(best["auroc"], best["lo"], best["hi"]) in figure.alt
    axis = figure.chart.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (0, 1) and "Pixel AUROC (chance 0.5)" in axis.colorbar.title.text


def test_another_part_and_measure(digits):
    figure = make("where-map", digits, choose(digits, ood=OOD, options=OTHER))
    rows = digits.table("localisation").query("ood == @OOD and part == 'deviation' and network == 'trained'")
    assert shown(figure.chart.data[0]).ravel() == pytest.approx(rows["aupro"].to_numpy())
    assert figure.caption.startswith("AUPRO of the local deviation") and "chance is 0.15" in figure.caption
    assert figure.stem == "digits-photo-patches-where-deviation-aupro"


def test_the_comparison_is_the_tables(digits, choices):
    figure = make("where-comparison", digits, choices)
    best = digits.table("localisation_best").query("ood == @OOD and part == 'score'").set_index("control")
    assert {each.name: each.x[0] for each in figure.chart.data} == pytest.approx(
        {
            "Best cell, trained": best["trained"].iloc[0],
            "Best cell, untrained copy": best.loc["untrained", "auroc"],
            "Input tap (depth 0)": best.loc["input tap", "auroc"],
            "Pixel z-scores, no network": best.loc["pixels", "auroc"],
        }
    )
    rows = figure.rows.set_index("name")
    assert rows.loc["Pixel z-scores, no network", "excess_lo"] == best.loc["pixels", "lo"]
    assert "Pixel AUROC" in figure.chart.layout.xaxis.title.text


def test_without_an_input_tap_the_comparison_says_so(digits, choices):
    run = changed(digits, "localisation_best", lambda table: table[table["control"] != "input tap"])
    figure = make("where-comparison", run, choices)
    assert figure.rows["note"].tolist()[2] == "not measured in this run" and len(figure.chart.data) == 3


@pytest.mark.parametrize("options", [{}, OTHER])
def test_the_scatter_has_every_cell_and_counts_the_corners(digits, options):
    figure = make("where-detection", digits, choose(digits, ood=OOD, options=options))
    measure = options.get("where_measure", "auroc")
    rows = digits.table("localisation").query("ood == @OOD and network == 'trained'")
    rows = rows[rows["part"] == options.get("where_map_of", "score")]
    marks = {(x, y) for each in figure.chart.data for x, y in zip(each.x, each.y, strict=True)}
    assert marks == set(zip(rows["detection"], rows[measure], strict=True))
    counts = corner_counts(rows, measure)
    assert counts["cells"] == len(rows) == sum(counts.values()) - counts["cells"]
    lo, chance = ("lo", 0.5) if measure == "auroc" else ("aupro_lo", 0.15)
    both = ((rows["detection_lo"] > 0.5) & (rows[lo] > chance)).sum()
    assert f"{both:,} of {len(rows):,} cells detect and localise beyond chance" in figure.caption
    assert "were there nothing to find, 6 or so would still be beyond chance on either axis" in figure.caption
    assert {each.text for each in figure.chart.layout.annotations} == {f"<i>{text}</i>" for text in CORNERS.values()}
    lines = {(shape.x0, shape.y0) for shape in figure.chart.layout.shapes}
    assert (0.5, 0) in lines and (0, chance) in lines
    hover = figure.chart.data[0].hovertext[0]
    assert "detection AUROC" in hover and "conv_in" in hover


def test_maps_of_one_position_are_left_blank_and_said(digits, choices):
    numbers = ["auroc", "lo", "hi", "aupro", "aupro_lo", "aupro_hi"]

    def flatten(table):
        table = table.copy()
        table.loc[table["tap_index"] == 3, numbers] = np.nan
        table.loc[table["tap_index"] == 3, "resolution"] = 1
        return table

    figure = make("where-map", changed(digits, "localisation", flatten), choices)
    assert "8 cells without a colour: maps of 1 × 1, with nothing to localise" in figure.caption
    texts = [text for text in figure.chart.data[-1].hovertext if "nothing to localise" in text]
    assert len(texts) == len(digits.levels)
    scatter = make("where-detection", changed(digits, "localisation", flatten), choices)
    assert sum(len(each.x) for each in scatter.chart.data) == len(digits.levels) * (len(digits.taps) - 1)
    with pytest.raises(NotMeasuredError, match="nothing to localise"):
        make("where-map", with_columns(digits, "localisation", auroc=np.nan), choices)


def test_masks_are_said(digits, choices):
    for name in ("localisation", "localisation_best"):
        run = with_columns(digits, name, truth="mask", side=0, n_ood=40)
        kind = "where-map" if name == "localisation" else "where-comparison"
        caption = make(kind, run, choices).caption
        assert "n = 40 OOD images with masks (14.1 % of the pixels)" in caption and "a patch" not in caption
    run = with_columns(digits, "localisation", truth="mask", side=0)
    assert "OOD images with masks against ID-test images" in make("where-detection", run, choices).caption
