"""Extraction on a GPU: against bare bf16 forwards of the same batch, bf16 against fp32, and peak memory.

Usage: python benchmarks/gpu.py [--device cuda] [--batch 512] [--narrow]

The network has the shape of google/ddpm-cifar10-32 (35.7 M parameters, random weights); the AUROCs are those of the
bundled digits. ``--narrow`` takes a small network instead, to try the script where there is no GPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel

from cfs_explore import explore
from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.corruption import keyed_noise
from cfs_explore.levels import DEFAULT_LAMS
from cfs_explore.locations import BUNDLES
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.scoring import Moments, slot_scores
from cfs_explore.spec import RunSpec

ROUNDS = 7
#: Of ID-test and of each OOD set in the comparison of precisions.
LIMIT = 250


def main() -> None:
    """Print each number with its goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--narrow", action="store_true")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no GPU here.")
        return
    with tempfile.TemporaryDirectory() as folder:
        backbone = make_backbone(Path(folder), options)
        compare_speed(backbone, options.batch)
        compare_precisions(Path(folder), options.device)


def make_backbone(folder: Path, options: argparse.Namespace) -> Backbone:
    """A CIFAR-10 DDPM's network with random weights."""
    widths = [16, 32, 32, 32] if options.narrow else [128, 256, 256, 256]
    torch.manual_seed(0)
    UNet2DModel(
        sample_size=32,
        block_out_channels=widths,
        layers_per_block=2,
        norm_num_groups=16,
        attention_head_dim=None,
        down_block_types=["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
        up_block_types=["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    ).save_pretrained(folder / "net" / "unet")
    DDPMScheduler().save_pretrained(folder / "net" / "scheduler")
    backbone = load_backbone(folder / "net", device=options.device)
    where = torch.cuda.get_device_name() if backbone.device.type == "cuda" else "CPU"
    print(f"{where}, torch {torch.__version__}, {backbone.parameters / 1e6:.1f} M parameters, batch {options.batch}")
    return backbone


def compare_speed(backbone: Backbone, batch: int) -> None:
    """What a run does at one level, all taps, against the forwards alone."""
    level = backbone.match(DEFAULT_LAMS[2])
    images = np.random.default_rng(0).uniform(-1, 1, (batch, *backbone.image_shape)).astype(np.float32)
    ids = [str(i) for i in range(batch)]
    reader = Reader(backbone, TapSnapshots([level], backbone.taps()), batch_size=batch, precision="bf16")
    reference = Moments.of(reader(images, keyed_noise(ids, 1, images.shape[1:])))
    noise = keyed_noise(ids, 1, images.shape[1:])
    x = torch.from_numpy(images).to(backbone.device)

    def bare() -> None:
        with torch.inference_mode(), torch.autocast(backbone.device.type, torch.bfloat16):
            backbone.forward(x, level)

    def extraction() -> None:
        reader(images, noise)

    def whole() -> None:
        block = reader(images, keyed_noise(ids, 1, images.shape[1:]))
        Moments.of(block)
        slot_scores(block, reference, reader.columns)

    cases = {"bare": bare, "extraction": extraction, "whole": whole}
    times: dict[str, list[float]] = {name: [] for name in cases}
    for name, run in cases.items():
        if backbone.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        timed(run, backbone.device)
        if backbone.device.type == "cuda":
            print(f"peak memory, {name}: {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")
    for _ in range(ROUNDS):
        for name, run in cases.items():
            times[name].append(timed(run, backbone.device))
    for name, label in (("extraction", "extraction, all taps"), ("whole", "with noise, moments and scores")):
        share = statistics.median(a / b for a, b in zip(times["bare"], times[name], strict=True))
        rate = batch / statistics.median(times[name])
        print(f"{label}: {rate:,.0f} images/s, {share:.2f} of the bare throughput (goal: at least 0.90)")
    print(f"bare: {batch / statistics.median(times['bare']):,.0f} images/s")


def timed(run: Callable[[], None], device: torch.device) -> float:
    """Seconds of one call, to its very end."""
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare_precisions(folder: Path, device: str) -> None:
    """The map of the digits in both precisions."""
    given = RunSpec.parse(BUNDLES / "digits" / "spec.yaml").model_dump(exclude_none=True)
    ood = [image_set | {"limit": LIMIT} for image_set in given["ood"] if image_set["name"] in ("letters", "noisy")]
    spec = given | {"ood": ood, "draws": 1, "diagnostics": []}
    maps = {
        precision: explore(spec | {"precision": precision}, folder / precision, device=device)
        for precision in ("fp32", "bf16")
    }
    gaps = [
        np.abs(maps["fp32"].auroc_map(each["name"])["auroc"] - maps["bf16"].auroc_map(each["name"])["auroc"]).max()
        for each in ood
    ]
    print(f"largest difference of AUROC between bf16 and fp32 over all cells: {max(gaps):.5f} (goal: at most 0.002)")


if __name__ == "__main__":
    main()
