"""What levels share: closed forms of each measure, its intervals, and the tables."""

import numpy as np
import pytest

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.drift import log_mean_interval
from cfs_explore.diagnostics.groups import members
from cfs_explore.diagnostics.sharing import cka_limits, inner_products, linear_cka, reuse_table, sharing_table
from cfs_explore.studies import TABLES

LEVELS = [Level(lam, lam, 1.0, 0.1, lam) for lam in (5.0, 1.0, -3.0)]
TAPS = [Tap("conv_in", "input", 0.1, 4, 2), Tap("up", "decoder", 0.9, 4, 3)]


def maps(n=12, p=40, seed=0):
    """float32 (n, p), far from zero."""
    return (np.random.default_rng(seed).normal(size=(n, p)) + 0.5).astype(np.float32)


def table(*levels, sizes=None, groups=None):
    """Of one tap with these maps at each level, (n, p) each."""
    stacked = np.stack(levels)
    found = LEVELS[: len(levels)]
    return sharing_table(
        inner_products(stacked)[:, None],
        [part[None] for part in (linear_cka(stacked), *cka_limits(stacked, groups, resamples=40))],
        [stacked.shape[2]],
        found,
        TAPS[:1],
        groups=groups,
    )


def test_a_level_shares_all_with_itself():
    """i = j: Delta = 0, cosine = CKA = 1."""
    row = table(maps(), maps()).iloc[0]
    assert row["delta"] == pytest.approx(0, abs=1e-14) and row["delta_rel"] == pytest.approx(0, abs=1e-14)
    assert row["cosine"] == pytest.approx(1) and row["cka"] == pytest.approx(1)


def test_twice_the_map():
    """h_j = 2 h_i: Delta_rel = 1 / (1/2 + 4/2) = 0.4, cosine = CKA = 1."""
    h = maps()
    row = table(h, 2 * h).iloc[0]
    assert row["delta_rel"] == pytest.approx(0.4) and row["delta_rel_lo"] == pytest.approx(0.4)
    assert row["cosine"] == pytest.approx(1) and row["cka"] == pytest.approx(1)
    assert row["delta"] == pytest.approx(np.mean(h.astype(float) ** 2))


def test_the_opposite_map():
    row = table(maps(), -maps()).iloc[0]
    assert row["delta_rel"] == pytest.approx(4) and row["cosine"] == pytest.approx(-1)


def test_cka_does_not_know_rotation_and_scale_but_channels():
    h, rng = maps(), np.random.default_rng(5)
    rotation = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    other = maps(seed=1)
    reference = linear_cka(np.stack([h, other]))[0, 1]
    turned = linear_cka(np.stack([h.astype(float), 7 * other @ rotation + rng.normal(size=40)]))
    assert turned[0, 1] == pytest.approx(reference, rel=1e-6)
    scaled = linear_cka(np.stack([h, other * np.linspace(0.1, 9, 40)]))
    assert abs(scaled[0, 1] - reference) > 1e-3


def test_cka_is_its_definition():
    x, y = maps().astype(float), maps(seed=1).astype(float)
    x, y = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert linear_cka(np.stack([maps(), maps(seed=1)]))[0, 1] == pytest.approx(expected)


def related(rng, n, mixing, noise):
    """float (2, n, 60): maps of two levels that share five directions."""
    hidden = rng.normal(size=(n, 5))
    return np.stack([hidden @ part + noise * rng.normal(size=(n, 60)) for part in mixing])


