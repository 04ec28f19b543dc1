"""Printed intervals cover the truth: simulations over AUROC, numbers of images, ties and groups (theory 27, 28).

Nominal 95 %. Marked ``simulation``; the limits leave room for three standard errors of the simulation.
"""

import numpy as np
import pytest
from scipy import integrate, special, stats

from cfs_explore.diagnostics import Groups, auroc_interval, best_cell, delong, paired_auroc_difference
from cfs_explore.diagnostics import auroc as single_auroc
from cfs_explore.diagnostics.excess import Placed, paired_interval
from cfs_explore.diagnostics.groups import independent
from cfs_explore.diagnostics.precision_recall import curves

pytestmark = pytest.mark.simulation
AUROCS = (0.5, 0.7, 0.9, 0.95, 0.99)
SIZES = ((20, 20), (100, 100), (1000, 1000), (2000, 120), (1000, 20))
#: Width of the rounding that makes ties, in standard deviations; None for none.
TIES = (None, 0.5)
_SAMPLES = 1000


def shift_of(auroc: float) -> float:
    """Distance of two unit normals with this AUROC."""
    return float(np.sqrt(2) * special.ndtri(auroc))


def draw(rng, auroc, n_id, n_ood, count, ties=None):
    ids, oods = rng.normal(size=(count, n_id)), rng.normal(size=(count, n_ood)) + shift_of(auroc)
    return (ids, oods) if ties is None else tuple(np.round(part / ties) * ties for part in (ids, oods))


def true_auroc(auroc: float, ties: float | None) -> float:
    """Of the rounded scores."""
    if ties is None:
        return auroc
    grid = np.arange(-200, 201) * ties
    edges = np.append(grid - ties / 2, grid[-1] + ties / 2)
    p, q = np.diff(stats.norm.cdf(edges)), np.diff(stats.norm.cdf(edges - shift_of(auroc)))
    return float(q @ (np.cumsum(p) - p / 2))


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("auroc", AUROCS)
def test_auroc(auroc, n, ties):
    ids, oods = draw(np.random.default_rng(1), auroc, *n, _SAMPLES, ties)
    lo, hi = auroc_interval(*delong(ids, oods), *n)
    truth = true_auroc(auroc, ties)
    covered = ((lo <= truth) & (truth <= hi)).mean()
    assert 0.93 - 0.021 <= covered <= 0.98 + 0.014


def skewed(rng, kind, auroc, n_id, n_ood, count):
    """Scores whose AUROC is known: exponential with another scale, or lognormal with another spread and place."""
    if kind == "exponential":
        ids, oods = rng.exponential(size=(count, n_id)), rng.exponential(size=(count, n_ood))
        return ids, oods * auroc / (1 - auroc)
    wider = {"lognormal, OOD 1.5 times as wide": 1.5, "lognormal, OOD 3 times as wide": 3.0}[kind]
    ids, oods = rng.normal(size=(count, n_id)), wider * rng.normal(size=(count, n_ood))
    return np.exp(ids), np.exp(oods + np.hypot(1, wider) * special.ndtri(auroc))


@pytest.mark.parametrize("kind", ["exponential", "lognormal, OOD 1.5 times as wide", "lognormal, OOD 3 times as wide"])
@pytest.mark.parametrize("n", [(1000, 20), (2000, 120), (100, 100)])
@pytest.mark.parametrize("auroc", AUROCS)
def test_auroc_of_skewed_scores(auroc, n, kind):
    """0.93 and more but where few images are informative, 2 min(n) (1 - AUROC) below 10: there the known floor."""
    ids, oods = skewed(np.random.default_rng(7), kind, auroc, *n, _SAMPLES)
    lo, hi = auroc_interval(*delong(ids, oods), *n)
    covered = ((lo <= auroc) & (auroc <= hi)).mean()
    floor = 0.93 - 0.021 if 2 * min(n) * (1 - auroc) >= 10 else 0.75
    assert floor <= covered <= 0.98 + 0.014


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("auroc", AUROCS)
def test_aupr_and_fpr95(auroc, n):
    """With 20 images on a side the limits may be wider than needed: 95 % of 20 is one image."""
    ids, oods = draw(np.random.default_rng(2), auroc, *n, 400)
    found = curves(ids, oods)
    shift, prior = shift_of(auroc), n[1] / sum(n)
    fpr95 = stats.norm.sf(stats.norm.ppf(0.05) + shift)

    def precision(t):
        recall, alarms = stats.norm.sf(t - shift), stats.norm.sf(t)
        return stats.norm.pdf(t - shift) * prior * recall / (prior * recall + (1 - prior) * alarms)

    aupr = integrate.quad(precision, -9, 9 + shift, limit=400)[0]
    covered = [
        ((found.aupr_lo <= aupr) & (aupr <= found.aupr_hi)).mean(),
        ((found.fpr95_lo <= fpr95) & (fpr95 <= found.fpr95_hi)).mean(),
    ]
    most = 1.0 if 20 in n else 0.98 + 0.021
    assert all(0.93 - 0.038 <= share <= most for share in covered), covered


