"""The separation page's figures hold the tables' numbers and say of what."""

import numpy as np
import pytest
from figure_steps import assert_whole, make, trace

from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.separation import KINDS


@pytest.fixture(scope="module")
def cells(digits):
    table = digits.table("separation")
    return table[table["ood"] == "letters"].reset_index(drop=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert_whole(figure, "digits-letters-")
    assert "OOD: letters; n = 421 ID, 250 OOD" in figure.caption
    whole_map = kind in ("separation-predicted", "separation-share", "separation-taps")
    assert whole_map or ("up1.res2 @ λ 5.0" in figure.caption and "-cell80-" in figure.stem)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    with pytest.raises(NotMeasuredError, match=r"without the stage Separation\. `cfs-explore diagnose .*separation`"):
        make(kind, bare, choose(bare))


@pytest.fixture(scope="module")
def chosen(cells, letters):
    return cells.iloc[letters.cell]


@pytest.fixture(scope="module")
def contributions(digits, letters):
    """c_j of the chosen cell by formula (10), written out; (2C,), means before standard deviations."""
    level, tap = divmod(letters.cell, len(digits.taps))
    start = sum(2 * each.channels for each in digits.taps[:tap])
    columns = slice(start, start + 2 * digits.taps[tap].channels)
    moments = [digits.moments(*which) for which in (("id_train",), ("id_test",), ("ood", "letters"))]
    means = [each.mean[level, columns] for each in moments]
    variances = [each.m2[level, columns] / each.count for each in moments]
    shift = (means[2] - means[0]) ** 2 - (means[1] - means[0]) ** 2
    return (shift + variances[2] - variances[1]) / variances[0] / len(shift)


def test_predicted_has_a_point_per_cell_where_the_table_says(digits, letters, cells, chosen):
    figure = make("separation-predicted", digits, letters)
    points = {
        int(index): (x, y)
        for each in figure.chart.data
        if each.customdata is not None
        for index, x, y in zip(each.customdata, each.x, each.y, strict=True)
    }
    expected = zip(cells["predicted"], cells["auroc"], strict=True)
    assert points == dict(enumerate(expected)) and len(points) == 29 * 8
    assert (*trace(figure, "Chosen cell").x, *trace(figure, "Chosen cell").y) == (chosen["predicted"], chosen["auroc"])
    inside = cells["predicted"].between(cells["lo"], cells["hi"]).mean()
    assert f"in {100 * inside:.0f} % of the cells" in figure.caption


def test_parts_are_those_of_the_cell(digits, letters, chosen):
    figure = make("separation-parts", digits, letters)
    names = ["mean_shift", "variance_change", "delta"]
    assert [each.x[0] for each in figure.chart.data] == [chosen[name] for name in names]
    assert figure.rows[names].iloc[0].tolist() == [chosen[name] for name in names]


def test_share_map_is_the_mean_shifts_part(digits, letters, cells):
    figure = make("separation-share", digits, letters)
    share = cells["mean_shift"].abs() / (cells["mean_shift"].abs() + cells["variance_change"].abs())
    heat = [value for row in figure.chart.data[0].z for value in row if value is not None and np.isfinite(value)]
    np.testing.assert_allclose(heat, share, rtol=1e-12)
    outlined = {shape.name for shape in figure.chart.layout.shapes if shape.name}
    assert outlined == {f"selected {letters.cell}"}


def test_taps_are_those_of_the_cells_level(digits, letters, cells):
    figure = make("separation-taps", digits, letters)
    level = cells[cells["level"] == letters.cell // 29]
    scale = np.sqrt(level["var_id"] + level["var_ood"])
    for name, column in (
        ("Mean shift", "mean_shift"),
        ("Variance change", "variance_change"),
        ("Δ, their sum", "delta"),
    ):
        np.testing.assert_allclose(trace(figure, name).y, level[column] / scale, rtol=1e-12)
    assert len(figure.rows) == 29


def test_channels_add_what_formula_10_says(digits, letters, contributions):
    figure = make("separation-channels", digits, letters)
    half = len(contributions) // 2
    np.testing.assert_allclose(trace(figure, "Channel means").y, contributions[:half], atol=1e-12)
    np.testing.assert_allclose(trace(figure, "Channel standard deviations").y, contributions[half:], atol=1e-12)
    assert figure.rows["contribution"].is_monotonic_decreasing


def test_sparsity_accumulates_the_sorted_contributions(digits, letters, contributions, chosen):
    figure = make("separation-sparsity", digits, letters)
    size = np.sort(np.abs(contributions))[::-1]
    np.testing.assert_allclose(trace(figure, "Measured").y, np.cumsum(size) / size.sum(), rtol=1e-9)
    assert f"Participation ratio {chosen['participation_ratio']:.1f}" in figure.caption


@pytest.mark.parametrize(
    ("kind", "table"), [("separation-top-channels", "top_channels"), ("separation-heads", "cell_heads")]
)
def test_kept_cells_show_their_rows(kind, table, digits, letters):
    level, tap = divmod(letters.cell, len(digits.taps))
    rows = digits.table(table)
    rows = rows[(rows["ood"] == "letters") & (rows["level"] == level) & (rows["tap"] == digits.taps[tap].name)]
    figure = make(kind, digits, letters)
    drawn = [y for each in figure.chart.data for y in (each.y if kind.endswith("channels") else each.x)]
    assert set(rows["auroc"]) <= set(drawn) and len(rows)
    assert figure.rows["auroc"].tolist() == rows["auroc"].tolist()


def test_a_cell_whose_snapshots_were_not_kept_has_no_heads(digits):
    with pytest.raises(NotMeasuredError, match="needs the cell's snapshots, which were not kept"):
        make("separation-heads", digits, choose(digits, ood="letters", lam=digits.levels[0].lam, tap="conv_in"))