def test_limits_of_cka_are_those_of_a_slow_bootstrap_and_hold_it():
    rng = np.random.default_rng(6)
    mixing = rng.normal(size=(2, 5, 60))
    found = related(rng, 40, mixing, 1.0)
    value = linear_cka(found)[0, 1]
    lo, hi = (part[0, 1] for part in cka_limits(found, resamples=400))
    drawn = [rng.integers(0, 40, 40) for _ in range(400)]
    away = np.log([1 - linear_cka(found[:, rows])[0, 1] for rows in drawn])
    assert np.log((1 - lo) / (1 - hi)) == pytest.approx(2 * 1.96 * away.std(ddof=1), rel=0.15)
    assert np.sqrt((1 - lo) * (1 - hi)) == pytest.approx(1 - value) and 0 <= lo < value < hi <= 1
    wider = [part[0, 1] for part in cka_limits(found, members([str(k // 4) for k in range(40)]), resamples=200)]
    assert np.isfinite(wider).all() and wider[0] < value < wider[1]


def test_limits_of_cka_where_there_is_nothing_to_bound():
    h = maps()
    lo, hi = cka_limits(np.stack([h, 2 * h]), resamples=20)
    assert lo[0, 1] == pytest.approx(1) and hi[0, 1] == pytest.approx(1)
    for constant in (np.stack([h, np.ones_like(h)]), np.stack([h[:1], h[:1]])):
        assert all(np.isnan(part[0, 1]) for part in cka_limits(constant, resamples=20))
    assert all(np.isnan(part[0, 1]) for part in cka_limits(np.stack([h, maps(seed=1)]), members(["a"] * 12)))


@pytest.mark.simulation
@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_limits_of_cka_hold_what_other_images_give_on_average(noise):
    rng = np.random.default_rng(7)
    mixing = rng.normal(size=(2, 5, 60))
    truth = np.mean([linear_cka(related(rng, 32, mixing, noise))[0, 1] for _ in range(300)])
    covered = []
    for seed in range(150):
        lo, hi = cka_limits(related(rng, 32, mixing, noise), resamples=100, seed=seed)
        covered.append(lo[0, 1] <= truth <= hi[0, 1])
    assert np.mean(covered) >= 0.95 - 0.05


def test_measures_are_means_over_images():
    one, other = maps(), maps(seed=1)
    row = table(one, other).iloc[0]
    a, b = one.astype(float), other.astype(float)
    apart, lengths = ((a - b) ** 2).sum(1), [(h**2).sum(1) for h in (a, b)]
    relative = apart / (lengths[0] / 2 + lengths[1] / 2)
    cosine = (a * b).sum(1) / np.sqrt(lengths[0] * lengths[1])
    assert row["delta"] == pytest.approx((apart / 40).mean()) and row["delta_rel"] == pytest.approx(relative.mean())
    assert row["cosine"] == pytest.approx(cosine.mean()) and row["n_id"] == 12
    _, lo, hi = log_mean_interval(relative, None, 0.95)
    assert (row["delta_rel_lo"], row["delta_rel_hi"]) == pytest.approx((lo, hi))
    _, lo, hi = log_mean_interval(1 - cosine, None, 0.95)
    assert (row["cosine_lo"], row["cosine_hi"]) == pytest.approx((1 - hi, 1 - lo))
    assert row["cosine_lo"] < row["cosine"] < row["cosine_hi"] <= 1


def test_images_that_belong_together_widen_the_limits():
    repeated = [np.repeat(maps(seed=seed), 3, axis=0) for seed in (0, 1)]
    alone, together = (
        table(*repeated, groups=groups).iloc[0]
        for groups in (None, members(np.array([str(i // 3) for i in range(36)], dtype=object)))
    )
    assert together["delta_rel"] == pytest.approx(alone["delta_rel"])
    assert together["delta_rel_hi"] > alone["delta_rel_hi"] and together["cosine_lo"] < alone["cosine_lo"]


def test_every_tap_and_pair_once():
    inner = np.stack([inner_products(np.stack([maps(seed=3 * t + k) for k in range(3)])) for t in range(2)], axis=1)
    found = sharing_table(inner, np.ones((3, 2, 3, 3)), [40, 40], LEVELS, TAPS)
    assert set(found) == set(TABLES["sharing"].column_names)
    assert len(found) == 6 and not found.duplicated(["tap", "level", "other_level"]).any()
    assert (found["level"] < found["other_level"]).all() and (found["lam"] > found["other_lam"]).all()


def test_maps_of_zeros_and_single_images():
    zero = np.zeros((4, 10), np.float32)
    row = table(zero, zero).iloc[0]
    assert row["delta"] == row["delta_rel"] == 0 and np.isnan([row["cosine"], row["cka"]]).all()
    row = table(maps(1), maps(1, seed=1)).iloc[0]
    assert np.isfinite(row["delta"]) and np.isnan([row["delta_lo"], row["cosine_hi"], row["cka"]]).all()


def test_what_does_not_fit_is_refused():
    inner = inner_products(np.stack([maps(), maps()]))[:, None]
    with pytest.raises(ScoreError, match="shape"):
        sharing_table(inner[:, 0], np.ones((1, 2, 2)), [40], LEVELS[:2], TAPS[:1])
    with pytest.raises(ScoreError, match="finite"):
        sharing_table(inner * np.nan, np.ones((1, 2, 2)), [40], LEVELS[:2], TAPS[:1])
    with pytest.raises(ScoreError, match="level must"):
        sharing_table(inner, np.ones((1, 2, 2)), [40], LEVELS[:2], TAPS[:1], level=95)


def test_reuse_has_a_row_per_ordered_pair():
    pairs = [(0, 1), (1, 0)]
    found = reuse_table(np.array([[0.1, 0.4], [0.3, 0.4]]), pairs, LEVELS[:2], 0.3)
    assert set(found) == set(TABLES["reuse"].column_names)
    assert found["error"].tolist() == pytest.approx([0.2, 0.4]) and found["saved"].eq(0.3).all()
    assert found[["encoder_level", "level"]].to_numpy().tolist() == [[0, 1], [1, 0]]
    assert found.loc[0, "lo"] < 0.2 < found.loc[0, "hi"] and found.loc[1, "lo"] == pytest.approx(0.4)
    none = reuse_table(np.full((2, 2), np.nan), pairs, LEVELS[:2], 0.3, why_not="No encoder.")
    assert none["note"].eq("No encoder.").all() and none[["error", "lo", "hi", "saved"]].isna().all(axis=None)
