"""What the parts of ``reliability.py`` share: checks, a small run, its worker, and whether two runs are equal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from cfs_explore.locations import BUNDLES, PROJECT
from cfs_explore.store import Run, open_run

_CLASSES = [0, 1, 2, 3, 4, 5, 6]
#: Of the manifest, what may differ between two runs of one spec.
_OF_THE_OCCASION = ("created", "timings", "measured")


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        part: of the script.
        what: was tried.
        found: what came of it.
        ok: whether it is as it should be; None where nothing is expected.
    """

    part: str
    what: str
    found: str
    ok: bool | None = None


def as_table(checks: list[Check]) -> str:
    """Markdown."""
    words = {True: "yes", False: "**NO**", None: ""}
    rows = [f"| {c.part} | {c.what} | {c.found} | {words[c.ok]} |" for c in checks]
    return "\n".join(["| part | what | found | as expected |", "|---|---|---|---|", *rows])


def note(text: str) -> None:
    """Tell whoever waits what is going on."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def small_spec(**changes) -> dict:
    """A run of every stage of the pipeline in well under a minute: 18 shards, three diagnostics, one with forwards."""

    def digits(name: str, split: str, limit: int, kind: str = "digits") -> dict:
        return {"name": name, "source": {"builtin": kind, "classes": _CLASSES, "split": split}, "limit": limit}

    return {
        "name": "Small",
        "backbone": {"path": str(BUNDLES / "digits" / "backbone")},
        "id": {"train": digits("digits", "train", 56), "test": digits("unseen digits", "test", 24)},
        "ood": [
            {"name": "letters", "source": {"builtin": "letters"}, "limit": 32},
            digits("upside down", "test", 32, "digits-flipped"),
        ],
        "levels": [7, 3, -1],
        "draws": 2,
        "shard_size": 8,
        "batch_size": 16,
        "diagnostics": ["complementarity", "separation", "stability"],
    } | changes


def write_run(run: Path, spec: dict) -> Path:
    """A run directory that holds nothing but its spec."""
    run.mkdir(parents=True)
    (run / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return run


def environment(runs: Path, **changes: str) -> dict[str, str]:
    """Of processes whose runs live in ``runs``."""
    return os.environ | {"CFS_EXPLORE_RUNS": str(runs), "OMP_NUM_THREADS": "1"} | changes


def start_worker(run: Path, *options: str, runs: Path | None = None, **changes: str) -> subprocess.Popen:
    """``cfs-explore run`` in a process group of its own; what it prints goes to ``<run>.txt`` beside the run."""
    with run.with_name(f"{run.name}.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "cfs_explore", "run", str(run), *options],
            env=environment(runs or run.parent, **changes),
            cwd=PROJECT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def printed(run: Path) -> str:
    """What the workers of a run printed."""
    return run.with_name(f"{run.name}.txt").read_text(encoding="utf-8", errors="replace")


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to the process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(true: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def state_of(run: Path) -> tuple[str, str]:
    """State and stage in status.json; empty before it is there."""
    try:
        told = json.loads((run / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "", ""
    return told["state"], told["stage"]


def differences(left: Path, right: Path) -> list[str]:
    """In what two finished runs of one spec differ, to the last bit of every number; empty when in nothing."""
    runs = [open_run(left), open_run(right)]
    found = [] if _facts(runs[0]) == _facts(runs[1]) else ["manifest"]
    names = [sorted(path.name for path in (run.path / "tables").iterdir()) for run in runs]
    if names[0] != names[1]:
        return [*found, "the tables that are there"]
    for name in ["images.parquet", *(f"tables/{name}" for name in names[0])]:
        try:
            pd.testing.assert_frame_equal(*(pd.read_parquet(run.path / name) for run in runs), check_exact=True)
        except AssertionError:
            found.append(name)
    for name, arrays in zip(("scores", "moments", "snapshots"), zip(*map(_arrays, runs), strict=True), strict=True):
        if not all(a.tobytes() == b.tobytes() for a, b in zip(*arrays, strict=True)):
            found.append(name)
    return found


def identical_files(left: Path, right: Path) -> tuple[int, int]:
    """Of the tables and arrays of two runs: files of equal bytes, and files."""
    digests = [
        {
            str(path.relative_to(run)): hashlib.blake2b(path.read_bytes()).digest()
            for folder in ("tables", "scores.zarr", "moments.zarr", "snapshots.zarr")
            for path in (run / folder).rglob("*")
            if path.is_file()
        }
        for run in (left, right)
    ]
    return sum(digests[1].get(name) == digest for name, digest in digests[0].items()), len(digests[0])


def _facts(run: Run) -> dict:
    content = run.manifest.model_dump(exclude=set(_OF_THE_OCCASION))
    content["stages"] = {name: entry | {"seconds": 0} for name, entry in content["stages"].items()}
    return content


def _arrays(run: Run) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    sets = [(entry.role, entry.name) for entry in run.manifest.sets]
    scores = [run.scores(*key) for key in sets if key[0] != "id_train"]
    moments = [value for key in sets for value in map(np.asarray, run.moments(*key).to_arrays().values())]
    return scores, moments, [run.snapshots(tap, *key) for tap in run.manifest.kept["taps"] for key in sets]


@contextlib.contextmanager
def ended(processes: list[subprocess.Popen]) -> Iterator[list[subprocess.Popen]]:
    """None of them outlives the body."""
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                kill(process)
