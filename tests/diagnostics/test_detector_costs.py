"""Cost of detectors by hand, the Pareto front, and that the front's judges did not pick it."""

import numpy as np
import pytest

from cfs_explore.contracts import Cell, Tap
from cfs_explore.diagnostics import (
    ScoreError,
    auroc,
    detector_costs,
    effective_forwards,
    honest_front,
    measured_ms,
    pareto_front,
)

TAPS = [
    Tap("early", "encoder", 0.25, 8, 4),
    Tap("middle", "middle", 0.5, 4, 8),
    Tap("late", "decoder", 0.75, 8, 4),
]
MS = {"early": 1.0, "middle": 3.0, "late": 4.0}
LAMS = [7.0, 5.0, 3.0, 1.0]


def scored(seed=0, n_id=80, n_ood=60, draws=2, shift=0.8):
    rng = np.random.default_rng(seed)
    shape = (draws, len(LAMS), len(TAPS))
    return rng.normal(size=(n_id, *shape)), rng.normal(size=(n_ood, *shape)) + shift


@pytest.fixture(scope="module")
def table():
    return detector_costs(*scored(), taps=TAPS, lams=LAMS, presets={"sparse_ed": ["early", "late"]}, main=1, ms=MS)


def test_measured_time_adds_up_over_levels_and_draws():
    cells = [Cell(0, 0), Cell(0, 2), Cell(3, 1)]  # the forward at level 0 stops after "late", at level 3 after "middle"
    assert measured_ms(cells, [1.0, 3.0, 4.0], 5) == 5 * (4.0 + 3.0)
    assert effective_forwards(cells, TAPS, 5) == 5 * (0.75 + 0.5)


def test_costs_by_hand(table):
    rows = table.set_index(["detector", "draws"])
    single = rows.loc[("early @ 5", 2)]
    assert (single.forwards, single.effective, single.ms) == (2, 0.5, 2.0)
    pair = rows.loc[("CFS(1x2) sparse_ed @ 5", 2)]
    assert (pair.forwards, pair.effective, pair.ms) == (2, 1.5, 8.0) and (pair.levels, pair.taps) == ("1", "0,2")
    four = rows.loc[("CFS(4x2) sparse_ed around 5", 1)]
    assert (four.forwards, four.effective, four.ms) == (4, 3.0, 16.0) and four.levels == "0,1,2,3"
    assert rows.loc[("CFS(2x2) sparse_ed around 5", 1)].forwards == 2


def test_every_detector_is_there_with_one_draw_and_with_all(table):
    assert table.groupby("draws").size().to_dict() == {1: 12 + 8 + 2, 2: 12 + 8 + 2}
    assert table.query("draws == 1")["kind"].value_counts().to_dict() == {
        "cell": 12,
        "CFS": 4,
        "CFS-dec": 4,
        "CFS(KxL)": 2,
    }


def test_values_are_those_of_the_composed_scores(table):
    scores = scored()
    rows = table.set_index(["detector", "draws"])
    for draws in (1, 2):
        both = [part[:, :draws, 1][:, :, [0, 2]].mean(axis=(1, 2)) for part in scores]
        row = rows.loc[("CFS(1x2) sparse_ed @ 5", draws)]
        assert (row.auroc, row.lo, row.hi) == pytest.approx(tuple(auroc(*both)))
    assert (table["n_id"] == 80).all() and (table["n_ood"] == 60).all()


def test_a_known_front():
    cost = np.array([1, 1, 2, 3, 3, 4, 5])
    value = np.array([0.6, 0.7, 0.65, 0.8, 0.8, 0.75, np.nan])
    assert pareto_front(cost, value).tolist() == [False, True, False, True, True, False, False]
    assert pareto_front(np.array([np.nan, 2.0]), np.array([0.9, 0.5])).tolist() == [False, True]
    assert pareto_front(np.array([]), np.array([])).tolist() == []


def test_the_front_is_what_no_other_detector_beats():
    rng = np.random.default_rng(0)
    cost, value = rng.integers(1, 12, 200), rng.integers(0, 30, 200) / 30
    slow = [
        not any((c <= cost[k] and v > value[k]) or (c < cost[k] and v >= value[k]) for c, v in zip(cost, value))  # noqa: B905
        for k in range(200)
    ]
    assert pareto_front(cost, value).tolist() == slow


def test_the_front_shows_values_that_did_not_pick_it():
    """Without any signal the picked half promises much, and the judging half keeps none of it."""
    picked, judged = [], []
    for seed in range(6):
        table = detector_costs(*scored(seed, shift=0.0), taps=TAPS, lams=LAMS, presets={}, main=0, ms=MS, seed=seed)
        front = honest_front(table, "effective")
        assert front["effective"].is_monotonic_increasing and front["picked_auroc"].is_monotonic_increasing
        picked.append(front["picked_auroc"].iloc[-1])
        judged.append(front["judged_auroc"].iloc[-1])
    assert np.mean(picked) > 0.56 and np.mean(judged) == pytest.approx(0.5, abs=0.05)


def test_unknown_times_leave_the_other_costs():
    table = detector_costs(*scored(), taps=TAPS, lams=LAMS, presets={}, main=0, ms={"early": 1.0})
    assert table["ms"].notna().sum() == 2 * len(LAMS) and table["effective"].notna().all()
    assert set(honest_front(table, "ms")["taps"]) == {"0"}


def test_what_cannot_be_judged_is_refused(table):
    with pytest.raises(ScoreError, match="Halves need 4"):
        detector_costs(*scored(n_ood=3), taps=TAPS, lams=LAMS, presets={}, main=0, ms=MS)
    with pytest.raises(ScoreError, match="forwards, effective, ms"):
        honest_front(table, "price")