def paired_limits(ids, oods, groups=None):
    """Limits of the difference of two scores, (samples, images) each, of all samples at once; one is checked."""
    first, second = (Placed.of(*rows, groups) for rows in zip(ids, oods, strict=True))
    var = first.minus(second).judged.var
    lo, hi, _ = paired_interval(first.judged, second.judged, var, *first.independent)
    single = paired_auroc_difference(ids[0][0], oods[0][0], ids[1][0], oods[1][0], groups=groups)
    assert (single.lo, single.hi) == pytest.approx((lo[0], hi[0]), abs=1e-12)
    return lo, hi


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("pair", [(0.7, 0.7), (0.95, 0.9), (0.99, 0.95)])
def test_paired_difference(pair, n):
    rng = np.random.default_rng(3)
    shared = [rng.normal(size=(300, size)) for size in n]
    ids, oods = ([0.7 * part + 0.51**0.5 * rng.normal(size=part.shape) for _ in pair] for part in shared)
    oods = [part + shift_of(auroc) for part, auroc in zip(oods, pair, strict=True)]
    lo, hi = paired_limits(ids, oods)
    assert 0.93 - 0.044 <= ((lo <= pair[0] - pair[1]) & (pair[0] - pair[1] <= hi)).mean() <= 1.0


def test_honest_best_cell():
    """Several cells of one worth: whichever is picked, its AUROC on other images is that."""
    rng, covered = np.random.default_rng(4), []
    for seed in range(150):
        ids = rng.normal(size=(120, 1, 2, 5))
        oods = rng.normal(size=(90, 1, 2, 5)) + shift_of(0.9)
        got = best_cell(ids, oods, repeats=20, seed=seed).honest
        covered.append(got.lo <= 0.9 <= got.hi)
    assert np.mean(covered) >= 0.93 - 0.06


@pytest.mark.parametrize("n", [(50, 40), (500, 60)])
def test_one_rank_moves_the_limits_by_little(n):
    """From perfect separation on, one image a rank lower each time: no jump, and wider with fewer images."""
    ids, oods = np.arange(n[0], dtype=float), 1000.0 + np.arange(n[1], dtype=float)
    limits = []
    for step in range(12):
        moved = oods.copy()
        moved[0] = n[0] - 0.5 - step
        value, var = delong(ids[None], moved[None])
        (lo,), (hi,) = auroc_interval(value, var, *n)
        assert lo <= value[0] <= hi
        limits.append((lo, hi))
    steps = np.abs(np.diff(limits, axis=0))
    assert steps.max() < 0.4 * (1 - limits[0][0])
    fewer = auroc_interval(np.array([1.0]), np.array([0.0]), n[0] // 2, n[1] // 2)
    assert fewer[0][0] < limits[0][0]


def in_groups(rng, n, size):
    """Unit normal scores (400, n) of groups of ``size`` images that correlate at 0.9, and the groups (n,)."""
    codes = np.arange(n) // size
    shared = rng.normal(size=(400, codes[-1] + 1))[:, codes]
    return 0.9**0.5 * shared + 0.1**0.5 * rng.normal(size=(400, n)), codes


@pytest.mark.parametrize("size", [3, 6])
@pytest.mark.parametrize("n", [(120, 120), (600, 300), (2000, 120)])
@pytest.mark.parametrize("auroc", [0.6, 0.9, 0.99])
def test_images_in_groups(auroc, n, size):
    """Theory 28: with their groups, intervals cover as those of single images do; without, far less."""
    rng = np.random.default_rng(5)
    (ids, of_id), (oods, of_ood) = (in_groups(rng, count, size) for count in n)
    oods, covered = oods + shift_of(auroc), []
    for groups in (Groups(of_id, -1 - of_ood), None):
        lo, hi = auroc_interval(*delong(ids, oods, groups), *independent(groups, *n))
        single = single_auroc(ids[0], oods[0], groups=groups)
        assert (single.lo, single.hi) == pytest.approx((lo[0], hi[0]), abs=1e-12)
        covered.append(((lo <= auroc) & (auroc <= hi)).mean())
    assert 0.93 - 0.033 <= covered[0] <= 0.98 + 0.02
    assert covered[1] < {3: 0.9, 6: 0.8}[size]


@pytest.mark.parametrize("size", [3, 6])
def test_fpr95_and_differences_of_images_in_groups(size):
    rng, shift = np.random.default_rng(6), shift_of(0.9)
    fpr95 = stats.norm.sf(stats.norm.ppf(0.05) + shift)
    shared = [in_groups(rng, count, size) for count in (600, 300)]
    ids, oods = ([0.7 * part + 0.51**0.5 * in_groups(rng, part.shape[1], size)[0] for _ in "ab"] for part, _ in shared)
    groups = Groups(shared[0][1], -1 - shared[1][1])
    oods = [part + shift for part in oods]
    lo, hi = paired_limits(ids, oods, groups)
    found = curves(ids[0], oods[0], groups=groups)
    assert ((lo <= 0) & (hi >= 0)).mean() >= 0.93 - 0.044
    assert ((found.fpr95_lo <= fpr95) & (fpr95 <= found.fpr95_hi)).mean() >= 0.93 - 0.044
