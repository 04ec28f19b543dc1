"""The stability page's figures hold the tables' and scores' numbers and say of what."""

import numpy as np
import pytest
from changed_run import with_columns
from figure_steps import assert_whole, make

from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.stability import KINDS, SHARED
from cfs_explore.store import Run
from cfs_explore.wording import format_digits, format_estimate, format_value

#: Beside the defaults: another tap and another OOD set.
TAP, OOD = "mid_block.resnets.0", "letters"


@pytest.fixture(scope="module")
def others(digits):
    return choose(digits, ood=OOD, tap=TAP)


def trace(figure, ending):
    return next(each for each in figure.chart.data if each.name and each.name.endswith(ending))


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, others):
    figure = make(kind, digits, others)
    assert_whole(figure)
    assert "mid.res0" in figure.alt or kind == "stability-reuse"  # which is of the whole network
    sizes = {
        "stability-survival": "n = 421 ID-test images, 5 noise draws",
        "stability-sharing": "n = 64 ID-test images, first noise draw; 95 % band",
        "stability-reuse": "saves 28 % of a forward; n = 64 ID-test images, first noise draw",
        "stability-auroc": "mid.res0; OOD: letters; n = 421 ID, 250 OOD; scores averaged over 5 noise draws",
    }
    assert sizes.get(kind, "n = 128 ID-test images") in figure.caption


def test_survival_is_the_tables_icc(digits, others):
    figure = make("stability-survival", digits, others)
    table = digits.table("stability").query("role == 'id_test' and tap == @TAP")
    line = trace(figure, ", chosen")
    assert line.y == pytest.approx(table["icc_features"].tolist())
    assert line.x == pytest.approx([level.lam for level in digits.levels])
    row = table.iloc[0]
    assert format_estimate(row["icc_features"], row["icc_features_lo"], row["icc_features_hi"]) in figure.alt
    assert len(figure.rows) == len(digits.taps) * len(digits.levels)


def test_survival_of_another_measure(digits):
    figure = make("stability-survival", digits, choose(digits, tap=TAP, options={"measure": "spearman"}))
    table = digits.table("stability").query("role == 'id_test' and tap == @TAP")
    assert trace(figure, ", chosen").y == pytest.approx(table["spearman"].tolist())
    assert figure.caption.startswith("Mean Spearman correlation between draws;")
    assert figure.stem == "digits-stability-spearman"


def test_auroc_is_the_maps_and_its_bars_are_the_single_draws(digits, others):
    figure = make("stability-auroc", digits, others)
    cells = digits.auroc_map(OOD).query("tap == @TAP")
    assert trace(figure, "mean over draws").y == pytest.approx(cells["auroc"].tolist(), abs=1e-6)
    assert figure.rows[["lo", "hi"]].to_numpy() == pytest.approx(cells[["lo", "hi"]].to_numpy(), abs=1e-6)
    level, position = 5, [tap.name for tap in digits.taps].index(TAP)
    of_id, of_ood = (digits.scores(*which)[:, :, level, position] for which in (("id_test",), ("ood", OOD)))
    single = [
        np.mean(ood[:, None] > own) + 0.5 * np.mean(ood[:, None] == own)
        for own, ood in zip(of_id.T, of_ood.T, strict=True)
    ]
    bars = trace(figure, "lowest to highest")
    assert bars.y[level] - bars.error_y.array[level] == pytest.approx(min(single))
    assert bars.y[level] + bars.error_y.array[level] == pytest.approx(max(single))
    flat = figure.rows["auroc"] >= figure.rows["auroc"].max() - 0.01
    assert figure.rows["on_plateau"].tolist() == flat.tolist()  # no gap in this curve's plateau


def test_local_law_is_of_the_chosen_tap_and_the_published_pair(digits, others):
    figure = make("stability-law", digits, others)
    table = digits.table("local_law")
    names = {", chosen": TAP, "CFS encoder": "down_blocks.1.resnets.1", "CFS decoder": "up_blocks.1.resnets.2"}
    for ending, tap in names.items():
        rows = table[table["tap"] == tap]
        assert trace(figure, ending).y == pytest.approx(rows["within"].tolist())
        assert trace(figure, ending).x == pytest.approx(rows["b_over_a"].tolist())
    assert set(figure.rows["tap"]) == set(names.values())


def test_drift_is_the_tables_by_cause(digits, others):
    figure = make("stability-drift", digits, others)
    table = digits.table("drift").query("tap == @TAP and drift > 0")
    for name, cause in (("Only the noise changes", "noise"), ("Only the conditioning changes", "conditioning")):
        assert trace(figure, name).y == pytest.approx(table[table["cause"] == cause]["drift"].tolist())


def test_the_images_own_drift(digits):
    figure = make("stability-drift", digits, choose(digits, tap=TAP, options={"part": "own"}))
    table = digits.table("drift").query("tap == @TAP and cause == 'both' and own > 0")
    assert trace(figure, "Both, as in the map").y == pytest.approx(table["own"].tolist())


