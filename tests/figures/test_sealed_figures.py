"""Figures and sentences of a seal: of a bundle, which was sealed too late, and as if it had been sealed in time."""

import numpy as np
import pytest
from figure_steps import assert_follows_theme, assert_whole, make
from judged_run import judged
from scipy.stats import spearmanr

from cfs_explore.figures import sealed
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.store.seal import read_seal
from cfs_explore.ui.sidebar import escape


def test_the_sealed_map_has_every_cell_and_the_chosen_one(digits, letters):
    figure, seal = make("prediction-seal", digits, letters), read_seal(digits.path)
    assert_whole(figure)
    assert_follows_theme("prediction-seal", digits, letters)
    assert figure.rows["auroc"].tolist() == seal.predicted and figure.rows["rank"].min() == 1
    assert figure.rows["auroc"].iloc[seal.chosen.cell] == max(seal.predicted)
    assert (figure.rows["lowest"] <= figure.rows["auroc"]).all() and seal.digest in figure.caption


def test_the_seal_is_that_of_the_stored_proxies(digits):
    """What the stage measured of ID-train, without a forward."""
    table = digits.table("proxies").groupby(["level", "tap_index"])["predicted"].mean()
    assert read_seal(digits.path).predicted == pytest.approx(table.to_numpy())


def test_a_bundle_says_that_its_seal_judges_later_sets(digits, letters):
    assert "judges what is uploaded against it from now on" in sealed.headline(digits)
    assert sealed.headline(digits, escape).count("The seal") == 0  # one sentence for all sets, as the page has it
    with pytest.raises(NotMeasuredError, match="is later than the measurement of"):
        make("prediction-sealed", digits, letters)
    text = sealed.as_text(digits)
    assert text.count("refused. The seal (") == len(digits.ood_names)


def test_a_seal_in_time_loses_what_the_policy_of_proxies_loses(digits, letters):
    """Without sets made like a proxy, the sealed choice is that of the unsealed hold-out."""
    run = judged(digits)
    figure = make("prediction-sealed", run, letters)
    assert_whole(figure)
    rows, regret = figure.rows, digits.table("regret")
    for ood in digits.ood_names:
        proxy = regret[(regret["ood"] == ood) & (regret["policy"] == "proxy")].iloc[0]
        found = rows[(rows["ood"] == ood) & (rows["policy"] == "sealed")].iloc[0]
        assert found[["auroc", "regret"]].tolist() == pytest.approx(proxy[["auroc", "regret"]].tolist())
    ranking = run.table("sealed_ranking").set_index("ood")
    measured = digits.auroc_map("letters").sort_values(["level", "tap_index"])["auroc"].to_numpy()
    truth = spearmanr(read_seal(digits.path).predicted, measured).statistic
    assert ranking.loc["letters", "spearman"] == pytest.approx(truth)
    assert f": {ranking.loc['', 'verdict']}" in figure.caption
    assert "measured after it, it is" in sealed.headline(run)


def test_explorations_are_averaged_over_sets_and_each_other(digits):
    run = judged(digits)
    table = sealed.over_runs([run, run]).set_index("policy")
    means = run.table("sealed_choice").query("ood == ''").set_index("policy")
    assert table["gain_runs"].to_dict() == pytest.approx(means["gain"].to_dict())
    assert (table["n_runs"] == 1).all() and (table["n_sets"] == len(digits.ood_names)).all()
    assert np.isnan(table["runs_lo"]).all() and sealed.over_runs([]).empty
