"""Leads of rivals over CFS against slow references and known truths; the yardsticks; the grid of CFS(K x L)."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import special

from cfs_explore.contracts import Cell, Tap
from cfs_explore.diagnostics import Groups, ScoreError, auroc, best_excess, compose, fpr95, paired_auroc_difference
from cfs_explore.diagnostics import aupr as average_precision
from cfs_explore.diagnostics.cfs_grid import Grid
from cfs_explore.diagnostics.falsifier import FALSIFIED, OPEN, SUPPORTED, Yardsticks, leads, says, verdict


def shift_of(value):
    """Distance of two unit normals with this AUROC."""
    return float(np.sqrt(2) * special.ndtri(value))


def scored(rng, aurocs, n_id=120, n_ood=80, shared=0.5, size=1):
    """Normal scores (rows, n) of these AUROCs; rows, and images of a group of ``size``, share a part."""
    parts = []
    for n in (n_id, n_ood):
        codes = np.arange(n) // size

        def unit(rows, codes=codes, n=n):
            if size == 1:
                return rng.normal(size=(rows, n))
            of_group = rng.normal(size=(rows, codes[-1] + 1))[:, codes]
            return 0.8**0.5 * of_group + 0.2**0.5 * rng.normal(size=(rows, n))

        parts.append(shared**0.5 * unit(1) + (1 - shared) ** 0.5 * unit(len(aurocs)))
    return parts[0], parts[1] + np.array([[shift_of(value)] for value in aurocs])


def slow_auroc(ids, oods):
    return np.mean([(o > i) + 0.5 * (o == i) for i, o in itertools.product(ids, oods)])


def at(scores, *rows):
    return tuple(part[list(rows)] for part in scores)


def paired(rival, variant, **options):
    """Paired difference of two single rows."""
    return paired_auroc_difference(rival[0][0], rival[1][0], variant[0][0], variant[1][0], **options)


# Leads


def test_leads_are_the_least_differences_counted_pair_by_pair():
    rng = np.random.default_rng(0)
    rivals, variants = scored(rng, (0.8, 0.6), 30, 20), scored(rng, (0.7, 0.75, 0.65), 30, 20)
    rivals, variants = (tuple(np.round(part, 1) for part in pair) for pair in (rivals, variants))  # with ties
    found = leads(rivals, variants)
    for r, row in found.iterrows():
        own = slow_auroc(rivals[0][r], rivals[1][r])
        differences = [own - slow_auroc(i, o) for i, o in zip(*variants, strict=True)]
        assert row["lead"] == pytest.approx(min(differences)) and row["variant"] == np.argmin(differences)
        assert row["lead_lo"] < row["lead"] < row["lead_hi"]


def test_simultaneous_limits_are_wider_than_those_of_single_comparisons():
    rng = np.random.default_rng(1)
    rivals, variants = scored(rng, (0.85,)), scored(rng, (0.75, 0.75, 0.74, 0.76, 0.75))
    row = leads(rivals, variants).iloc[0]
    single = [paired(rivals, at(variants, v)) for v in range(5)]
    assert row["lead_lo"] < min(each.lo for each in single) - 0.003
    assert row["lead_hi"] > min(each.hi for each in single) + 0.003
    bonferroni = [paired(rivals, at(variants, v), level=1 - 0.05 / 5) for v in range(5)]
    assert row["lead_lo"] > min(each.lo for each in bonferroni) - 0.005  # which the maximum never needs
    narrower = leads(rivals, variants, level=0.8).iloc[0]
    assert row["lead_lo"] < narrower["lead_lo"] < narrower["lead_hi"] < row["lead_hi"]


@pytest.mark.parametrize("size", [1, 4])
def test_the_quantile_is_that_of_resampled_images(size):
    """Against a slow bootstrap of the AUROCs themselves, through the limits that the quantile gives."""
    rng = np.random.default_rng(2)
    scores = scored(rng, (0.8, 0.7, 0.72, 0.68), 160, 120, size=size)
    groups = Groups(np.arange(160) // size, -1 - np.arange(120) // size) if size > 1 else None
    value = np.array([slow_auroc(i, o) for i, o in zip(*scores, strict=True)])
    moved = []
    for _ in range(1500):
        picked = [(rng.integers(0, n // size, n // size)[:, None] * size + np.arange(size)).ravel() for n in (160, 120)]
        new = np.array([auroc(i[picked[0]], o[picked[1]]).value for i, o in zip(*scores, strict=True)])
        moved.append((new[0] - new[1:]) - (value[0] - value[1:]))
    moved = np.array(moved)
    quantile = np.quantile(np.abs(moved / moved.std(axis=0)).max(axis=1), 0.95)
    level = 2 * special.ndtr(quantile) - 1
    expected = [paired(at(scores, 0), at(scores, v), level=level, groups=groups) for v in (1, 2, 3)]
    row = leads(at(scores, 0), at(scores, 1, 2, 3), groups=groups).iloc[0]
    width = row["lead_hi"] - row["lead_lo"]
    assert row["lead_lo"] == pytest.approx(min(each.lo for each in expected), abs=0.04 * width)
    assert row["lead_hi"] == pytest.approx(min(each.hi for each in expected), abs=0.04 * width)


@pytest.mark.parametrize("aurocs", [(0.8, 0.7), (0.6, 0.9), (0.97, 0.9)])
def test_one_variant_gives_the_paired_interval(aurocs):
    rng = np.random.default_rng(3)
    rival, variant = scored(rng, aurocs[:1]), scored(rng, aurocs[1:])
    row = leads(rival, variant).iloc[0]
    at_95 = paired(rival, variant)
    assert row["lead"] == pytest.approx(at_95.value, abs=1e-12)
    assert row["lead_lo"] <= at_95.lo + 1e-9 and row["lead_hi"] >= at_95.hi - 1e-9

    def missed(z):  # one quantile gives both limits
        return paired(rival, variant, level=2 * special.ndtr(z) - 1).lo - row["lead_lo"]

    low, high = 1.9, 2.4
    assert missed(low) > 0 > missed(high)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if missed(middle) > 0 else (low, middle)
    assert 1.959 < low < 2.15
    assert row["lead_hi"] == pytest.approx(paired(rival, variant, level=2 * special.ndtr(low) - 1).hi, abs=1e-6)


def test_a_rival_that_is_a_variant_has_no_lead():
    rng = np.random.default_rng(4)
    variants = scored(rng, (0.9, 0.7))
    found = leads(variants, variants)
    assert found["lead"].tolist() == [0, pytest.approx(slow_auroc(*(p[1] for p in variants)) - 0.9, abs=0.06)]
    assert (found["lead_hi"] <= 0).all() and found["variant"].tolist() == [0, 0]
    assert says(found).tolist() == [SUPPORTED, SUPPORTED]
    alone = leads(at(variants, 0), at(variants, 0)).iloc[0]
    assert (alone["lead"], alone["lead_lo"], alone["lead_hi"]) == (0, 0, 0)
    raised = leads(tuple(np.exp(part[:1]) for part in variants), at(variants, 0)).iloc[0]  # the same order
    assert (raised["lead"], raised["lead_lo"], raised["lead_hi"]) == (0, 0, 0)


def test_leads_saturate_where_rival_and_best_variant_are_near_one():
    ids, oods = np.arange(30.0)[None], np.arange(100.0, 125)[None]
    mixed = ids[:, ::-1] % 7, oods % 7
    perfect = leads((ids, oods), tuple(np.concatenate(pair) for pair in zip(mixed, (ids, oods), strict=True))).iloc[0]
    assert perfect["saturated"] and perfect["lead"] == 0 and perfect["lead_lo"] < -0.05 and perfect["lead_hi"] > 0.05
    assert says(pd.DataFrame([perfect])).tolist() == [OPEN]
    assert not leads((ids, oods), mixed).iloc[0]["saturated"]
    assert not leads(mixed, (ids, oods)).iloc[0]["saturated"]


def test_the_seed_is_all_that_is_random_and_moves_little():
    rng = np.random.default_rng(5)
    rivals, variants = scored(rng, (0.8, 0.75)), scored(rng, (0.75, 0.7))
    first = leads(rivals, variants, seed=1)
    pd.testing.assert_frame_equal(first, leads(rivals, variants, seed=1))
    second = leads(rivals, variants, seed=2)
    width = first["lead_hi"] - first["lead_lo"]
    assert ((first["lead_lo"] - second["lead_lo"]).abs() < 0.03 * width).all()
    alone = leads(at(rivals, 1), variants, seed=1).iloc[0]  # other rivals lower the lower limit alone
    assert alone["lead_hi"] == pytest.approx(first.iloc[1]["lead_hi"], abs=1e-12)
    assert alone["lead_lo"] > first.iloc[1]["lead_lo"]


def test_groups_of_images_widen_the_limits():
    rng = np.random.default_rng(6)
    scores = scored(rng, (0.8, 0.7, 0.72), 160, 120, size=4)
    groups = Groups(np.arange(160) // 4, -1 - np.arange(120) // 4)
    with_groups, without = (leads(at(scores, 0), at(scores, 1, 2), groups=each).iloc[0] for each in (groups, None))
    assert with_groups["lead"] == without["lead"]
    assert with_groups["lead_hi"] - with_groups["lead_lo"] > 1.3 * (without["lead_hi"] - without["lead_lo"])


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("which", ["rival", "variant"])
def test_leads_of_scores_that_are_not_finite_are_refused(broken, which):
    rng = np.random.default_rng(7)
    rivals, variants = scored(rng, (0.8,), 10, 8), scored(rng, (0.7,), 10, 8)
    (rivals if which == "rival" else variants)[1][0, 3] = broken
    with pytest.raises(ScoreError, match="finite"):
        leads(rivals, variants)


def test_leads_of_other_images_or_too_few_are_refused():
    rng = np.random.default_rng(8)
    rivals, variants = scored(rng, (0.8,), 10, 8), scored(rng, (0.7,), 10, 8)
    with pytest.raises(ScoreError, match=r"on the same images.*\(1, 9\)"):
        leads((rivals[0][:, 1:], rivals[1]), variants)
    with pytest.raises(ScoreError, match="need variants of CFS"):
        leads(rivals, tuple(part[:0] for part in variants))
    with pytest.raises(ScoreError, match="at least 2 of each class"):
        leads(*((part[0], part[1][:, :1]) for part in (rivals, variants)))
    with pytest.raises(ScoreError, match="shapes"):
        leads(tuple(part[0] for part in rivals), variants)
    with pytest.raises(ScoreError, match="level"):
        leads(rivals, variants, level=1.0)
    assert leads(tuple(part[:0] for part in rivals), variants).empty


#: AUROCs of the rival and of the variants.
TRUTHS = {
    "poor": (0.6, (0.6, 0.55)),
    "level": (0.85, (0.85, 0.85, 0.8)),
    "ahead": (0.95, (0.9, 0.9)),
    "near 1": (0.97, (0.97, 0.95)),
}


@pytest.mark.simulation
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("n", [(50, 50), (200, 60)])
@pytest.mark.parametrize("truth", TRUTHS)
def test_limits_hold_the_true_lead(truth, n, size):
    """Nominal 95 % for all differences at once, so the least one's limits hold it at least that often (theory 21, 27).

    A group has 5 images of one kind, so that 50 images are 10 groups.
    """
    own, others = TRUTHS[truth]
    rng, covered = np.random.default_rng(9), []
    groups = Groups(np.arange(n[0]) // size, -1 - np.arange(n[1]) // size) if size > 1 else None
    for seed in range(160):
        scores = scored(rng, (own, *others), *n, size=size)
        rows = list(range(1, 1 + len(others)))
        row = leads(at(scores, 0), at(scores, *rows), groups=groups, resamples=400, seed=seed).iloc[0]
        covered.append(row["lead_lo"] <= own - max(others) <= row["lead_hi"])
    assert np.mean(covered) >= 0.93 - 0.052


# What leads say


@pytest.mark.parametrize(
    ("lo", "hi", "saturated", "said"),
    [
        (0.011, 0.05, False, FALSIFIED),
        (0.01, 0.05, False, OPEN),  # exactly at the margin
        (0.005, 0.05, False, OPEN),
        (-0.05, 0.009, False, SUPPORTED),
        (-0.05, 0.01, False, OPEN),
        (-0.2, -0.1, False, SUPPORTED),
        (0.011, 0.05, True, OPEN),
        (-0.2, -0.1, True, OPEN),
        (0, 0, False, SUPPORTED),
        (np.nan, np.nan, False, OPEN),
    ],
)
def test_what_a_lead_says(lo, hi, saturated, said):
    rows = pd.DataFrame({"lead_lo": [lo], "lead_hi": [hi], "saturated": [saturated]}, index=[7])
    pd.testing.assert_series_equal(says(rows), pd.Series([said], index=[7]))


def test_the_margin_can_be_another():
    rows = pd.DataFrame({"lead_lo": [0.02], "lead_hi": [0.04], "saturated": [False]})
    assert [says(rows, margin).item() for margin in (0.01, 0.03, 0.05)] == [FALSIFIED, OPEN, SUPPORTED]


@pytest.mark.parametrize(
    ("said", "untested", "expected"),
    [
        ([], 0, OPEN),
        ([SUPPORTED], 0, SUPPORTED),
        ([SUPPORTED, SUPPORTED], 0, SUPPORTED),
        ([SUPPORTED, SUPPORTED], 1, OPEN),
        ([SUPPORTED, OPEN], 0, OPEN),
        ([OPEN], 0, OPEN),
        ([SUPPORTED, OPEN, FALSIFIED], 3, FALSIFIED),
        ([FALSIFIED, SUPPORTED], 0, FALSIFIED),
    ],
)
def test_the_verdict_of_a_set(said, untested, expected):
    found = pd.DataFrame({"says": said, "trajectory": True})
    assert verdict(found, untested) == expected
    aside = pd.DataFrame({"says": [FALSIFIED, OPEN], "trajectory": False})  # about no trajectory
    assert verdict(pd.concat([found, aside]), untested) == expected


# Yardsticks


@pytest.fixture(scope="module")
def yard():
    """Pair, decoder and candidates that cost 1, 1, 2 and 3 forwards; a detector; all on 60 ID and 50 OOD images."""
    rng = np.random.default_rng(10)
    scores = scored(rng, (0.8, 0.75, 0.7, 0.72, 0.8, 0.9, 0.85), 60, 50)
    pair, decoder = (tuple(part[k] for part in scores) for k in (0, 1))
    return pair, decoder, at(scores, 2, 3, 4, 5), np.array([1, 1, 2, 3]), tuple(part[6] for part in scores)


def test_a_detectors_columns_are_the_metrics(yard):
    pair, decoder, candidates, forwards, own = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=30).compare(*own, cost=2)
    assert (row["auroc"], row["lo"], row["hi"]) == tuple(auroc(*own))
    assert (row["aupr"], row["aupr_lo"], row["aupr_hi"]) == tuple(average_precision(*own))
    assert (row["fpr95"], row["fpr95_lo"], row["fpr95_hi"]) == tuple(fpr95(*own))
    for name, other in (("to_pair", pair), ("to_decoder", decoder)):
        expected = paired_auroc_difference(*own, *other)
        assert (row[name], row[f"{name}_lo"], row[f"{name}_hi"]) == tuple(expected)[:3]
        assert row[name] == pytest.approx(slow_auroc(*own) - slow_auroc(*other))


@pytest.mark.parametrize("cost", [1, 2, 2.9, 3, 500])
def test_the_best_within_a_cost_is_chosen_on_other_images(yard, cost):
    pair, decoder, candidates, forwards, own = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=40, seed=3).compare(*own, cost=cost)
    within = tuple(part[forwards <= cost] for part in candidates)
    expected = best_excess(within, {"own": [tuple(part[None] for part in own)]}, repeats=40, seed=3).iloc[0]
    assert row["best"] == pytest.approx(expected["trained"], abs=1e-12)
    assert row["to_best"] == pytest.approx(slow_auroc(*own) - expected["trained"], abs=1e-12)
    limits = row["to_best_lo"], row["to_best_hi"]
    assert limits == pytest.approx((-expected["hi"], -expected["lo"]), abs=1e-12)
    assert row["best"] <= max(slow_auroc(*each) for each in zip(*within, strict=True)) + 1e-12


@pytest.mark.parametrize("cost", [0, 0.99])
def test_nothing_of_cfs_costs_less_than_a_forward(yard, cost):
    pair, decoder, candidates, forwards, own = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=5).compare(*own, cost=cost)
    assert np.isnan([row[name] for name in ("to_best", "to_best_lo", "to_best_hi", "best")]).all()
    assert np.isfinite([row[name] for name in ("auroc", "to_pair", "to_decoder")]).all()


def test_yardsticks_of_the_pair_itself(yard):
    pair, decoder, candidates, forwards, _ = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=5).compare(*pair, cost=1)
    assert (row["to_pair"], row["to_pair_lo"], row["to_pair_hi"]) == (0, 0, 0)


def test_yardsticks_with_three_images_have_no_best(yard):
    pair, decoder, candidates, forwards, own = (
        tuple(part[..., :3] for part in each) if isinstance(each, tuple) else each for each in yard
    )
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=5).compare(*own, cost=3)
    assert np.isnan(row["to_best"]) and np.isfinite(row["auroc"])


def test_yardsticks_keep_groups_whole(yard):
    pair, decoder, candidates, forwards, own = yard
    groups = Groups(np.arange(60) // 3, -1 - np.arange(50) // 5)
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=20, groups=groups).compare(*own, cost=3)
    lone = tuple(part[None] for part in own)
    expected = best_excess(candidates, {"own": [lone]}, repeats=20, groups=groups).iloc[0]
    assert row["best"] == pytest.approx(expected["trained"]) and row["to_best_hi"] == pytest.approx(-expected["lo"])
    assert (row["lo"], row["hi"]) == tuple(auroc(*own, groups=groups))[1:]


# The grid of CFS(K x L)

TAPS = [Tap("down", "encoder", 0.2, 4, 8), Tap("mid", "bottleneck", 0.5, 2, 8), Tap("up", "decoder", 0.9, 4, 8)]
#: By hand: each tap alone and the encoder's with the decoder's, at each of three levels alone, at the two ends, at all
#: three, and at the two cleanest.
BY_HAND = [
    [(level, tap) for level in levels for tap in taps]
    for levels in ([0], [1], [2], [0, 2], [0, 1, 2], [0, 1])
    for taps in ([0], [1], [2], [0, 2])
]


def test_the_candidates_of_a_small_map_are_those_by_hand():
    grid = Grid.of(3, TAPS)
    found = [grid.cells(candidate) for candidate in range(len(grid.forwards))]
    assert found == [[Cell(*cell) for cell in cells] for cells in BY_HAND]
    assert grid.forwards.tolist() == [len({level for level, _ in cells}) for cells in BY_HAND]


def test_candidates_score_what_composed_cells_do():
    slots = np.random.default_rng(11).gamma(2, size=(40, 1, 3, 3)).astype(np.float32)  # (image, draw, level, tap)
    grid = Grid.of(3, TAPS)
    scores = grid.scores(slots[:, 0].transpose(1, 2, 0))
    assert scores.shape == (24, 40) and scores.dtype == np.float64
    for candidate, row in enumerate(scores):
        np.testing.assert_allclose(row, compose(slots, grid.cells(candidate)), rtol=1e-12)


@pytest.mark.parametrize(("levels", "sets"), [(1, 1), (2, 3), (4, 4 + 3 + 2), (20, 20 + 19 + 18)])
def test_no_set_of_levels_is_there_twice(levels, sets):
    grid = Grid.of(levels, TAPS)
    assert len(grid.levels) == len(set(grid.levels)) == sets
    assert all(list(each) == sorted(set(each)) and each[-1] < levels for each in grid.levels)
    assert max(grid.forwards) == levels


def test_a_map_without_pairs_has_single_taps():
    assert Grid.of(1, TAPS[:2]).taps == ((0,), (1,))
