"""A piece of work has one owner, who loses it without a pulse; clocks do not matter, and waking late does no harm."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cfs_explore.engine import Leases
from cfs_explore.errors import RunError


class Watch:
    """Seconds that go by when they are told to."""

    def __init__(self, now: float = 0.0):
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def worker(tmp_path):
    """Workers of one folder whose pulse beats only when they are told to, each with its own watch."""
    opened = []

    def make(now: float = 0.0) -> Leases:
        watch = Watch(now)
        leases = Leases(tmp_path / "crew", lost=10, pulse=3600, watch=watch).__enter__()
        leases.watch = watch
        opened.append(leases)
        return leases

    yield make
    for leases in opened:
        leases.__exit__(None, None, None)


def test_a_piece_has_one_owner(worker):
    one, two = worker(), worker()
    assert one.take("a") and not two.take("a") and not one.take("a")
    assert two.take("b")
    one.give_back("a")
    assert two.take("a")


def test_others_are_those_whose_pulse_beats(worker):
    one, two = worker(), worker()
    assert one.others() == [two.worker] and two.others() == [one.worker]
    one.watch.now = 11
    assert one.others() == []
    two.beat()
    assert one.others() == [two.worker]


def test_without_a_pulse_it_is_lost_and_another_takes_it(worker):
    one, two = worker(), worker()
    assert one.take("a")
    assert not two.take("a")  # looks at the pulse for the first time
    two.watch.now = 9.9
    assert not two.take("a")
    two.watch.now = 10.1
    assert two.take("a")


def test_a_slow_worker_with_a_pulse_keeps_it(worker):
    one, two = worker(), worker()
    assert one.take("a")
    for now in range(0, 100, 5):
        one.beat()
        two.watch.now = now
        assert not two.take("a")


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_may_differ(worker, hours):
    one, two = worker(), worker(3600.0 * hours)
    assert one.take("a") and not two.take("a")
    two.watch.now += 9
    assert not two.take("a")
    two.watch.now += 2
    assert two.take("a")


def test_who_wakes_late_takes_nothing_away(worker):
    one, two, three = worker(), worker(), worker()
    assert one.take("a") and not two.take("a")
    two.watch.now = 11
    assert two.take("a")
    one.give_back("a")  # it thinks that it still has it
    assert not three.take("a")


def test_of_many_who_want_a_lost_piece_one_gets_it(worker):
    """Many times, as one takes over in a moment that the others seldom meet."""
    dead, others = worker(), [worker() for _ in range(8)]
    pieces = [str(number) for number in range(50)]
    for piece in pieces:
        assert dead.take(piece)
        for each in others:
            assert not each.take(piece)
    for each in others:
        each.watch.now = 11
    start = threading.Barrier(len(others))

    def want(each):
        start.wait()
        return [piece for piece in pieces if each.take(piece)]

    with ThreadPoolExecutor(len(others)) as threads:
        got = sorted(piece for taken in threads.map(want, others) for piece in taken)
    assert got == sorted(pieces)


def test_one_that_is_lost_while_it_takes_over_holds_nothing_up(worker):
    dead, heir, other = worker(), worker(), worker()
    assert dead.take("a") and heir.take("a.heir")
    assert not other.take("a")
    other.watch.now = 11
    assert not other.take("a")  # looks at the heir's pulse for the first time
    other.watch.now = 22
    assert other.take("a") and other.holder("a") == other.worker


def test_a_link_that_was_made_and_is_said_to_have_been_there_counts(worker, monkeypatch):
    """As a server of files says that answers the same request twice: the piece would be nobody's for ever."""
    one, two, link = worker(), worker(), os.link

    def said_twice(source, path):
        link(source, path)
        raise FileExistsError

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", said_twice)
        assert one.take("a")
    assert not one.take("a") and not two.take("a")
    one.give_back("a")
    assert two.take("a")


def test_a_pulse_stops_when_a_piece_takes_too_long(tmp_path):
    """A worker that hangs has a thread whose pulse would go on for ever."""
    watch = Watch()
    with Leases(tmp_path, lost=1, pulse=0.01, watch=watch, patience=lambda: 5.0) as leases:
        assert leases.take("a")
        path = tmp_path / "pulses" / leases.worker

        def changes() -> bool:
            before = path.read_text()
            return any(path.read_text() != before for _ in range(40) if not threading.Event().wait(0.01))

        assert changes()
        watch.now = 6
        threading.Event().wait(0.05)
        assert not changes()
        leases.give_back("a")
        assert changes()


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    import shutil

    with Leases(tmp_path / "crew") as leases:
        shutil.rmtree(tmp_path / "crew")
        with pytest.raises(RunError, match="does not take what this worker wants to work on"):
            leases.take("a")
