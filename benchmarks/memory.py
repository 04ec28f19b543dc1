"""Peak memory of a run with 2,000 and with 20,000 OOD images, each in its own process.

Usage: python benchmarks/memory.py
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from cfs_explore.locations import BUNDLES

COUNTS = (2_000, 20_000)
GOAL_MB = 200


def main() -> None:
    """Print both peaks and their difference."""
    peaks = {}
    for count in COUNTS:
        done = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=True)
        peaks[count] = json.loads(done.stdout.splitlines()[-1])["peak_mb"]
        print(f"{count:,} images: peak {peaks[count]:.0f} MB")
    growth = peaks[COUNTS[1]] - peaks[COUNTS[0]]
    print(f"growth: {growth:.0f} MB (goal: at most {GOAL_MB} MB)")


def measure(count: int) -> None:
    """One run of ``count`` OOD images on the digits backbone, with its stored ID statistics."""
    from cfs_explore.pipeline import explore

    with tempfile.TemporaryDirectory() as folder:
        pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16), dtype=np.uint8)
        np.save(Path(folder) / "images.npy", pixels)
        del pixels
        spec = {
            "name": "memory",
            "backbone": {"path": str(BUNDLES / "digits" / "backbone")},
            "id": {"run": "digits"},
            "ood": [{"name": "noise", "source": str(Path(folder) / "images.npy")}],
            "levels": [9, 5, 1],
            "diagnostics": "all",
        }
        explore(spec, Path(folder) / "run", device="cpu")
    print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
    else:
        main()
