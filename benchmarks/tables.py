"""How long all tables of the bundled exploration take on their own: run ``python benchmarks/tables.py``.

The stages that need forwards run twice, on random features in the place of the backbone's: the second time, timed, they
find what the forwards leave behind, and compute their tables.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline.diagnose import compute_of
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.tables import write_tables
from cfs_explore.readings.loop import Reader
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

GOAL = 20.0


class RandomFeatures:
    """Stands in for the forwards."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, reader: Reader, x0: np.ndarray, noise: np.ndarray) -> np.ndarray:
        shape = (len(reader.levels), *noise.shape[:2], reader.width)
        return self.rng.standard_normal(shape, dtype=np.float32)


def main() -> None:
    """Print the seconds of each group of tables and their sum."""
    random = RandomFeatures()
    Reader.__call__ = lambda reader, x0, noise, ids=None: random(reader, x0, noise)
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(BUNDLES / "digits", Path(folder) / "digits"))
        run = open_run(copy)
        study = Study(run, Progress())
        study.progress.start("reading", 1, "")
        for role in ("id_train", "id_test"):
            study.sample(role)  # images read and backbone loaded beforehand
        for name in run.ood_names:
            study.sample("ood", name)
        since = time.perf_counter()
        write_tables(copy, run.manifest, Progress())
        total += (spent := time.perf_counter() - since)
        print(f"{'map':16} {spent:6.2f} s")
        for name, diagnostic in DIAGNOSTICS.items():
            compute = compute_of(diagnostic)
            study.progress.start(name, 1, "")
            compute(study)  # what the forwards leave behind is kept
            since = time.perf_counter()
            compute(study)
            total += (spent := time.perf_counter() - since)
            print(f"{name:16} {spent:6.2f} s")
    print(f"{'all':16} {total:6.2f} s (goal: at most {GOAL:g} s)")


if __name__ == "__main__":
    main()
