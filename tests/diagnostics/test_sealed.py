"""Verdicts on a sealed ranking: known truths, a slow reference, and a simulated null."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr, t

from cfs_explore.diagnostics.regret import ALL_SETS, ANY_CELL
from cfs_explore.diagnostics.sealed import SEALED, chance, gain_table, over_sets, ranking_table

LEVELS, TAPS = 6, 8


def field(rng, smooth, levels=LEVELS, taps=TAPS):
    """A smooth map without edges of its own, (levels, taps), of mean 0 and spread 1."""
    part = gaussian_filter(rng.standard_normal((3 * levels, 3 * taps)), smooth)[levels : 2 * levels, taps : 2 * taps]
    return (part - part.mean()) / part.std()


def judged(rng, predicted, shifts, n_id=60, n_ood=30):
    """Both tables for normal scores whose shift in each cell and set is given, (sets, levels, taps)."""

    def scores(n, mean):
        return 0.7 * rng.standard_normal((mean.size, n)) + 0.7 * rng.standard_normal(n) + mean.reshape(-1, 1)

    id_rows = scores(n_id, np.zeros(predicted.size))
    oods = {f"set {s}": scores(n_ood, shift) for s, shift in enumerate(shifts)}
    choices = {SEALED: [int(predicted.argmax())] * len(oods), "random": [ANY_CELL] * len(oods)}
    gains = gain_table(id_rows, oods, choices, None)
    maps = np.broadcast_to(predicted.ravel(), (len(oods), predicted.size))
    return ranking_table(maps, id_rows, oods, len(predicted), gains, dict.fromkeys(oods), 0).set_index("ood"), gains


def test_chance_is_the_share_of_all_positions():
    """A slow reference: the map is mirrored, moved and compared one position after the other."""
    rng = np.random.default_rng(0)
    predicted, measured = (np.stack([field(rng, 1.0, 3, 4) for _ in range(2)]) for _ in range(2))
    found = []
    for k in range(6):
        for j in range(8):
            rhos = []
            for one, other in zip(predicted, measured, strict=True):
                endless = np.vstack([np.hstack([one, one[:, ::-1]]), np.hstack([one, one[:, ::-1]])[::-1]])
                window = np.roll(endless, (-k, -j), axis=(0, 1))[:3, :4]
                rhos.append(spearmanr(window.ravel(), other.ravel()).statistic)
            found.append(np.mean(rhos))
    above, below = chance(predicted, measured)
    assert above == pytest.approx(np.mean(np.array(found) >= found[0] - 1e-9))
    assert below == pytest.approx(np.mean(np.array(found) <= found[0] + 1e-9))


def test_a_true_prediction_is_confirmed_and_its_opposite_refuted():
    rng = np.random.default_rng(1)
    truth = field(rng, 1.0)
    for predicted, verdict in ((truth, "confirmed"), (-truth, "refuted")):
        table, _ = judged(rng, predicted, [1 + 0.6 * truth] * 4)
        assert table.loc[ALL_SETS, "verdict"] == verdict


def test_saturated_cells_are_no_evidence():
    rng = np.random.default_rng(2)
    table, gains = judged(rng, field(rng, 1.0), [np.full((LEVELS, TAPS), 50.0)] * 2)
    assert (table["verdict"] == "no evidence").all() and gains["saturated"].all()


def test_limits_for_other_sets_are_students():
    values = [0.1, 0.4, 0.3]
    half = t.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
    assert over_sets(values) == pytest.approx((np.mean(values) - half, np.mean(values) + half))
    assert np.isnan(over_sets([0.3])).all()


def test_a_policy_without_a_cell_has_no_gain():
    rng = np.random.default_rng(3)
    rows, oods = rng.standard_normal((4, 9)), {"a": rng.standard_normal((4, 7)), "b": rng.standard_normal((4, 7))}
    table = gain_table(rows, oods, {SEALED: [0, 0], "leave_one_out": ["there is none", 2]}, None)
    none = table[(table["policy"] == "leave_one_out") & (table["ood"] != "b")]
    assert none["gain"].isna().all()
    assert (table[table["policy"] == SEALED][["gain", "gain_lo", "gain_hi"]] == 0).all(axis=None)


@pytest.mark.simulation
@pytest.mark.parametrize("smooth", [1.0, 2.0, (2, 4)], ids=str)
@pytest.mark.parametrize("common", [0.0, 1.0])
def test_predictions_that_know_nothing_are_confirmed_in_a_twentieth_at_most(smooth, common, monkeypatch):
    """Smooth predictions beside equally smooth maps, of each set its own or of all sets the same."""
    monkeypatch.setattr("cfs_explore.diagnostics.sealed.SD_RESAMPLES", 4)
    rng, trials = np.random.default_rng(4), 150
    confirmed = 0
    for _ in range(trials):
        shared = field(rng, smooth)
        shifts = [1 + 0.5 * (shared if common else field(rng, smooth)) for _ in range(3)]
        confirmed += judged(rng, field(rng, smooth), shifts)[0].loc[ALL_SETS, "verdict"] == "confirmed"
    assert confirmed <= 13  # of 7.5 at 5 %, with two standard errors
