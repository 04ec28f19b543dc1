"""What the engine adds to the work of its shards, and what a second worker gives (CPU).

Empty shards tell what the scheduler costs; shards that hold nothing but moments, what the leader can take in.

Usage: python benchmarks/engine.py [--shards 100000] [--rounds 3] [--images 1] [--address HOST:PORT of a Ray cluster]
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
LEVELS = [9, 7, 5, 3, 1, -1, -3, -5]
#: Bundle -> ID images, OOD images, and how many of each; 32 x 32 patches of photographs stand for CIFAR-10.
CASES = {
    "digits": ("digits", "letters", 250, 150),
    "cifar10-ddpm": ("photo-patches", "letters", 100, 60),
}


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=float, default=1.0, help="as a multiple of each case's")
    parser.add_argument("--address")
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f}")
    alone(options.shards)
    helped(options.shards // 10)
    taken_in()
    for name in CASES if options.rounds else ():
        several(name, options.rounds, options.images, options.address)


def alone(count: int) -> None:
    """The leader of a run has nobody to help it: milliseconds per empty shard."""
    shards = SimpleNamespace(work=SimpleNamespace(folder=Path("empty")), done=[], count=count)
    shards.forwards, shards.compute = (lambda index: 1), lambda index: {}
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(board, "facts_of", return_value={}),
        board.Lead(Path(folder)) as lead,
    ):
        leader = crew.Leader(lead, None, Progress())
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


def spec_of(name: str, share: float) -> dict:
    """A map of a bundle's backbone, of so many times its case's images."""
    id_images, ood, train, scored = CASES[name]
    return {
        "name": f"engine {name}",
        "backbone": {"path": str(ROOT / "precomputed" / name / "backbone")},
        "id": {"train": {"name": "ID", "source": {"builtin": id_images}, "limit": max(4, round(train * share))}},
        "ood": [{"name": "OOD", "source": {"builtin": ood}, "limit": max(2, round(scored * share))}],
        "levels": LEVELS,
        "diagnostics": "map",
    }


def several(name: str, rounds: int, share: float, address: str | None) -> None:
    """A backbone at 8 levels with one process on all cores, with one on one core, and with two, in turns: the time of
    measuring, and two against the better single one."""
    ways = {"one": ["--workers", "1"], "one, one thread": ["--workers", "1"], "two": ["--workers", "2"]}
    if address:
        ways["ray, two"] = ["--workers", "2", "--engine", "ray", "--address", address]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.yaml"
        spec.write_text(yaml.safe_dump(spec_of(name, share)))
        environment = os.environ | {"CFS_EXPLORE_RUNS": folder, "CFS_EXPLORE_CACHE_GB": "0", "PYTHONPATH": str(ROOT)}
        for turn in range(rounds):
            for way, more in ways.items():
                out = Path(folder) / f"{way}-{turn}"
                command = ["-m", "cfs_explore", "run", spec, "--out", out, "--device", "cpu", *more]
                limits = {"OMP_NUM_THREADS": "1"} if way.endswith("one thread") else {}
                done = subprocess.run(
                    [sys.executable, *command], capture_output=True, text=True, env=environment | limits
                )
                if done.returncode:
                    raise SystemExit(done.stderr)
                seconds[way].append(json.loads((out / "manifest.json").read_text())["timings"]["measuring"])
                print(f"  {name}, {way}: {seconds[way][-1]:.1f} s, load average {os.getloadavg()[0]:.1f}", flush=True)
    singles = {way: spent for way, spent in seconds.items() if way.startswith("one")}
    best = min(singles, key=lambda way: statistics.median(singles[way]))
    for way, spent in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(seconds[best], spent, strict=True))
        print(f"{name}, workers: {way}: {ratio:.2f} x as fast as the best single process ({best})")


if __name__ == "__main__":
    main()