def test_radius_has_every_taps_slope(digits, others):
    figure = make("stability-radius", digits, others)
    slopes = digits.table("local_law").groupby("tap_index")["slope"].first()
    shown = {index: y for each in figure.chart.data[::2] for index, y in zip(each.customdata, each.y, strict=True)}
    assert shown == pytest.approx(slopes.to_dict())


@pytest.mark.parametrize("measure", SHARED)
def test_sharing_is_the_tables_of_neighbouring_levels(measure, digits):
    figure = make("stability-sharing", digits, choose(digits, tap=TAP, options={"stability_sharing": measure}))
    rows = digits.table("sharing").query("tap == @TAP and other_level == level + 1")
    line = trace(figure, ", chosen")
    assert line.y == pytest.approx(rows[measure].tolist()) and line.x == pytest.approx(rows["lam"].tolist())
    assert len(figure.rows) == len(digits.taps) * (len(digits.levels) - 1)
    assert ("95 % band" in figure.caption) == (f"{measure}_lo" in rows)
    most = rows.loc[rows[measure].idxmax() if measure == "delta_rel" else rows[measure].idxmin()]
    assert f"between λ {format_value(most['lam'], 1)} and {format_value(most['other_lam'], 1)}, with " in figure.alt
    assert not figure.chart.layout.shapes  # no line of what counts as stable


@pytest.mark.parametrize("pairs", ["2", "7", "cleanest"])
def test_sharing_of_levels_that_are_no_neighbours(pairs, digits):
    options = {"stability_sharing": "cka", "stability_pairs": pairs}
    figure = make("stability-sharing", digits, choose(digits, tap=TAP, options=options))
    rows = digits.table("sharing").query("tap == @TAP")
    if pairs == "cleanest":
        rows, at, said = rows[rows["level"] == 0], "other_lam", "the cleanest against each noisier level"
    else:
        rows, at = rows[rows["other_level"] - rows["level"] == int(pairs)], "lam"
        said = f"each level against the one {pairs} levels noisier"
    line = trace(figure, ", chosen")
    assert line.y == pytest.approx(rows["cka"].tolist()) and line.x == pytest.approx(rows[at].tolist())
    assert said in figure.caption and said in figure.alt


def test_the_interval_of_cka_is_drawn(digits):
    limited = with_columns(digits, "sharing", cka_lo=0.1, cka_hi=1.0)
    figure = make("stability-sharing", limited, choose(digits, tap=TAP, options={"stability_sharing": "cka"}))
    assert "95 % band over images (chosen tap)" in figure.caption and set(figure.rows["lo"]) == {0.1}


def test_reuse_is_the_tables_grid(digits):
    figure = make("stability-reuse", digits, choose(digits))
    table, grid = digits.table("reuse"), figure.chart.data[0].z
    for row in table.itertuples():
        shown = grid[row.encoder_level][row.level]
        assert shown == pytest.approx(np.log10(np.clip(row.error, 1e-3, 1)))
    assert all(grid[k][k] is None for k in range(len(digits.levels)))
    neighbours = table[(table["level"] - table["encoder_level"]).abs() == 1]["error"]
    assert f"from {format_digits(neighbours.min(), 2)} (" in figure.alt
    assert f"to {format_digits(neighbours.max(), 2)} (" in figure.alt


def test_one_draw_says_what_to_run(digits, others):
    single = Run(digits.path, digits.manifest.model_copy(update={"draws": 1}))
    with pytest.raises(NotMeasuredError, match="`draws: 5` in its spec"):
        make("stability-survival", single, others)


@pytest.mark.parametrize(
    ("kind", "table", "columns", "why"),
    [
        ("stability-survival", "stability", {"icc_features": np.nan}, "no reliability"),
        ("stability-law", "local_law", {"within": 0.0}, "does not respond to the noise"),
        ("stability-drift", "drift", {"drift": 0.0}, "no drift"),
        ("stability-radius", "local_law", {"slope": np.nan}, "no slope and no radius"),
        ("stability-sharing", "sharing", {"cosine": np.nan}, "nothing to compare"),
        ("stability-reuse", "reuse", {"error": np.nan, "note": "Told by its encoder."}, "Told by its encoder"),
        ("stability-reuse", "reuse", {"error": np.nan}, "estimates are all 0"),
    ],
)
def test_what_cannot_be_shown_says_why(kind, table, columns, why, digits, others):
    with pytest.raises(NotMeasuredError, match=why):
        make(kind, with_columns(digits, table, **columns), others)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    if kind == "stability-auroc":  # from the scores, which every run has
        assert len(make(kind, bare, choose(bare)).rows) == len(bare.levels)
        return
    stage = "sharing" if kind in ("stability-sharing", "stability-reuse") else "stability"
    says = rf"without the stage {stage.title()}\. `cfs-explore diagnose .*{stage}`"
    with pytest.raises(NotMeasuredError, match=says):
        make(kind, bare, choose(bare))
