"""How many processes measure a map: a trial where it is long, nothing where it is short, and what a run began with."""

import argparse
import threading

import numpy as np
import pytest
import torch

from cfs_explore.cli import workers
from cfs_explore.errors import CFSError, SpecError
from cfs_explore.jobs.helpers import Helpers, on_gpus
from cfs_explore.pipeline import explore, trial
from cfs_explore.pipeline.crew import join
from cfs_explore.store import WorkersEntry


class Team:
    """Helpers in threads of this process."""

    def __init__(self, run, comes=True):
        self.run, self.comes = run, comes
        self.hired, self.said, self.threads, self.ended, self.dismissed = [], [], [], [], 0

    def most(self):
        return 2

    def hire(self, count, threads):
        self.hired.append((count, threads))
        if self.comes:
            options = {"device": "cpu", "patience": float("inf"), "cancelled": lambda: bool(self.dismissed)}
            self.threads.append(threading.Thread(target=self._help, kwargs=options))
            self.threads[-1].start()

    def _help(self, **options):
        try:
            join(self.run, **options)
        except CFSError as error:  # let go
            self.ended.append(error)

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
    assert "forwards/s, 2 with 1 each" in team.said[0]
    alone = explore(spec, tmp_path / "alone", device="cpu", threads=found.threads)
    np.testing.assert_array_equal(run.scores("id_test"), alone.scores("id_test"))


def test_helpers_that_do_not_come(spec, two_threads, long, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "PATIENCE", 0.5)
    team = Team(tmp_path / "run", comes=False)
    run = explore(spec, team.run, device="cpu", team=team)
    assert run.manifest.workers.count == 1 and run.manifest.workers.together is None
    assert team.dismissed == 1 and "had not started" in team.said[0]


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
