"""Images in groups: Obuchowski's variance against a plain reading of it, and what stays together (theory 28)."""

import numpy as np
import pytest

from cfs_explore.diagnostics import (
    Groups,
    ScoreError,
    auroc,
    auroc_excess,
    auroc_interval,
    best_cell,
    best_excess,
    catches,
    complementarity,
    delong,
    delong_covariance,
    paired_auroc_difference,
    placements,
)
from cfs_explore.diagnostics.auroc_mean import mean_over_sets
from cfs_explore.diagnostics.excess import Placed
from cfs_explore.diagnostics.groups import Members, weights
from cfs_explore.diagnostics.precision_recall import curves
from cfs_explore.diagnostics.splits import draw_splits, judging_variances, split_aurocs


def obuchowski(id_scores, ood_scores, id_groups, ood_groups) -> float:
    """Variance of AUROC of clustered data, formula by formula (Obuchowski 1997, section 2), one cell."""
    m, n = len(id_scores), len(ood_scores)
    above = [[1.0 if y > x else 0.5 if y == x else 0.0 for y in ood_scores] for x in id_scores]
    of_id = [sum(row) / n for row in above]
    of_ood = [sum(row[j] for row in above) / m for j in range(n)]
    theta = sum(of_id) / m
    names = sorted({*id_groups, *ood_groups})
    sums = {k: [0.0, 0, 0.0, 0] for k in names}
    for value, k in zip(of_id, id_groups, strict=True):
        sums[k][0], sums[k][1] = sums[k][0] + value, sums[k][1] + 1
    for value, k in zip(of_ood, ood_groups, strict=True):
        sums[k][2], sums[k][3] = sums[k][2] + value, sums[k][3] + 1
    with_id, with_ood = len(set(id_groups)), len(set(ood_groups))
    s10 = with_id / ((with_id - 1) * m) * sum((a - c * theta) ** 2 for a, c, _, _ in sums.values())
    s01 = with_ood / ((with_ood - 1) * n) * sum((b - d * theta) ** 2 for _, _, b, d in sums.values())
    total = len(names)
    s11 = total / (total - 1) * sum((a - c * theta) * (b - d * theta) for a, c, b, d in sums.values())
    return s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.fixture
