"""The prediction page's figures hold the tables' numbers and say of what."""

import numpy as np
import pytest
from changed_run import changed
from figure_steps import assert_follows_theme, assert_whole, make, trace
from scipy.stats import norm, spearmanr

from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.prediction import KINDS as EVERY
from cfs_explore.figures.sealed import KINDS as SEALED

#: Those of a seal: test_sealed_figures.
KINDS = {kind: EVERY[kind] for kind in EVERY if kind not in SEALED}

#: Kind -> what its caption says of n and the OOD set; the proxies are of ID images alone.
SAID = {
    "prediction-ranking": "OOD: letters, n = 421 ID, 250 OOD",
    "prediction-losses": "OOD: letters, n = 421 ID, 250 OOD",
    "prediction-losses-all": "n = 421 ID, 250 OOD",
    "prediction-proxies": "n = 250 each",
    "prediction-ablation": "OOD: letters; n = 250 ID, 250 OOD",
}


def of_letters(run, name):
    table = run.table(name)
    return table[table["ood"] == "letters"].reset_index(drop=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert_whole(figure)
    assert SAID[kind] in figure.caption and "Click" not in figure.caption
    assert_follows_theme(kind, digits, letters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    title = "Ablation" if kind == "prediction-ablation" else "Prediction"
    with pytest.raises(NotMeasuredError, match=rf"without the stage {title}\. `cfs-explore diagnose"):
        make(kind, bare, choose(bare))


def test_the_ranking_has_every_cell_and_the_correlation_of_all(digits, letters):
    figure, cells = make("prediction-ranking", digits, letters), of_letters(digits, "prediction")
    found = {}
    for each in figure.chart.data:
        if each.customdata is not None:
            found |= dict(zip(each.customdata, zip(each.x, each.y, strict=True), strict=True))
    measured = digits.auroc_map("letters").sort_values(["level", "tap_index"])["auroc"].to_numpy()
    assert sorted(found) == list(range(len(cells)))
    assert np.allclose([found[i] for i in range(len(cells))], np.c_[cells["predicted"], measured])
    assert f"Spearman {spearmanr(cells['predicted'], measured).statistic:.3f} [" in figure.caption
    assert trace(figure, "Best cell").y[0] == pytest.approx(measured.max())
    assert trace(figure, "Proxies choose").x[0] == pytest.approx(cells["predicted"].max())
    assert trace(figure, "Open cell").y[0] == pytest.approx(measured[letters.cell])


def test_a_set_made_like_every_proxy_cannot_be_ranked(digits, letters):
    other = changed(digits, "prediction", lambda table: table.assign(predicted=np.nan, left_out="blur, noise"))
    with pytest.raises(NotMeasuredError, match=r"Every kind of proxy is left out for this set.*: blur, noise"):
        make("prediction-ranking", other, letters)


def test_losses_are_the_best_cell_minus_the_chosen_one(digits, letters):
    figure, losses = make("prediction-losses", digits, letters), of_letters(digits, "regret")
    cells = digits.auroc_map("letters").set_index(["level", "tap"])["auroc"]
    lost = [cells.max() - cells.get((row.level, row.tap), row.auroc) for row in losses.itertuples()]
    assert [each.x[0] for each in figure.chart.data] == pytest.approx(lost)
    assert f"{cells.max():.3f}, the largest of {len(cells)} cells" in figure.caption


def test_the_last_row_of_all_sets_is_their_mean(digits, letters):
    figure = make("prediction-losses-all", digits, letters)
    values = np.array(figure.chart.data[0].z, float)
    losses = of_letters(digits, "regret")["regret"].to_numpy()
    assert values[digits.ood_names.index("letters")] == pytest.approx(losses)
    assert values[-1] == pytest.approx(values[:-1].mean(axis=0))
    assert set(figure.rows["ood"]) == {*digits.ood_names, "mean of the sets"}


def test_proxies_are_those_of_the_chosen_cell(digits, letters):
    figure, (level, tap) = make("prediction-proxies", digits, letters), divmod(letters.cell, len(digits.taps))
    table = digits.table("proxies")
    rows = table[(table["level"] == level) & (table["tap"] == digits.taps[tap].name)]
    predicted = norm.cdf(rows["delta"] / np.sqrt(rows["var_id"] + rows["var_proxy"]))
    assert trace(figure, "predicted (13)").x == pytest.approx(predicted)
    assert trace(figure, "measured, 95 % interval").x == pytest.approx(rows["auroc"])


def test_kinds_left_out_are_drawn_open(digits, letters):
    other = changed(digits, "prediction", lambda table: table.assign(left_out="blur, noise"))
    figure = make("prediction-proxies", other, letters)
    drawn = len(trace(figure, "measured, 95 % interval").x)
    assert len(trace(figure, "left out").x) == 2 and drawn == len(figure.rows) - 2


def test_the_ablation_has_a_row_per_levels_and_shift(digits, letters):
    figure, rows = make("prediction-ablation", digits, letters), of_letters(digits, "ablation")
    expected = rows.pivot(index=["levels", "shift"], columns="taps", values="auroc").sort_index()
    assert np.allclose(figure.chart.data[0].z, expected[["decoder", "encoder", "pair", "four", "all"]])
