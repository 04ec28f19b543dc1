"""How workers share a computer, and what a helper reads of the run's board."""

import os
import shutil
import signal
import sys
import time
from types import SimpleNamespace

import pytest

from cfs_explore.errors import RunCancelled, RunError, SpecError
from cfs_explore.jobs import machine, work
from cfs_explore.jobs.helpers import Helpers, _join, helpers, share, turn_on
from cfs_explore.pipeline.board import Board, _versions


def test_how_workers_share_a_computer():
    assert share(1, None) == ([None], None)
    assert share(2, None) == ([None, None], max(1, os.cpu_count() // 2))
    assert share(1, ["cuda:0", " cuda:1"])[0] == ["cuda:0", "cuda:1"]
    with pytest.raises(SpecError, match="a whole number from 1 to 4096"):
        share(0, None)
    with pytest.raises(SpecError, match="a whole number from 1 to 4096"):
        share(4097, None)
    with pytest.raises(SpecError, match="do not fit"):
        share(3, ["cuda:0", "cuda:1"])
    with pytest.raises(SpecError, match="one of those given is empty"):
        share(1, ["cuda:0", ""])


def test_a_helper_that_cannot_help_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with helpers(tmp_path, [None], 1):
        time.sleep(0.5)  # it ends
    assert capsys.readouterr().err == "Helper 1 broke off: helper-1.txt in the run's folder says why.\n"


def test_what_an_actor_says_is_in_its_log(tmp_path, monkeypatch, capfd):
    """Such as why it cannot help with a diagnostic, which is no error of the run."""
    monkeypatch.setattr("cfs_explore.pipeline.crew.join", lambda run, *, say, **options: say("cannot help with that"))
    _join(tmp_path, "cpu", 1, {})
    assert capfd.readouterr().out == "cannot help with that\n"


def test_what_others_use_of_the_cores(tmp_path, monkeypatch):
    """All that the cores did between two questions, but for this process and its helpers."""
    clock, spent, team = [100.0], {None: 1000.0, os.getpid(): 50.0, 7: 5.0}, Helpers(tmp_path)
    monkeypatch.setattr("cfs_explore.jobs.helpers.cpu_seconds", lambda pid=None: spent[pid])
    monkeypatch.setattr("cfs_explore.jobs.helpers.time.monotonic", lambda: clock[0])
    team._started = [SimpleNamespace(pid=7)]
    team.strangers()
    clock[0] += 4
    spent.update({None: 1010.0, os.getpid(): 54.0, 7: 8.0})
    assert team.strangers() == pytest.approx(3 / 4)
    monkeypatch.undo()
    team._started = [SimpleNamespace(pid=2**22 + 1)]
    assert team.strangers() is None  # that one has ended
    team._started = []
    assert team.strangers() >= 0 and team.has_cores(1, 1) and not team.has_cores(2, machine.cores())


def test_what_a_helper_said_goes_where_all_went_well(tmp_path, monkeypatch):
    for ends, left in (("true", []), ("false", ["helper-1.txt"])):
        monkeypatch.setattr(sys, "executable", shutil.which(ends))
        with helpers(tmp_path, [None], 1):
            assert (tmp_path / "helper-1.txt").exists()
            time.sleep(0.5)
        assert [path.name for path in tmp_path.glob("helper-*.txt")] == left


def test_helpers_that_are_let_go_leave_nothing(tmp_path, monkeypatch, capsys):
    """As after a trial that one process wins; one that had broken off is named, and what it said stays."""
    sleeps = tmp_path / "sleeps"
    sleeps.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeps.chmod(0o755)
    monkeypatch.setattr("cfs_explore.jobs.helpers.Helpers.most", lambda self: 2)
    for program, left in ((str(sleeps), []), (shutil.which("false"), ["helper-1.txt"])):
        monkeypatch.setattr(sys, "executable", program)
        with Helpers(tmp_path) as team:
            team.hire(2, 1)
            process = team._started[0]
            time.sleep(0.5 * bool(left))  # it ends
            team.dismiss()
            assert process.poll() is not None and [path.name for path in tmp_path.glob("helper-*.txt")] == left
    assert capsys.readouterr().err.count("broke off") == 1


def test_memory_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CONTAINER", tmp_path)
    whole = machine.free_memory()
    for name, text in (("max", "3000\n"), ("current", "1500\n"), ("stat", "anon 900\ninactive_file 500\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert machine.free_memory() == 2000 < whole
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory() > 2000


def test_no_helper_where_there_are_no_pieces(quick_run, tmp_path):
    """Of a finished map, only diagnostics with forwards can be shared."""
    run = shutil.copytree(quick_run.path, tmp_path / "run")
    work(run, stages=["separation"], device="cpu", workers=2)
    assert not list(run.glob("helper-*.txt"))


def test_helpers_end_within_seconds_also_where_one_is_stopped(tmp_path):
    with helpers(tmp_path, [None, None], 1) as crew:
        processes = list(crew._started)
        processes[0].send_signal(signal.SIGSTOP)
        since = time.monotonic()
    assert time.monotonic() - since < 5 and all(process.poll() is not None for process in processes)


def test_a_board_that_cannot_be_read_for_a_moment_does_not_send_a_helper_home(tmp_path, monkeypatch):
    board = Board(tmp_path)
    facts = {"versions": _versions(), "sets": ["id-train"]}
    answers = iter([None, facts])
    monkeypatch.setattr(Board, "read", lambda self: next(answers))
    assert board.next(lambda: False) == facts


def test_a_leader_of_another_version_that_takes_over_is_refused(tmp_path, monkeypatch):
    facts = {"versions": _versions() | {"torch": "1"}}
    monkeypatch.setattr(Board, "read", lambda self: facts)
    with pytest.raises(RunError, match="torch 1 there"):
        Board(tmp_path).next(lambda: False)


def test_a_helper_on_a_gpu_waits_for_its_turn(monkeypatch, tmp_path):
    """As a run does; on a CPU it shares the leader's cores."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    monkeypatch.setattr("cfs_explore.pipeline.devices.usable_devices", lambda device: [device])
    said, asked = [], iter([False, True])
    with turn_on("cuda:1", said.append, lambda: False):
        with pytest.raises(RunCancelled), turn_on("cuda:1", said.append, lambda: next(asked)):
            pass
        with turn_on("cuda:0", said.append, lambda: True), turn_on("cpu", said.append, lambda: True):
            pass
    assert said and set(said) == {"cuda:1 is used by other runs, place 1 in the queue"}
