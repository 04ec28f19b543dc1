"""Pieces that workers share: each is computed once, by whoever is free, and by another where that one is lost."""

import functools
import threading
import time

import numpy as np
import pytest

from cfs_explore.engine import Leases
from cfs_explore.errors import CFSError, FolderError, RunCancelled
from cfs_explore.pipeline.stages.pieces import Left, Pieces, _lease


@pytest.fixture
def worker(tmp_path):
    """Makes the pieces of a worker, with its leases; those of all have one folder."""
    opened = []

    def make(*, leads=False, advance=lambda count, doing: None, **options):
        leases = Leases(tmp_path / "crew", **options).__enter__()
        opened.append(leases)
        pieces = Pieces(tmp_path / "kept", advance)
        pieces.share(leases, leads=leads)
        return pieces, leases

    yield make
    for leases in opened:
        leases.__exit__()


def value(number: float):
    return {"value": np.float64(number)}


def test_two_workers_compute_each_piece_once(worker):
    """Both want all: chains of two pieces, of which the second needs the first."""
    computed, lock = [], threading.Lock()

    def chain(pieces, k):
        def first():
            with lock:
                computed.append(k)
            time.sleep(0.05)
            return value(k)

        start = float(pieces.get(f"first/{k}", 0, first)["value"])
        return float(pieces.get(f"second/{k}", 0, lambda: value(start + 100))["value"])

    def work(pieces, found):
        found.append(pieces.each([functools.partial(chain, pieces, k) for k in range(8)]))

    (one, _), (two, _) = worker(leads=True), worker()
    results = [[], []]
    threads = [threading.Thread(target=work, args=pair) for pair in zip((one, two), results, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [[[100.0 + k for k in range(8)]]] * 2
    assert sorted(computed) == list(range(8)) and one.computed + two.computed == 16
    assert min(one.computed, two.computed) >= 3


def test_calls_within_calls_go_on_elsewhere(worker):
    """A call whose own calls all wait is left for later, and the next one comes."""
    (pieces, _), (_, other) = worker(leads=True), worker()
    assert other.take(_lease("slow/0")) and other.take(_lease("slow/1"))
    order = []

    def piece(key):
        def compute():
            order.append(key)
            if key == "quick/1":
                other.give_back(_lease("slow/0"))
                other.give_back(_lease("slow/1"))
            return value(len(key))

        return pieces.get(key, 0, compute)["value"]

    def several(name):
        return pieces.each([functools.partial(piece, f"{name}/{k}") for k in range(2)])

    assert pieces.each([functools.partial(several, name) for name in ("slow", "quick")]) == [[6.0] * 2, [7.0] * 2]
    assert order == ["quick/0", "quick/1", "slow/0", "slow/1"]


def test_a_piece_of_a_lost_worker_is_taken_over(worker):
    (pieces, _), (_, other) = worker(leads=True, lost=0.3), worker(pulse=60.0)
    assert other.take(_lease("one"))
    since = time.monotonic()
    assert pieces.get("one", 0, lambda: value(1.0))["value"] == 1.0
    assert time.monotonic() - since >= 0.3


def test_one_that_wakes_up_saves_the_same_and_harms_nobody(worker, tmp_path):
    """It was taken for lost in the middle of a piece."""
    (pieces, _), (late, _) = worker(leads=True, lost=0.3), worker(pulse=60.0)

    def slowly():
        assert pieces.get("one", 0, lambda: value(1.0))["value"] == 1.0  # another takes it over meanwhile
        return value(1.0)

    assert late.get("one", 0, slowly)["value"] == 1.0
    assert pieces.get("one", 0, lambda: value(2.0))["value"] == 1.0
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["one.npz"]


def test_what_was_kept_counts_once(worker):
    counted = []
    (pieces, _), (again, _) = worker(), worker(advance=lambda count, doing: counted.append(count))
    pieces.get("one", 7, lambda: value(1.0))
    for _ in range(2):
        again.get("one", 7, lambda: value(2.0))
    again.begin()
    again.get("one", 7, lambda: value(2.0))
    assert counted == [7, 7]


def test_the_first_error_is_raised_whoever_comes_to_it_first(worker):
    (pieces, _), (_, other) = worker(leads=True), worker()
    assert other.take(_lease("first"))

    def first():
        pieces.get("first", 0, lambda: value(1.0))
        raise CFSError("the first")

    def second():
        other.give_back(_lease("first"))
        raise CFSError("the second")

    with pytest.raises(CFSError, match="the first"):
        pieces.each([first, second, lambda: pytest.fail("behind an error")])


def test_who_waits_asks_whether_to_stop(worker):
    def stop(count, doing):
        assert doing == "waiting for another worker"
        raise RunCancelled("stop")

    (pieces, _), (_, other) = worker(leads=True, advance=stop), worker()
    assert other.take(_lease("one"))
    with pytest.raises(RunCancelled):
        pieces.each([lambda: pieces.get("one", 0, lambda: value(1.0))])


def test_a_helper_saves_nothing_where_the_stage_was_closed_and_leaves_before_the_tables(worker, tmp_path):
    def closed(count, doing):
        raise RunCancelled("closed")

    (pieces, leases) = worker(advance=closed)
    with pytest.raises(RunCancelled):
        pieces.get("one", 0, lambda: value(1.0))
    assert not (tmp_path / "kept").exists() and leases.holder(_lease("one")) is None
    with pytest.raises(Left):
        pieces.alone()
    worker(leads=True)[0].alone()


def test_what_is_no_arrays_is_made_by_one(worker):
    (one, _), (two, _) = worker(), worker()
    made = []
    one.once("images", lambda: bool(made), lambda: made.append("one"))
    two.once("images", lambda: bool(made), lambda: made.append("two"))
    assert made == ["one"]


def test_a_folder_that_takes_nothing_is_no_fault_of_the_data(worker, monkeypatch):
    """It is raised at once, and not kept as what a call of several found."""
    pieces, leases = worker()

    def full(name):
        raise FolderError("the disk is full")

    monkeypatch.setattr(leases, "take", full)
    calls = [functools.partial(pieces.get, key, 1, lambda: {"x": np.zeros(1)}) for key in ("one", "two")]
    with pytest.raises(FolderError, match="the disk is full"):
        pieces.each(calls)


def test_a_piece_that_takes_another_keeps_its_patience(worker):
    now = iter(range(100))
    _, leases = worker(watch=lambda: next(now))
    assert leases.take("outer") and leases.take("inner")
    leases.give_back("inner")
    assert leases._since is not None
    leases.give_back("outer")
    assert leases._since is None
