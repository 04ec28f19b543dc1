"""Memory and disk of a run against the number of its images: a folder of small pictures, seen by a small network (CPU).

Usage: python benchmarks/inputs.py [--images 60000 180000] [--inputs-gb 0 4]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import yaml
from PIL import Image

from cfs_explore.locations import disk_used

ROOT = Path(__file__).resolve().parents[1]
SIDE = 32
NETWORK = {
    "sample_size": SIDE,
    "in_channels": 1,
    "out_channels": 1,
    "layers_per_block": 1,
    "block_out_channels": (4, 8),
    "down_block_types": ("DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D"),
    "norm_num_groups": 2,
}


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs="+", default=[60_000, 180_000])
    parser.add_argument("--inputs-gb", type=float, nargs="+", default=[0.0, 4.0])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        backbone = network(Path(home))
        pictures = Path(home) / "pictures"
        for count in sorted(options.images):
            draw(pictures, count)
            for limit in options.inputs_gb:
                measure(Path(home), backbone, pictures, count, limit)


def network(home: Path) -> Path:
    """An untrained network in a diffusers folder."""
    from diffusers import DDPMScheduler, UNet2DModel

    UNet2DModel(**NETWORK).save_pretrained(home / "backbone" / "unet")
    DDPMScheduler().save_pretrained(home / "backbone" / "scheduler")
    return home / "backbone"


def draw(folder: Path, count: int) -> None:
    """Fill the folder up to so many grey pictures of noise, a thousand in each subfolder."""
    for index in range(count):
        path = folder / f"{index // 1000:04d}" / f"{index:07d}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(index).integers(0, 256, (SIDE, SIDE), np.uint8)
            Image.fromarray(pixels).save(path, compress_level=1)


def measure(home: Path, backbone: Path, pictures: Path, count: int, limit: float) -> None:
    """One run, watched from outside."""
    spec, out = home / "spec.yaml", home / f"run-{count}-{limit:g}"
    content = {
        "name": "inputs",
        "backbone": {"path": str(backbone)},
        "id": {"train": {"name": "digits", "source": {"builtin": "digits"}, "limit": 300}},
        "ood": [{"name": "noise", "source": str(pictures)}],
        "levels": [5],
        "taps": "sparse_ed",
        "keep": "none",
        "diagnostics": "map",
    }
    spec.write_text(yaml.safe_dump(content))
    settings = {"CFS_EXPLORE_RUNS": str(home), "CFS_EXPLORE_CACHE_GB": "0", "CFS_EXPLORE_INPUTS_GB": f"{limit:g}"}
    command = [sys.executable, "-m", "cfs_explore", "run", str(spec), "--out", str(out), "--device", "cpu"]
    start, inputs, rows, disk = time.perf_counter(), 0, 0, 0
    with subprocess.Popen(
        command, env=os.environ | settings | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    ) as run:
        watched, most, measuring = psutil.Process(run.pid), 0, 0
        while run.poll() is None:
            try:
                now = watched.memory_info()
            except psutil.NoSuchProcess:
                break
            own = now.rss - now.shared  # pages of a file that is mapped are the system's to take back
            most = max(most, own)
            measuring = max(measuring, own) if (out / "work" / "ood-00" / "moments.npz").is_file() else measuring
            inputs = max(inputs, sum(path.stat().st_size for path in out.glob("work/*/inputs.npy")))
            rows = max(rows, sum(path.stat().st_size for path in out.glob("work/*/rows.parquet")))
            disk = max(disk, disk_used(out))
            time.sleep(0.5)
    if run.returncode:
        raise SystemExit(f"the run ended with {run.returncode}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    timings = json.loads((out / "manifest.json").read_text())["timings"]
    print(
        f"{count:,} images, CFS_EXPLORE_INPUTS_GB={limit:g}: memory {most / 1e6:.0f} MB at most ({measuring / 1e6:.0f} "
        f"while measuring; with libraries and mapped files {peak / 1e3:.0f} in the largest run so far); "
        f"disk {disk / 1e6:.0f} MB at most, of it pixels {inputs / 1e6:.0f} and rows with thumbnails {rows / 1e6:.0f}; "
        f"{time.perf_counter() - start:.0f} s, preparing {timings.get('preparing', 0):.0f}, "
        f"measuring {timings.get('measuring', 0):.0f}; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
