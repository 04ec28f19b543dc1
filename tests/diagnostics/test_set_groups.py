"""Means over groups of OOD sets and full-spectrum AUROC: against pairs of images counted one by one, the bootstrap, and
simulated scores whose AUROC is known (theory 36)."""

import itertools

import numpy as np
import pytest

from cfs_explore.diagnostics import Groups, ScoreError, auroc
from cfs_explore.diagnostics.auroc_mean import averaged_placements, mean_auroc_over_sets, mean_over_sets
from cfs_explore.diagnostics.delong import placements
from cfs_explore.diagnostics.set_groups import FULL, STANDARD, ScoredSet, set_group_table

GROUPS = {"near": ["a", "b"], "far": ["c"], "covariate": ["shifted", "turned"]}
COUNTS = {"a": 9, "b": 14, "c": 6, "shifted": 8, "turned": 5}


def slow_auroc(ids, oods) -> float:
    """Of every pair of an ID and an OOD image, ties 1/2."""
    return float(np.mean([(y > x) + (y == x) / 2 for x, y in itertools.product(ids, oods)]))


def alone(rows) -> ScoredSet:
    return ScoredSet(rows, np.full(rows.shape[1], None, dtype=object))


@pytest.fixture(scope="module")
def scored():
    """Two detectors; whole numbers, so that many scores are equal."""
    rng = np.random.default_rng(0)
    sets = {name: rng.integers(0, 9, (2, n)) + shift for shift, (name, n) in enumerate(COUNTS.items())}
    return rng.integers(0, 9, (2, 21)), sets


@pytest.fixture(scope="module")
def table(scored):
    ids, sets = scored
    return set_group_table(alone(ids), {name: alone(rows) for name, rows in sets.items()}, GROUPS)


@pytest.mark.parametrize("row", [0, 1])
def test_a_group_is_the_mean_of_its_sets_counted_pair_by_pair(scored, table, row):
    ids, sets = scored
    found = table[(table["row"] == row) & (table["ood"] == "") & (table["spectrum"] == STANDARD)]
    expected = {group: [slow_auroc(ids[row], sets[name][row]) for name in names] for group, names in GROUPS.items()}
    assert dict(zip(found["set_group"], found["auroc"], strict=True)) == pytest.approx(
        {group: np.mean(values) for group, values in expected.items()}
    )
    several = found.set_index("set_group").loc[["near", "covariate"]]
    assert several["lowest"].tolist() == pytest.approx([min(expected["near"]), min(expected["covariate"])])
    assert several["highest"].tolist() == pytest.approx([max(expected["near"]), max(expected["covariate"])])


@pytest.mark.parametrize("row", [0, 1])
def test_in_the_full_spectrum_shifted_images_are_id(scored, table, row):
    ids, sets = scored
    everyone = np.concatenate([ids[row], sets["shifted"][row], sets["turned"][row]])
    found = table[(table["row"] == row) & (table["ood"] == "") & (table["spectrum"] == FULL)].set_index("set_group")
    assert list(found.index) == ["near", "far"]
    assert found.loc["near", "auroc"] == pytest.approx(
        np.mean([slow_auroc(everyone, sets[name][row]) for name in ("a", "b")])
    )
    assert found.loc["far", "auroc"] == pytest.approx(slow_auroc(everyone, sets["c"][row]))
    assert found["n_id"].tolist() == [21 + 8 + 5] * 2 and found["n_ood"].tolist() == [23, 6]


def test_a_single_set_has_its_own_auroc_and_no_spread(scored, table):
    ids, sets = scored
    one = table[(table["set_group"] == "far") & (table["row"] == 0) & (table["spectrum"] == STANDARD)]
    assert one["set_count"].tolist() == [1] and one[["lowest", "highest"]].isna().all(axis=None)
    assert tuple(one[["auroc", "lo", "hi"]].iloc[0]) == pytest.approx(tuple(auroc(ids[0], sets["c"][0])))


def test_sets_of_a_group_have_rows_of_their_own(scored, table):
    ids, sets = scored
    rows = table[(table["row"] == 1) & (table["spectrum"] == STANDARD) & (table["ood"] != "")].set_index("ood")
    assert list(rows.index) == ["a", "b", "shifted", "turned"]
    for name, row in rows.iterrows():
        assert tuple(row[["auroc", "lo", "hi"]]) == pytest.approx(tuple(auroc(ids[1], sets[name][1])))


def test_without_shifted_sets_there_is_no_full_spectrum(scored):
    ids, sets = scored
    table = set_group_table(alone(ids), {"a": alone(sets["a"])}, {"near": ["a"]})
    assert table["spectrum"].unique().tolist() == [STANDARD]
    only_shifted = set_group_table(alone(ids), {"shifted": alone(sets["shifted"])}, {"covariate": ["shifted"]})
    assert only_shifted["spectrum"].unique().tolist() == [STANDARD]
    with pytest.raises(ScoreError, match="No OOD set is in a group"):
        set_group_table(alone(ids), {}, {})


