"""Results come in order and are the same whoever computes them; what is lost or damaged is computed again."""

import threading

import numpy as np
import pytest

from cfs_explore.engine import Crew, Leases, clear

NAMES = [f"piece-{k:02d}" for k in range(12)]


def compute(name: str) -> dict[str, np.ndarray]:
    return {"value": np.arange(3) * int(name[-2:])}


@pytest.fixture
def crew(tmp_path):
    """Members of one crew."""
    opened = []

    def make(**options) -> Crew:
        leases = Leases(tmp_path, **({"lost": 0.2, "pulse": 0.02} | options)).__enter__()
        opened.append(leases)
        found = Crew(tmp_path, leases)
        found.leases = leases
        return found

    yield make
    for leases in opened:
        leases.__exit__(None, None, None)


def take_all(leader: Crew, computing=compute) -> list[int]:
    values = []
    for place in range(len(NAMES)):
        values.append(int(leader.get(NAMES[place:], computing)["value"][1]))
        leader.forget(NAMES[place])
    return values


def test_alone(crew):
    assert take_all(crew()) == list(range(12))


def test_helpers_compute_what_the_leader_takes(crew):
    leader, helper, by = crew(), crew(), []

    def noted(who):
        def inner(name):
            by.append((who, name))
            threading.Event().wait(0.02)
            return compute(name)

        return inner

    end = threading.Event()

    def serve():
        while not end.is_set():
            helper.help(NAMES, noted("helper"), lambda name: not end.is_set())

    thread = threading.Thread(target=serve)
    thread.start()
    values = take_all(leader, noted("leader"))
    end.set()
    thread.join()
    assert values == list(range(12))
    assert {who for who, _ in by} == {"leader", "helper"}


def test_what_nobody_wants_any_more_is_not_computed(crew):
    helper = crew()
    assert helper.help(NAMES[:1], lambda name: pytest.fail("it was computed"), lambda name: False)
    assert helper.leases.take(NAMES[0])  # given back


def test_nothing_to_help_with(crew):
    assert not crew().help([], compute, lambda name: True)


def test_a_damaged_result_is_computed_again(crew, tmp_path):
    leader, helper = crew(), crew()
    assert helper.help(NAMES, compute, lambda name: True)
    path = tmp_path / "results" / f"{NAMES[0]}.npz"
    path.write_bytes(path.read_bytes()[:-30])
    assert take_all(leader) == list(range(12))


def test_a_lost_helper_s_piece_is_done_by_another(crew):
    """It has taken the first piece, and its pulse has stopped: the leader does the others first, then that one."""
    lost, leader, order = crew(pulse=3600), crew(), []

    def noted(name):
        order.append(name)
        return compute(name)

    assert lost.leases.take(NAMES[0])
    assert take_all(leader, noted) == list(range(12))
    assert sorted(order) == NAMES and order[-1] == NAMES[0]


def test_an_error_gives_the_piece_back(crew):
    leader, other = crew(), crew()

    def fails(name):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        leader.get(NAMES[:1], fails)
    assert other.leases.take(NAMES[0])


def test_a_result_that_comes_after_the_leader_has_gone_leaves_nothing(crew, tmp_path):
    """The folder would be made again, in a run that is finished."""
    helper = crew()

    def compute_late(name):
        clear(tmp_path)
        return compute(name)

    assert helper.help(NAMES, compute_late, lambda name: True)
    assert not tmp_path.exists()
