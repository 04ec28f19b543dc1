"""How many processes measure a map: a trial where it is long, nothing where it is short, and what a run began with."""

import argparse
import json
import threading
import time

import numpy as np
import pytest
import torch

from cfs_explore.cli import workers
from cfs_explore.errors import CFSError, SpecError
from cfs_explore.jobs.helpers import Helpers, on_gpus
from cfs_explore.pipeline import explore, trial
from cfs_explore.pipeline.crew import join
from cfs_explore.pipeline.shards import SetShards
from cfs_explore.store import WorkersEntry, write_json
from cfs_explore.store.seal import has_seal, read_seal


class Team:
    """Helpers in threads of this process."""

    def __init__(self, run, comes=True, hired=True):
        self.run, self.comes, self.is_hired, self.load = run, comes, hired, 0.0
        self.hired, self.said, self.threads, self.ended, self.dismissed = [], [], [], [], 0

    def most(self):
        return 2

    def hire(self, count, threads):
        self.hired.append((count, threads))
        if self.comes:
            options = {"device": "cpu", "patience": float("inf"), "cancelled": lambda: bool(self.dismissed)}
            options["hired"] = self.is_hired
            self.threads.append(threading.Thread(target=self._help, kwargs=options))
            self.threads[-1].start()

    def _help(self, **options):
        try:
            join(self.run, **options)
        except CFSError as error:  # let go
            self.ended.append(error)

    def has_cores(self, count, threads):
        return count * threads <= 2

    def strangers(self):
        return self.load

    def dismiss(self):
        self.dismissed += 1

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def spec(tiny_spec):
    return tiny_spec(40, 30, name="trial", diagnostics="map", shard_size=4)


