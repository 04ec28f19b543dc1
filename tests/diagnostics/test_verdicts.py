"""Many verdicts: p-values of intervals, the false-discovery rate against scipy, and what is told (theory 30)."""

import numpy as np
import pytest
from scipy import stats

from cfs_explore.diagnostics.verdicts import p_value, verdicts


def test_p_value_is_that_of_the_normal_interval():
    assert p_value(0.3, 0.3 - 1.96 * 0.1, 0.3 + 1.96 * 0.1, 0.0) == pytest.approx(2 * stats.norm.sf(3), rel=1e-3)
    assert p_value(0.1, 0.0, 0.4, 0.0) == pytest.approx(0.05)
    assert p_value(0.0, 0.0, 0.0, 0.0) == 1 and np.isnan(p_value(0.2, np.nan, np.nan, 0.0))


def test_survivors_are_those_of_scipy_and_firm():
    rng = np.random.default_rng(0)
    value, half = rng.normal(0, 2, 60), np.full(60, 1.96)
    found = verdicts(value, value - half, value + half)
    expected = stats.false_discovery_control(2 * stats.norm.sf(np.abs(value))) <= 0.05
    assert (found.survives == expected).all() and (found.firm == (np.abs(value) > 1.96)).all()
    assert 0 < found.survives.sum() < found.firm.sum()


def test_saturated_and_missing_comparisons_are_no_evidence():
    value = np.array([0.003, 0.2, np.nan])
    found = verdicts(value, value - 0.001, value + 0.001, arms=([0.999, 0.9, 0.9], [0.996, 0.7, 0.9]))
    assert found.survives.tolist() == found.firm.tolist() == [False, True, False]
    assert found.summary("sets", "clear") == (
        "Of 1 sets, about 0.1 would be clear by chance alone; 1 are, and 1 of these survive at a "
        "false-discovery rate of 5 % (Benjamini-Hochberg); 2 more are no evidence (both AUROCs near 1) or were not "
        "measured."
    )


def test_without_any_difference_nothing_survives_though_chance_makes_some_firm():
    rng, survived, firm = np.random.default_rng(1), 0, 0
    for _ in range(200):
        value = rng.normal(size=40)
        found = verdicts(value, value - 1.96, value + 1.96)
        survived, firm = survived + found.survives.any(), firm + found.firm.sum()
    assert survived / 200 <= 0.1 and firm / 8000 == pytest.approx(0.05, abs=0.012)
