"""A run with a stage whose workers, the leader too, are killed at random: bit by bit what one worker computes."""

import random
import time

import numpy as np
import pandas as pd
import pytest
import slow_workers

from cfs_explore.pipeline import explore
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

KILLS, HELPERS = 20, 2
STAGES = ["stability", "controls"]

pytestmark = pytest.mark.slow


class Workers:
    """A leader and helpers, started again when they end."""

    def __init__(self, spec, out):
        log = out.parent / "log.txt"
        helper = (slow_workers.help_out, (out, log))
        self._tasks = [(slow_workers.lead, (spec, out, log)), *[helper] * HELPERS]
        self._context = slow_workers.processes()
        self._running = [None] * len(self._tasks)

    def keep_going(self) -> bool:
        """Start those that are not there; whether the leader has finished."""
        for k, process in enumerate(self._running):
            if process is None or not process.is_alive():
                if k == 0 and process is not None and process.exitcode == 0:
                    return True
                target, arguments = self._tasks[k]
                self._running[k] = self._context.Process(target=target, args=arguments)
                self._running[k].start()
        return False

    def kill(self, k: int) -> None:
        self._running[k].kill()
        self._running[k].join()

    def end(self) -> None:
        for process in filter(None, self._running):
            process.kill()
            process.join()


def found(folder, pattern) -> list:
    """Files of a folder that others write and clear."""
    try:
        return list(folder.glob(pattern))
    except FileNotFoundError:
        return []


def measure(spec, out) -> list[tuple[int, str]]:
    """Kill a worker at random whenever some more shards or pieces are done; gives who, and what was under way then."""
    chance, killed, workers, next_one = random.Random(1), [], Workers(spec, out), 1
    try:
        while not workers.keep_going():
            time.sleep(0.02)
            work = out / "work"
            done = len(found(work, "*/shards/*.npz") + found(work, "diagnose/**/*.npz"))
            busy = sorted(path.name for path in found(work, "crew/*/taken/*"))
            if busy and len(killed) < KILLS and done >= next_one:
                k = chance.choice([0, 1, 1, 2, 2])
                workers.kill(k)
                killed.append((k, busy[0]))
                next_one = done + chance.choice([1, 2, 3])
    finally:
        workers.end()
    return killed


def test_twenty_killed_workers_change_no_bit(tiny_spec, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_CACHE_GB", "0")
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    few = {"taps": ["conv_in", "up_blocks.0.resnets.1"], "shard_size": 2}
    spec = tiny_spec(60, 20, name="killed", diagnostics=STAGES, **few)
    (tmp_path / "spec.yaml").write_text(RunSpec.parse(spec).to_yaml())
    killed = measure(tmp_path / "spec.yaml", tmp_path / "run")
    print(f"killed: {killed}")
    run, alone = open_run(tmp_path / "run"), explore(spec, tmp_path / "alone", device="cpu", threads=1)
    for which in (("id_train", None), ("id_test", None), ("ood", "bright")):
        for name in ("count", "mean", "m2", "m2_within"):
            np.testing.assert_array_equal(getattr(run.moments(*which), name), getattr(alone.moments(*which), name))
        if which[0] != "id_train":
            np.testing.assert_array_equal(run.scores(*which), alone.scores(*which))
    of_stages = [table for name in STAGES for table in DIAGNOSTICS[name].table_names]
    for table in ("auroc_map", "best_cell", "detectors", *of_stages):
        pd.testing.assert_frame_equal(run.table(table), alone.table(table), check_exact=True)
    assert {run.manifest.stages[name].state for name in STAGES} == {"done"}
    assert len(killed) == KILLS and {k for k, _ in killed} == {0, 1, 2}
    assert any("-" not in at for _, at in killed)  # at a stage's piece, too, whose lease has a digest for a name