@pytest.fixture
def long(monkeypatch):
    """A trial that is worth it for every run, and soon done."""
    monkeypatch.setattr(trial, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(trial, "SECONDS", 0.2)


def test_a_short_map_is_measured_by_one_without_a_trial(spec, two_threads, tmp_path):
    team = Team(tmp_path / "run")
    run = explore(spec, team.run, device="cpu", team=team)
    assert run.manifest.workers == WorkersEntry(count=1, threads=2)
    assert not team.hired and not team.said


@pytest.mark.parametrize("gain", [0.0, 1e9])
def test_a_long_one_by_what_a_trial_finds_faster(gain, spec, two_threads, long, tmp_path, monkeypatch):
    """The numbers are those of one worker with as many threads."""
    monkeypatch.setattr(trial, "GAIN", gain)
    team = Team(tmp_path / "run")
    run = explore(spec, team.run, device="cpu", team=team)
    for thread in team.threads:
        thread.join(60)
    found = run.manifest.workers
    assert team.hired == [(2, 1)] and team.dismissed == (gain > 1)
    assert (found.count, found.threads) == ((1, 2) if gain > 1 else (2, 1))
    assert found.alone > 0 and found.together > 0
    assert "in 3 short turns, one with 2 threads did" in team.said[0] and "forwards/s, 2 with 1 each" in team.said[0]
    alone = explore(spec, tmp_path / "alone", device="cpu", threads=found.threads)
    np.testing.assert_array_equal(run.scores("id_test"), alone.scores("id_test"))


def test_helpers_that_do_not_come(spec, two_threads, long, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "PATIENCE", 0.5)
    team = Team(tmp_path / "run", comes=False)
    run = explore(spec, team.run, device="cpu", team=team)
    assert run.manifest.workers.count == 1 and run.manifest.workers.together is None
    assert team.dismissed == 1 and "were not there" in team.said[0]


def test_a_helper_that_nobody_hired_is_not_counted(spec, two_threads, long, tmp_path, monkeypatch):
    """It has joined by itself: that it came says nothing of those that were to be tried. It helps afterwards."""
    monkeypatch.setattr(trial, "PATIENCE", 1.0)
    team = Team(tmp_path / "run", hired=False)
    team.dismiss = lambda: None
    run = explore(spec, team.run, device="cpu", team=team)
    team.threads[0].join(60)
    assert run.manifest.workers.count == 1 and run.manifest.workers.together is None
    assert "were not there" in team.said[0] and not team.ended


@pytest.mark.parametrize(
    ("gains", "count"), [((1.3, 1.2, 1.4), 2), ((1.3, 1.04, 1.6), 1), ((0.9, 0.8, 1.0), 1), ((1.0, 5.0, 5.0), 1)]
)
def test_several_where_they_were_faster_in_every_turn(gains, count, spec, two_threads, long, tmp_path, monkeypatch):
    """One lucky turn is no gain, however large; what else the computer did is told."""
    turns = [trial._Turn(100.0, 100.0 * gain) for gain in gains]
    monkeypatch.setattr(trial, "_turns", lambda *arguments: turns)
    team = Team(tmp_path / "run", comes=False)
    team.load = 0.7
    found = explore(spec, team.run, device="cpu", team=team).manifest.workers
    assert (found.count, found.threads, found.alone) == (count, 2 // count, 100.0)
    assert found.together == pytest.approx(100 * sorted(gains)[1]) and team.dismissed == (count == 1)
    assert f"{min(gains):.2f} to {max(gains):.2f} times as many" in team.said[0]
    assert ("; not more than 1.05" in team.said[0]) == (count == 1)
    assert team.said[0].endswith(" Other processes used 0.7 of its 2 cores meanwhile.")


def test_one_process_and_several_take_turns(spec, two_threads, long, tmp_path, monkeypatch):
    """Each turn tries one with all threads, then all at once; helpers wait meanwhile."""
    speed, seen = trial._speed, []

    def watched(reader, rows, seconds):
        if seconds:
            seen.append((threading.current_thread() is threading.main_thread(), torch.get_num_threads()))
        return speed(reader, rows, seconds)

    monkeypatch.setattr(trial, "_speed", watched)
    team = Team(tmp_path / "run")
    explore(spec, team.run, device="cpu", team=team)
    team.dismiss()
    for thread in team.threads:
        thread.join(60)
    assert [threads for own, threads in seen if own] == [2, *[2, 1] * trial.TURNS]
    assert sum(not own for own, _ in seen) == trial.TURNS


def test_what_is_too_short_for_a_trial_settles_nothing_for_what_follows(tmp_path, monkeypatch):
    short = WorkersEntry(count=1, threads=2)
    monkeypatch.setattr(trial, "_tried", lambda *arguments: short)
    for whole, noted in ((False, None), (True, short)):
        assert trial.settle(tmp_path, None, None, 10, Team(tmp_path), lambda: None, whole=whole) == short
        assert trial.chosen(tmp_path) == noted


def test_a_finished_map_from_a_larger_computer_hires_nobody(spec, two_threads, tmp_path):
    """Diagnostics with the threads of eight cores would crowd the two that are here."""
    path = explore(spec | {"diagnostics": ["stability"]}, tmp_path / "run", device="cpu").path
    manifest = json.loads((path / "manifest.json").read_text()) | {"stages": {}}
    for (count, threads), hired in (((4, 2), []), ((2, 1), [(2, 1)])):
        write_json(path / "manifest.json", manifest | {"workers": {"count": count, "threads": threads}})
        team = Team(path, comes=False)
        explore(path / "spec.yaml", path, device="cpu", team=team)
        assert team.hired == hired


def test_a_run_goes_on_with_the_workers_that_it_began_with(spec, two_threads, tmp_path):
    team = Team(tmp_path / "run", comes=False)
    trial.note(team.run, WorkersEntry(count=2, threads=1, alone=10.0, together=20.0))
    run = explore(spec, team.run, device="cpu", team=team)
    assert team.hired == [(2, 1)] and not team.said
    assert run.manifest.workers == WorkersEntry(count=2, threads=1, alone=10.0, together=20.0)


def test_workers_that_were_asked_for_are_noted(spec, tmp_path):
    run = explore(spec, tmp_path / "run", device="cpu", threads=1, workers=3)
    assert run.manifest.workers == WorkersEntry(count=3, threads=1)


def test_an_administrator_bounds_them(tmp_path, monkeypatch):
    monkeypatch.setattr("cfs_explore.jobs.helpers.cores", lambda: 64)
    monkeypatch.setattr("cfs_explore.jobs.helpers.MOST_TRIED", 64)
    monkeypatch.setenv("CFS_EXPLORE_MAX_WORKERS", "2")
    assert Helpers(tmp_path).most() == 2
    monkeypatch.setenv("CFS_EXPLORE_MAX_WORKERS", "0")
    assert Helpers(tmp_path).most() == 1


def test_a_gpu_for_each_worker(monkeypatch):
    gpus = [f"cuda:{k}" for k in range(4)]
    monkeypatch.setattr("cfs_explore.pipeline.devices.usable_devices", lambda device=None: gpus)
    assert on_gpus(3, None) == ["cuda:0", "cuda:1", "cuda:2"]
    assert on_gpus(5, None) is None and on_gpus(1, None) is None and on_gpus(2, "cuda:1") is None


def test_how_the_command_line_asks(capsys):
    parser = argparse.ArgumentParser()
    workers.add(parser, "so")

    def asked(*words):
        return workers.chosen(parser.parse_args(words))

    assert asked() == {"workers": "auto", "devices": None, "address": None}
    assert asked("--workers", "3")["workers"] == 3 and asked("--workers", "auto")["workers"] == "auto"
    assert asked("--engine", "ray") == {"workers": None, "devices": None, "address": "auto"}
    assert asked("--devices", "cuda:0,cuda:1")["devices"] == ["cuda:0", "cuda:1"]
    with pytest.raises(SpecError, match="add --engine ray"):
        asked("--address", "10.0.0.1:6379")
    with pytest.raises(SystemExit):
        asked("--workers", "many")
    assert "a whole number or auto, not 'many'" in capsys.readouterr().err


def test_a_seal_settles_the_workers_first(spec, two_threads, long, tmp_path, monkeypatch):
    """ID-train is measured by all of them; the seal, the moments and the scores are those of one worker."""
    monkeypatch.setattr(trial, "GAIN", 0.0)
    team, compute, before = Team(tmp_path / "run"), SetShards.compute, []

    def slowly(self, index):
        own = threading.current_thread() is threading.main_thread()
        if self.work.folder.parents[1] == team.run and not has_seal(team.run):
            before.append((self.work.folder.name, own))
            time.sleep(0.2 * own)
        return compute(self, index)

    monkeypatch.setattr(SetShards, "compute", slowly)
    run = explore(spec | {"seal": True}, team.run, device="cpu", team=team)
    for thread in team.threads:
        thread.join(60)
    assert {name for name, _ in before} == {"id-train"} and {own for _, own in before} == {True, False}
    assert len(team.said) == 1 and team.hired == [(2, 1), (2, 1)]  # again for the map: nobody is missing then
    assert (run.manifest.workers.count, run.manifest.workers.threads) == (2, 1)
    alone = explore(spec | {"seal": True}, tmp_path / "alone", device="cpu", threads=1)
    np.testing.assert_array_equal(run.moments("id_train").mean, alone.moments("id_train").mean)
    np.testing.assert_array_equal(run.scores("id_test"), alone.scores("id_test"))
    np.testing.assert_allclose(read_seal(run.path).predicted, read_seal(alone.path).predicted, rtol=1e-3)
