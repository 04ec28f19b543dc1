"""Extraction against a bare forward of the same batch, as ratios in one run (CPU, fp32, the digits backbone).

Usage: python benchmarks/extraction.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from cfs_explore.backbones import load_backbone
from cfs_explore.corruption import keyed_noise
from cfs_explore.levels import DEFAULT_LAMS, MAIN_LAM
from cfs_explore.locations import BUNDLES
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_maps import ScoreMaps
from cfs_explore.readings.snapshots import TapSnapshots, select_taps
from cfs_explore.readings.tap_maps import map_sides
from cfs_explore.scoring import Moments, slot_scores
from cfs_explore.taps.policies import choose_taps

BATCH = 64
ROUNDS = 25


def main() -> None:
    """Print each ratio with its goal."""
    backbone = load_backbone(BUNDLES / "digits" / "backbone", device="cpu")
    taps = backbone.taps()
    decoder_taps = [t for t in taps if t.region == "decoder"]
    early_decoder = decoder_taps[len(decoder_taps) // 2 - 1]
    encoder = next(t for t in taps if t.name == choose_taps(taps)[0])
    pair = select_taps(taps, [encoder.name, early_decoder.name])
    full_lams, one = list(DEFAULT_LAMS), [MAIN_LAM]
    cases = {
        "bare x8": bare(backbone, full_lams),
        "full map": scored(backbone, full_lams, list(taps)),
        "bare": bare(backbone, one),
        "CFS(1x2)": scored(backbone, one, pair),
        "CFS-enc(1x1)": scored(backbone, one, [encoder]),
        "snapshots": read(backbone, one, pair),
        "score maps": read(backbone, one, pair, maps=True),
        "all snapshots": read(backbone, one, list(taps)),
        "all score maps": read(backbone, one, list(taps), maps=True),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):  # interleaved, so that a busy moment hits every case
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    print(f"batch {BATCH}, {torch.get_num_threads()} threads, {ROUNDS} interleaved rounds, medians of their ratios")
    print(f"bare forward: {statistics.median(times['bare']) / BATCH * 1e3:.2f} ms per image")
    rows = [
        (f"full map, {len(taps)} taps x {len(full_lams)} levels", "full map", "bare x8", 1.10),
        (
            f"CFS(1x2), decoder tap {early_decoder.name} at {early_decoder.depth:.0%} of the work",
            "CFS(1x2)",
            "bare",
            0.75,
        ),
        (f"CFS-enc(1x1), {encoder.name} at {encoder.depth:.0%}", "CFS-enc(1x1)", "bare", 0.5),
    ]
    for label, case, reference, goal in rows:
        print(f"{label}: {ratio(times, case, reference):.2f} x a bare forward (goal: at most {goal:.2f})")
    for label, case, reference in (
        ("score maps of two taps", "score maps", "snapshots"),
        (f"score maps of {len(taps)} taps", "all score maps", "all snapshots"),
    ):
        value = ratio(times, case, reference)
        print(f"{label}: {value:.2f} x the forward that gives their snapshots (goal: at most 1.15)")


def ratio(times: dict[str, list[float]], case: str, reference: str) -> float:
    """Median over rounds, the first two left out."""
    return statistics.median([a / b for a, b in zip(times[case], times[reference], strict=True)][2:])


def bare(backbone, lams: list[float]) -> Callable[[], None]:
    """Forwards of one batch at each level, without taps."""
    x = torch.from_numpy(_images(backbone))
    levels = [backbone.match(lam) for lam in lams]

    def run() -> None:
        with torch.inference_mode():
            for level in levels:
                backbone.forward(x, level)

    return run


def scored(backbone, lams: list[float], taps: list) -> Callable[[], None]:
    """What a run does for one batch of images: noise, forwards with pooling, moments, slot scores."""
    images = _images(backbone)
    ids = [str(i) for i in range(BATCH)]
    reader = Reader(backbone, TapSnapshots([backbone.match(lam) for lam in lams], taps), batch_size=BATCH)
    reference = Moments.of(reader(images, keyed_noise(ids, 1, images.shape[1:])))

    def run() -> None:
        block = reader(images, keyed_noise(ids, 1, images.shape[1:]))
        Moments.of(block)
        slot_scores(block, reference, reader.columns)

    return run


def read(backbone, lams: list[float], taps: list, *, maps: bool = False) -> Callable[[], None]:
    """A reading of one batch of images: snapshots, or score maps."""
    images, levels = _images(backbone), [backbone.match(lam) for lam in lams]
    noise = keyed_noise([str(i) for i in range(BATCH)], 1, images.shape[1:])
    snapshots = TapSnapshots(levels, taps)
    reading = snapshots
    if maps:
        moments = Moments.of(Reader(backbone, snapshots, batch_size=BATCH)(images, noise))
        reading = ScoreMaps(levels, taps, moments, map_sides(backbone, taps, levels[0]))
    reader = Reader(backbone, reading, batch_size=BATCH)
    return lambda: reader(images, noise)


def _images(backbone) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.uniform(-1, 1, (BATCH, *backbone.image_shape)).astype(np.float32)


if __name__ == "__main__":
    main()
