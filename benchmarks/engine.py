"""What the engine adds to the work of its shards, and what a second worker gives (CPU).

Empty shards tell what the scheduler costs; shards that hold nothing but moments, what the leader can take in.

Usage: python benchmarks/engine.py [--shards 10000] [--rounds 3] [--address HOST:PORT of a Ray cluster]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import yaml

from cfs_explore.engine import Crew, Leases
from cfs_explore.pipeline import board, crew
from cfs_explore.pipeline.progress import Progress
from cfs_explore.scoring import Moments
from cfs_explore.store import SetWork

ROOT = Path(__file__).resolve().parents[1]
DIGITS = {
    "name": "engine",
    "backbone": {"path": str(ROOT / "precomputed" / "digits" / "backbone")},
    "id": {"train": {"name": "digits", "source": {"builtin": "digits"}, "limit": 250}},
    "ood": [{"name": "letters", "source": {"builtin": "letters"}, "limit": 150}],
    "levels": [9, 7, 5, 3, 1, -1, -3, -5],
    "diagnostics": "map",
}


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--address")
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f}")
    alone(options.shards)
    helped(options.shards // 10)
    taken_in()
    if options.rounds:
        digits(options.rounds, options.address)


def alone(count: int) -> None:
    """The leader of a run has nobody to help it: milliseconds per empty shard."""
    shards = SimpleNamespace(work=SimpleNamespace(folder=Path("empty")), done=[], count=count)
    shards.forwards, shards.compute = (lambda index: 1), lambda index: {}
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(board, "facts_of", return_value={}),
        crew.Leader(Path(folder), None, Progress()) as leader,
    ):
        leader.open([shards])
        start = time.perf_counter()
        for index in range(count):
            leader.result(shards, index)
        print(f"leader alone, {count:,} empty shards: {1000 * (time.perf_counter() - start) / count:.2f} ms each")


def helped(count: int) -> None:
    """A helper does every shard and the leader takes it, one after the other: what both spend."""
    with tempfile.TemporaryDirectory() as folder, Leases(Path(folder)) as one, Leases(Path(folder)) as two:
        leader, helper = Crew(Path(folder), one), Crew(Path(folder), two)
        spent = {"helper": 0.0, "leader": 0.0}
        for name in (f"empty-{index:06d}" for index in range(count)):
            start = time.perf_counter()
            helper.help([name], lambda name: {"value": np.zeros(1)}, lambda name: True)
            middle = time.perf_counter()
            leader.get([name], lambda name: {})
            leader.forget(name)
            spent["helper"] += middle - start
            spent["leader"] += time.perf_counter() - middle
    print(", ".join(f"{who}: {1000 * seconds / count:.2f} ms" for who, seconds in spent.items()), "per empty shard")


def taken_in(megabytes: float = 12.0, count: int = 20) -> None:
    """Results of helpers that are moments only: what the leader spends on reading, merging and storing them."""
    values = np.random.default_rng(0).random((8, int(megabytes * 1e6 / 3 / 8 / 8)))
    one = Moments(2, values, values, values).to_arrays()
    total = None
    with tempfile.TemporaryDirectory() as folder, Leases(Path(folder)) as mine, Leases(Path(folder)) as other:
        leader, helper, spent = Crew(Path(folder), mine), Crew(Path(folder), other), 0.0
        work = SetWork(Path(folder) / "set")
        for index in range(count):
            name = f"moments-{index:06d}"
            helper.help([name], lambda name: one, lambda name: True)
            start = time.perf_counter()
            found = Moments.from_arrays(leader.get([name], lambda name: {}))
            leader.forget(name)
            total = found if total is None else total.merge(found)
            work.finish_shard(index, {}, total.to_arrays())
            spent += time.perf_counter() - start
    size = sum(np.asarray(each).nbytes for each in one.values()) / 1e6
    print(f"the leader takes a shard with {size:.0f} MB of moments in {1000 * spent / count:.0f} ms")


def digits(rounds: int, address: str | None) -> None:
    """The digits backbone, 400 images at 8 levels, with one worker and with more, in turns: the time of measuring."""
    ways = {"one": [], "two": ["--workers", "2"]}
    if address:
        ways["ray, two"] = ["--workers", "2", "--engine", "ray", "--address", address]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.yaml"
        spec.write_text(yaml.safe_dump(DIGITS))
        environment = os.environ | {"CFS_EXPLORE_RUNS": folder, "CFS_EXPLORE_CACHE_GB": "0", "PYTHONPATH": str(ROOT)}
        for turn in range(rounds):
            for way, more in ways.items():
                out = Path(folder) / f"{way}-{turn}"
                command = ["-m", "cfs_explore", "run", spec, "--out", out, "--device", "cpu", *more]
                subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
                seconds[way].append(json.loads((out / "manifest.json").read_text())["timings"]["measuring"])
                print(f"  {way}: {seconds[way][-1]:.1f} s, load average {os.getloadavg()[0]:.1f}", flush=True)
    for way, spent in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(seconds["one"], spent, strict=True))
        print(f"digits, workers: {way}: {ratio:.2f} x as fast as one")


if __name__ == "__main__":
    main()
