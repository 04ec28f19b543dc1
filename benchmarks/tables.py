"""How long all tables of the bundled exploration take on their own: run ``python benchmarks/tables.py``.

The stages that need forwards get random features at once in the place of the backbone's, so that their tables are
timed and nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from cfs_explore.extraction import Extractor
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import COMPUTE, Study
from cfs_explore.pipeline.tables import write_tables
from cfs_explore.store import open_run

GOAL = 20.0


class RandomFeatures:
    """Stands in for the forwards; notes the time it takes itself, which is not the tables'."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.seconds = 0.0

    def __call__(self, extractor: Extractor, x0: np.ndarray, noise: np.ndarray) -> np.ndarray:
        since = time.perf_counter()
        shape = (len(extractor.levels), *noise.shape[:2], extractor.width)
        features = self.rng.standard_normal(shape, dtype=np.float32)
        self.seconds += time.perf_counter() - since
        return features


def main() -> None:
    """Print the seconds of each group of tables and their sum."""
    random = RandomFeatures()
    Extractor.__call__ = lambda extractor, x0, noise: random(extractor, x0, noise)
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(BUNDLES / "digits", Path(folder) / "digits"))
        run = open_run(copy)
        study = Study(run, Progress())
        for role in ("id_train", "id_test"):
            study.sample(role)  # images read and backbone loaded beforehand
        for name in run.ood_names:
            study.sample("ood", name)
        since = time.perf_counter()
        write_tables(copy, run.manifest, Progress())
        total += (spent := time.perf_counter() - since)
        print(f"{'map':16} {spent:6.2f} s")
        for name, compute in COMPUTE.items():
            study.progress.start(name, 1, "")
            since, random.seconds = time.perf_counter(), 0.0
            compute(study)
            total += (spent := time.perf_counter() - since - random.seconds)
            print(f"{name:16} {spent:6.2f} s")
    print(f"{'all':16} {total:6.2f} s (goal: at most {GOAL:g} s)")


if __name__ == "__main__":
    main()
