"""Levels by hand-made schedules: matching, ranges, reach."""

import math

import numpy as np
import pytest

from cfs_explore.errors import LevelError
from cfs_explore.levels import ContinuousVE, DiscreteVP, lam_range, out_of_reach

#: abar chosen so that lam runs 4, 3, ..., -4.
NINE = DiscreteVP(1 / (1 + np.exp(-np.arange(4.0, -5.0, -1.0))))


def test_discrete_snaps_to_the_nearest_and_keeps_the_request():
    level = NINE.match(2.4)
    assert (level.requested, level.native) == (2.4, 2.0)
    assert level.lam == pytest.approx(2.0)
    assert math.log(level.a**2 / level.b**2) == pytest.approx(2.0)
    assert [NINE.match(lam).native for lam in (9, 2.6, -3.8, -9)] == [0, 1, 8, 8]


def test_uniform_t_takes_the_same_fraction_of_the_native_range():
    curved = DiscreteVP(1 / (1 + np.exp(-np.array([4.0, 3.9, 3.8, 0.0, -4.0]))))
    natives = [curved.match(lam, "uniform_t").native for lam in (4.0, 2.0, 0.0, -2.0, -4.0, -99.0)]
    assert natives == [0, 1, 2, 3, 4, 4]
    assert curved.match(0.0).native == 3


def test_terminal_zero_snr_is_outside_the_reach():
    schedule = DiscreteVP(np.array([0.9, 0.5, 0.0]))
    assert schedule.reach == pytest.approx((0.0, math.log(9)))
    assert schedule.match(-50.0).native == schedule.match(-50.0, "uniform_t").native == 1


def test_ranges_include_both_ends_and_go_from_clean_to_noisy():
    lams = lam_range(6.0, -4.0, 5, grid=101)
    np.testing.assert_allclose(lams, [6, 3.5, 1, -1.5, -4], atol=1e-9)
    for wrong in ((1, 2, 3, 10), (2, 1, 1, 10), (2, 1, 20, 10)):
        with pytest.raises(LevelError, match="needs high > low and 2 <= count <= grid"):
            lam_range(*wrong[:3], grid=wrong[3])


def test_out_of_reach_names_the_nearest_and_forgives_a_little():
    assert out_of_reach(NINE, [4.4, 0.0, -4.4]) == []
    high, low = out_of_reach(NINE, [12.0, 1.0, -6.0])
    assert "lam = 12 is out of the backbone's reach (-4.00 to 4.00)" in high and "lam = 4.00, stands in" in high
    assert "lam = -4.00, stands in" in low


def test_not_a_level():
    for schedule in (NINE, ContinuousVE(0.01, 50.0)):
        with pytest.raises(LevelError, match="finite log-SNR; got inf"):
            schedule.match(float("inf"))