def test_placements_are_averaged_over_sets(scored):
    ids, sets = scored
    parts = [placements(ids, sets[name]) for name in COUNTS]
    of_id, of_ood = averaged_placements(ids, np.concatenate(list(sets.values()), axis=1), list(COUNTS.values()))
    assert of_id == pytest.approx(np.mean([part[0] for part in parts], axis=0))
    assert of_ood == pytest.approx(np.concatenate([part[1] for part in parts], axis=1))


def test_mistakes_are_named(scored):
    ids, sets = scored
    with pytest.raises(ScoreError, match="at least one set"):
        mean_auroc_over_sets(ids, [])
    with pytest.raises(ScoreError, match=r"must hold \[3\] images. Got 9"):
        averaged_placements(ids, sets["a"], [3])
    with pytest.raises(ScoreError, match="2 of 60 entries are NaN"):
        mean_auroc_over_sets(ids, [np.where(np.arange(9) == 4, np.nan, sets["a"])])


def test_the_variance_is_that_of_a_bootstrap_over_images():
    """All sets share the ID images: to take them for independent would give half of the variance here."""
    rng = np.random.default_rng(1)
    ids, sets = rng.normal(size=60), [rng.normal(size=n) + 1 for n in (300, 400, 500)]
    drawn = []
    for _ in range(600):
        again = rng.choice(ids, 60)
        drawn.append(np.mean([placements(again[None], rng.choice(s, len(s))[None])[1].mean() for s in sets]))
    found = mean_auroc_over_sets(ids[None], [part[None] for part in sets])
    half = (found.hi[0] - found.lo[0]) / 2
    assert half == pytest.approx(1.96 * np.std(drawn), rel=0.12)
    apart = [auroc(ids, part) for part in sets]
    assert half > 1.4 * np.sqrt(sum(((each.hi - each.lo) / 2) ** 2 for each in apart)) / 3


def test_images_of_one_group_are_known_in_both_classes():
    """A shifted copy and its original are one group: so is the ID side of the full spectrum."""
    rng = np.random.default_rng(2)
    ids = rng.normal(size=(1, 80))
    copies = ids + 0.05 * rng.normal(size=(1, 80))
    near = rng.normal(size=(1, 400)) + 0.8
    names = np.array([f"image {k}" for k in range(80)], dtype=object)
    sets = {"near": alone(near), "shifted": ScoredSet(copies, names)}
    groups = {"near": ["near"], "covariate": ["shifted"]}

    def width(test):
        table = set_group_table(test, sets, groups)
        row = table[table["spectrum"] == FULL].iloc[0]
        return row["hi"] - row["lo"]

    grouped, plain = width(ScoredSet(ids, names)), width(alone(ids))
    assert grouped == pytest.approx(2**0.5 * plain, rel=0.1)


def test_limits_are_those_of_the_mean_over_sets_where_it_is_far_from_one():
    rng = np.random.default_rng(3)
    ids, sets = rng.normal(size=(1, 700)), [rng.normal(size=(1, n)) + 0.5 for n in (500, 200)]
    parts = [placements(ids, part) for part in sets]
    wald = mean_over_sets([part[0][0] for part in parts], [part[1][0] for part in parts])
    found = mean_auroc_over_sets(ids, sets)
    assert (found.value[0], found.lo[0], found.hi[0]) == pytest.approx(tuple(wald), abs=0.004)


def test_perfect_sets_have_limits_within_reach():
    found = mean_auroc_over_sets(np.zeros((1, 40)), [np.ones((1, 10)), np.ones((1, 1))])
    assert found.value[0] == found.hi[0] == 1 and 0.5 < found.lo[0] < 0.95


@pytest.mark.simulation
@pytest.mark.parametrize("value", [0.6, 0.9, 0.99])
@pytest.mark.parametrize("counts", [(60, 60, 60), (200, 20)])
def test_limits_cover_the_mean(value, counts):
    """Nominal 95 %; 1,000 simulations, of sets whose AUROC are around the value."""
    from scipy import special

    rng = np.random.default_rng(4)
    truth = [value + (1 - value) * step for step in np.linspace(-0.4, 0.4, len(counts))]
    ids = rng.normal(size=(1000, 100))
    sets = [rng.normal(size=(1000, n)) + 2**0.5 * special.ndtri(each) for n, each in zip(counts, truth, strict=True)]
    found = mean_auroc_over_sets(ids, sets)
    covered = ((found.lo <= value) & (value <= found.hi)).mean()
    assert 0.92 <= covered <= 0.985


@pytest.mark.simulation
def test_limits_cover_where_sets_are_copies_of_one_another():
    """Three sets made from the same 30 images are no more than 30 images."""
    rng = np.random.default_rng(5)
    groups, covered = Groups(np.arange(100), 100 + np.tile(np.arange(30), 3)), []
    for _ in range(400):
        ids, own = rng.normal(size=(1, 100)), rng.normal(size=(1, 30)) + 2**0.5 * 1.2816
        found = mean_auroc_over_sets(ids, [own + 0.01 * rng.normal(size=(1, 30)) for _ in range(3)], groups=groups)
        covered.append(found.lo[0] <= 0.9 <= found.hi[0])
    assert 0.92 <= np.mean(covered) <= 0.985