def clustered():
    """Scores (5, 40) and (5, 30) with ties, and groups of 1 to 6 images, some with images of both classes."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 14, 40), rng.integers(8, 25, 30)
    own = rng.normal(size=(5, 25))
    ids, oods = (own[:, k] + rng.normal(size=(5, k.size)) for k in codes)
    return np.round(ids, 1), np.round(oods + 1, 1), Groups(*codes)


def test_variance_is_obuchowskis(clustered):
    ids, oods, groups = clustered
    found = delong(ids, oods, groups)
    assert np.array_equal(found.auroc, delong(ids, oods).auroc)
    expected = [obuchowski(x, y, groups.id.tolist(), groups.ood.tolist()) for x, y in zip(ids, oods, strict=True)]
    assert found.var == pytest.approx(expected, rel=1e-12)
    value, covariance = delong_covariance(ids, oods, groups)
    assert value == pytest.approx(found.auroc) and np.diag(covariance) == pytest.approx(expected, rel=1e-12)
    difference = Placed.of(ids[:1], oods[:1], groups).minus(Placed.of(ids[1:2], oods[1:2], groups)).judged.var[0]
    assert difference == pytest.approx(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])


def test_images_that_are_alone_give_delong(clustered):
    ids, oods, _ = clustered
    alone = Groups(np.arange(40), 40 + np.arange(30))
    assert Groups.of([None] * 40, [None] * 30) is None and Groups.of(list("ab"), list("cd")) is None
    assert delong(ids, oods, alone).var == pytest.approx(delong(ids, oods).var, rel=1e-12)
    for key, part in curves(ids, oods, groups=alone)._asdict().items():
        assert part == pytest.approx(getattr(curves(ids, oods), key), abs=1e-12), key
    plain = complementarity(ids[:2], ids[2:4], oods[:2], oods[2:4], resamples=50)
    same = [name for name in plain if name.startswith(("auroc", "adjusted", "caught"))]
    grouped = complementarity(ids[:2], ids[2:4], oods[:2], oods[2:4], groups=alone, resamples=50)
    assert grouped[same].to_numpy(float) == pytest.approx(plain[same].to_numpy(float), nan_ok=True)


def test_names_of_both_classes_are_one_group():
    groups = Groups.of(["ann", None, "bob", None], ["bob", float("nan"), "bob"])
    assert groups.counts == (4, 2) and groups.shared == 1
    assert groups.id[2] == groups.ood[0] == groups.ood[2] and len({*groups.id}) == 4


def test_an_image_many_times_over_counts_once():
    """Copies of each image say nothing new: the interval is that of the images, not of the copies."""
    rng = np.random.default_rng(1)
    ids, oods = rng.normal(size=25), rng.normal(size=20) + 1
    once = auroc(ids, oods)
    groups = Groups(np.repeat(np.arange(25), 6), 25 + np.repeat(np.arange(20), 6))
    assert auroc(np.repeat(ids, 6), np.repeat(oods, 6), groups=groups) == pytest.approx(tuple(once), rel=1e-9)
    narrow = auroc(np.repeat(ids, 6), np.repeat(oods, 6))
    assert narrow.hi - narrow.lo < 0.6 * (once.hi - once.lo)
    tripled = catches(
        ids, -ids, np.repeat(oods, 3), np.repeat(-oods, 3), groups=Groups(np.arange(25), np.repeat(np.arange(20), 3))
    )
    alone = catches(ids, -ids, oods, -oods)
    assert tripled.lo == pytest.approx(alone.lo, abs=0.03) and tripled.hi == pytest.approx(alone.hi, abs=0.03)


def test_copies_of_id_images_narrow_what_they_share():
    """An altered copy with its original's ups and downs: the interval knows that they go together."""
    rng = np.random.default_rng(2)
    own = rng.normal(size=200)
    ids, oods = own + 0.3 * rng.normal(size=200), own + 0.5 + 0.3 * rng.normal(size=200)
    pairs = Groups(np.arange(200), np.arange(200))
    assert delong(ids[None], oods[None], pairs).var[0] < 0.5 * delong(ids[None], oods[None]).var[0]
    assert pairs.counts == (200, 200) and pairs.shared == 200


def test_splits_folds_and_resamples_leave_groups_whole(clustered):
    ids, oods, groups = clustered
    splits = draw_splits(40, 30, 30, 0, groups)
    for row in range(30):
        first = {*groups.id[splits.id[row]], *groups.ood[splits.ood[row]]}
        second = {*groups.id[~splits.id[row]], *groups.ood[~splits.ood[row]]}
        assert not first & second
    judging = []
    judging_variances(splits, lambda place, half: judging.append(half) or [np.zeros(1)])
    assert all(min(half.groups.counts) >= 2 for half in judging) and judging
    one, other = split_aurocs(ids, oods, splits)
    for row in (0, 7):
        mask = splits.id[row], splits.ood[row]
        assert one[:, row] == pytest.approx(delong(ids[:, mask[0]], oods[:, mask[1]]).auroc)
        assert other[:, row] == pytest.approx(delong(ids[:, ~mask[0]], oods[:, ~mask[1]]).auroc)
    drawn = weights(groups, 40, 30, 50, np.random.default_rng(0))
    for part, codes in zip(drawn, (groups.id, groups.ood), strict=True):
        assert part.sum(axis=0) == pytest.approx(np.full(50, len(codes)), rel=1e-5)
        for code in np.unique(codes):
            assert np.ptp(part[codes == code], axis=0) == pytest.approx(np.zeros(50), abs=1e-6)
    folds = groups.folds(5, np.random.default_rng(0))
    of_group = {}
    for code, fold in zip(np.concatenate([groups.id, groups.ood]), np.concatenate(folds), strict=True):
        assert of_group.setdefault(code, fold) == fold


@pytest.mark.parametrize("sizes", [(4, 0, 0), (3, 3, 1), (0, 0, 4), (1, 1, 3), (2, 2, 2), (3, 1, 3)])
def test_four_groups_of_a_class_leave_two_in_each_half(sizes):
    only_id, only_ood, both = sizes
    only_ood = max(only_ood, 4 - both)
    id_codes = [*range(only_id), *range(100, 100 + both)] * 2
    ood_codes = [*range(50, 50 + only_ood), *range(100, 100 + both)] * 3
    groups = Groups(np.array(id_codes), np.array(ood_codes))
    first = groups.halves(20, np.random.default_rng(0))
    for ids, oods in zip(*first, strict=True):
        for side in (1, -1):
            kept = groups.taken(ids if side > 0 else ~ids, oods if side > 0 else ~oods)
            assert min(kept.counts) >= 2


