"""Regret of policies: 0 for the best cell, right sums and intervals, and what a policy must not look at."""

import numpy as np
import pytest

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import ScoreError, auroc, paired_auroc_difference
from cfs_explore.diagnostics.auroc_mean import mean_auroc, mean_over_sets
from cfs_explore.diagnostics.delong import placements
from cfs_explore.diagnostics.regret import ALL_SETS, ANY_CELL, leave_one_out, regret_table

LEVELS = [Level(lam, lam, 1.0, 0.1, 0.0) for lam in (5.0, 1.0)]
TAPS = [Tap(f"tap{t}", "decoder", t / 3, 8, 4) for t in range(3)]
STRENGTH = {"near": [0, 0.2, 0.5, 0.1, 0.3, 0], "far": [1, 2, 1, 0, 3, 1]}


def some_rows(seed=0, n_id=90, n_ood=70):
    rng = np.random.default_rng(seed)
    ood = {name: rng.normal(size=(6, n_ood)) + np.array(shift)[:, None] for name, shift in STRENGTH.items()}
    return rng.normal(size=(6, n_id)), ood


def table_of(rows, **choices):
    return regret_table(*rows, choices, LEVELS, TAPS).set_index(["ood", "policy"])


def test_the_best_cell_has_no_regret():
    id_rows, ood_rows = some_rows()
    best = [
        int(np.argmax([auroc(*pair).value for pair in zip(id_rows, ood, strict=True)])) for ood in ood_rows.values()
    ]
    table = table_of((id_rows, ood_rows), best=best)
    assert (table[["regret", "regret_lo", "regret_hi"]] == 0).all(axis=None)
    assert (table["auroc"] == table["best_auroc"]).loc[["near", "far"]].all()
    assert (table["tap"] == table["best_tap"]).loc[["near", "far"]].all()


def test_a_chosen_cell_against_the_paired_test():
    id_rows, ood_rows = some_rows()
    table = table_of((id_rows, ood_rows), fixed=[3, 3])
    for name, ood in ood_rows.items():
        row = table.loc[name, "fixed"]
        aurocs = [auroc(*pair).value for pair in zip(id_rows, ood, strict=True)]
        best = int(np.argmax(aurocs))
        pair = paired_auroc_difference(id_rows[best], ood[best], id_rows[3], ood[3])
        assert tuple(row[["regret", "regret_lo", "regret_hi"]]) == pytest.approx(pair[:3])
        assert tuple(row[["auroc", "lo", "hi"]]) == pytest.approx(auroc(id_rows[3], ood[3]))
        assert (row["level"], row["lam"], row["tap"]) == (1, 1.0, "tap0")
        assert (row["best_level"], row["best_tap"]) == (best // 3, f"tap{best % 3}")
        assert (row["best_auroc"], row["n_id"], row["n_ood"]) == (pytest.approx(max(aurocs)), 90, 70)


def test_random_is_the_mean_of_all_cells():
    id_rows, ood_rows = some_rows()
    table = table_of((id_rows, ood_rows), random=[ANY_CELL, ANY_CELL])
    aurocs = [auroc(*pair).value for pair in zip(id_rows, ood_rows["far"], strict=True)]
    row = table.loc["far", "random"]
    assert row["auroc"] == pytest.approx(np.mean(aurocs)) and row["regret"] == pytest.approx(
        max(aurocs) - np.mean(aurocs)
    )
    assert row["lo"] < row["auroc"] < row["hi"] and row["regret_lo"] < row["regret"] < row["regret_hi"]
    assert row[["level", "lam", "tap"]].isna().all()


def test_means_over_the_sets():
    table = table_of(some_rows(), fixed=[3, 3], random=[ANY_CELL] * 2)
    for policy in ("fixed", "random"):
        mean, sets = table.loc[ALL_SETS, policy], table.xs(policy, level="policy").loc[["near", "far"]]
        for name in ("auroc", "best_auroc", "regret"):
            assert mean[name] == pytest.approx(sets[name].mean())
        assert mean["n_ood"] == 140 and mean["regret_lo"] < mean["regret"] < mean["regret_hi"]


def test_what_has_no_cell_says_why():
    table = table_of(some_rows(), icc=["two draws", "two draws"], other=[1, "no other set"])
    assert table.loc["near", "icc"]["note"] == "two draws" and np.isnan(table.loc["near", "icc"]["regret"])
    assert table.loc[ALL_SETS, "other"]["note"] == "no other set" and np.isnan(table.loc[ALL_SETS, "other"]["auroc"])
    assert np.isfinite(table.loc["near", "other"]["regret"])


def test_one_ood_image():
    table = table_of(some_rows(n_ood=1), fixed=[3, 3], random=[ANY_CELL] * 2)
    assert np.isfinite(table["regret"]).all()
    away = table[table["regret"] > 0]
    assert len(away) and away[["regret_lo", "regret_hi"]].isna().all(axis=None)


def test_scores_of_another_map():
    id_rows, ood_rows = some_rows()
    with pytest.raises(ScoreError, match="agree in their cells"):
        regret_table(id_rows[:5], ood_rows, {"fixed": [0, 0]}, LEVELS, TAPS)


def test_leaving_a_set_out_never_looks_at_it():
    aurocs = np.random.default_rng(0).uniform(size=(4, 10))
    chosen = leave_one_out(aurocs)
    for s in range(4):
        changed = aurocs.copy()
        changed[s] = np.random.default_rng(s + 1).uniform(size=10)
        again = leave_one_out(changed)
        assert again[s] == chosen[s]
        assert chosen[s] == int(np.mean([aurocs[o] for o in range(4) if o != s], axis=0).argmax())
    changed[:3, 7] = 2.0
    assert leave_one_out(changed)[3] == 7
    assert leave_one_out(aurocs[:1]) == [None]


def test_a_mean_of_aurocs_is_delongs_for_one_and_for_copies():
    id_rows, ood_rows = some_rows()
    one = [values[:1] for values in placements(id_rows, ood_rows["near"])]
    assert mean_auroc(*one) == pytest.approx(auroc(id_rows[0], ood_rows["near"][0]))
    assert mean_auroc(*(np.repeat(values, 3, axis=0) for values in one)) == pytest.approx(mean_auroc(*one))


def test_intervals_of_means_cover():
    """Two OOD sets, one ID set, cells that share images: mean AUROC over cells and sets against its true value."""
    rng, covered = np.random.default_rng(0), []
    shifts = np.array([[0.2, 0.6], [0.9, 0.1]])  # (set, cell)
    from scipy.stats import norm

    truth = norm.cdf(shifts / np.sqrt(2)).mean()
    mix = np.array([[1.0, 0.0], [0.8, 0.6]])  # two cells, correlated 0.8
    for _ in range(400):
        id_rows = mix @ rng.normal(size=(2, 60))
        ranked = [placements(id_rows, mix @ rng.normal(size=(2, 50)) + shift[:, None]) for shift in shifts]
        _, lo, hi = mean_over_sets([r[0].mean(axis=0) for r in ranked], [r[1].mean(axis=0) for r in ranked])
        covered.append(lo <= truth <= hi)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_sets_must_match():
    with pytest.raises(ScoreError, match="the same sets"):
        mean_over_sets(np.zeros((2, 4)), [np.zeros(3)])
