"""Work in the background: started once, reported step by step, its failures raised where the result is asked for."""

import threading
import time

import pytest

from cfs_explore.errors import CFSError, SourceError
from cfs_explore.ui import background


@pytest.fixture
def tasks(monkeypatch):
    """A registry of its own."""
    own = background._Tasks()
    monkeypatch.setattr(background, "_tasks", lambda: own)
    return own


def test_a_task_runs_once_and_is_kept(tasks):
    runs, go = [], threading.Event()

    def work(steps):
        runs.append(1)
        steps(3, 7)
        go.wait(60)
        return "done"

    first = background.task(("look", "a"), work)
    while not first.total:
        time.sleep(0.01)
    assert (first.done, first.total, first.ended, first.result()) == (3, 7, False, None)
    assert background.task(("look", "a"), work) is first
    background.wait([first], 0.01)
    assert not first.ended  # patience has an end
    go.set()
    assert first.wait(60) and first.result() == "done"
    assert background.task(("look", "a"), work).result() == "done" and runs == [1]


def test_a_failure_is_raised_and_tried_again_after_a_while(tasks, monkeypatch):
    runs = []

    def work(steps):
        runs.append(1)
        raise SourceError("it is gone")

    failed = background.task(("look", "b"), work)
    failed.wait(60)
    for _ in range(2):
        with pytest.raises(SourceError, match="it is gone"):
            background.task(("look", "b"), work).result()
    assert runs == [1]
    monkeypatch.setattr(background, "_RETRY_SECONDS", -1.0)
    background.task(("look", "b"), work).wait(60)
    assert runs == [1, 1]


@pytest.mark.parametrize(("failure", "raised"), [(SystemExit(3), RuntimeError), (MemoryError(), MemoryError)])
def test_whatever_ends_a_task_nobody_waits_for_ever(tasks, failure, raised):
    def work(steps):
        raise failure

    ended = background.task(("look", "c"), work)
    assert ended.wait(60)
    with pytest.raises(raised):
        ended.result()


def test_there_is_an_end_to_the_tasks_that_wait(tasks, monkeypatch):
    monkeypatch.setattr(background, "_MOST_OPEN", 3)
    go, threads = threading.Event(), threading.active_count()
    waiting = [background.task(("full", i), lambda steps: go.wait(60)) for i in range(3)]
    refused = background.task(("full", 3), lambda steps: pytest.fail("it ran"))
    assert refused.ended and threading.active_count() == threads + 3
    with pytest.raises(CFSError, match="busy"):
        refused.result()
    go.set()
    assert all(each.wait(60) for each in waiting)
    assert background.task(("full", 3), lambda steps: 1).wait(60)  # it was not remembered as failed


def test_long_work_of_one_kind_keeps_another_kind_from_nothing(tasks):
    go = threading.Event()
    long = [background.task(("full", i), lambda steps: go.wait(60)) for i in range(5)]
    quick = background.task(("quick", 0), lambda steps: 1)
    assert quick.wait(60) and not any(each.ended for each in long)
    go.set()
    assert all(each.wait(60) for each in long)


def test_only_ended_tasks_are_forgotten(tasks, monkeypatch):
    monkeypatch.setattr(background, "_KEPT", 2)
    go = threading.Event()
    at_work = background.task(("slow", 0), lambda steps: go.wait(60))
    for i in range(4):
        background.task(("fast", i), lambda steps: 1).wait(60)
    assert ("slow", 0) in tasks._kept and len(tasks._kept) <= 3
    go.set()
    assert at_work.wait(60)