def test_clustered_intervals_are_wider_everywhere():
    """Six images of each group with nearly one score: every interval knows it."""
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(20), 6)
    ids, oods = (rng.normal(size=(4, 20))[:, codes] + 0.1 * rng.normal(size=(4, 120)) + shift for shift in (0, 1))
    groups = Groups(codes, 20 + codes)

    def widths(groups):
        pair = paired_auroc_difference(ids[0], oods[0], ids[1], oods[1], groups=groups)
        excess = auroc_excess((ids[:2], oods[:2]), [(ids[2:], oods[2:])], groups=groups)
        best = best_cell(*(part.T[:, None, None] for part in (ids, oods)), groups=groups, repeats=30).honest
        table = best_excess((ids, oods), {"x": [(ids[::-1] ** 3, oods[::-1])]}, groups=groups, repeats=30)
        both = complementarity(ids[:1], ids[1:2], oods[:1], oods[1:2], groups=groups, resamples=300).iloc[0]
        found = curves(ids, oods, groups=groups)
        return {
            "paired": pair.hi - pair.lo,
            "excess": (excess["hi"] - excess["lo"]).min(),
            "best cell": best.hi - best.lo,
            "best excess": (table["hi"] - table["lo"]).iloc[0],
            "aupr": (found.aupr_hi - found.aupr_lo).min(),
            "fpr95": (found.fpr95_hi - found.fpr95_lo).min(),
            **{
                name: both[f"{name}_hi"] - both[f"{name}_lo"]
                for name in ("auroc_avg", "adjusted_d", "d2_avg", "bits_d")
            },
        }

    grouped, plain = widths(groups), widths(None)
    assert {name: grouped[name] > 1.2 * plain[name] for name in plain} == dict.fromkeys(plain, True)


def test_a_mean_over_sets_knows_groups_that_two_sets_share():
    """Two sets made from the same images vary together: their mean varies more than that of sets of other images."""
    rng = np.random.default_rng(4)
    ids, own = rng.normal(size=300), rng.normal(size=60)
    parts = [placements(ids[None], (own + 0.5 + 0.1 * rng.normal(size=60))[None]) for _ in range(2)]
    id_parts, ood_parts = np.concatenate([p[0] for p in parts]), [p[1][0] for p in parts]
    shared = Groups(np.arange(300), 300 + np.tile(np.arange(60), 2))
    alone = Groups(np.arange(300), 300 + np.arange(120))
    plain, apart, together = (mean_over_sets(id_parts, ood_parts, groups=g) for g in (None, alone, shared))
    assert tuple(apart) == pytest.approx(tuple(plain), rel=0.01)
    assert together.hi - together.lo > 1.2 * (plain.hi - plain.lo)


def test_few_groups():
    ids, oods = np.arange(10.0)[None], np.arange(8.0)[None] + 3
    one = Groups(np.zeros(10, int), np.arange(8) + 1)
    assert np.isnan(delong(ids, oods, one).var[0])
    lo, hi = auroc_interval(*delong(ids, oods, one), *one.counts)
    assert hi[0] - lo[0] > 0.5
    with pytest.raises(ScoreError, match=r"at least 4 ID and 4 OOD images \(or groups of them\).*Got 1, 8"):
        best_cell(ids.T[:, None, None], oods.T[:, None, None], groups=one)
    with pytest.raises(ScoreError, match="The groups are for 10 images"):
        delong(ids[:, :9], oods, one)


def test_effective_images_lie_between_groups_and_images():
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(40), 5)
    alike = np.repeat(rng.random(40) < 0.5, 5)[None]
    free = (rng.random(200) < 0.5)[None]
    members = Members(codes)
    assert members.effective(alike)[0] == pytest.approx(40, rel=0.1) and 120 < members.effective(free)[0] <= 200
    assert members.alike == 40
