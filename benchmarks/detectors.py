"""Each detector's reading against as many bare forwards of its batch, in one run (CPU, fp32, the digits backbone).

Usage: python benchmarks/detectors.py [--most 40]
"""

from __future__ import annotations

import argparse
import collections
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from cfs_explore import detectors
from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.errors import CFSError
from cfs_explore.levels import MAIN_LAM
from cfs_explore.locations import BUNDLES
from cfs_explore.readings.side_by_side import lanes, side_by_side

BATCH, ROUNDS = 64, 5
#: Goals: of a detector without Jacobian-vector products, and of one product, in forwards.
GOAL, PRODUCT_GOAL = 1.10, 3.0


def main() -> None:
    """Print a line per detector, from cheap to dear."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=40, help="forwards per image; dearer detectors are left out")
    most = parser.parse_args().most
    backbone = load_backbone(BUNDLES / "digits" / "backbone", device="cpu")
    generator = np.random.default_rng(0)
    images = np.rint(generator.uniform(0, 255, (BATCH, *backbone.image_shape))).astype(np.float32) / 127.5 - 1
    cases = readings(backbone, images, most)
    bares = {shared: bare(backbone, images, shared) for shared in (True, False)}
    times: dict[str | bool, list[float]] = {name: [] for name in (*bares, *cases)}
    for _ in range(ROUNDS):  # interleaved, so that a busy moment hits every case
        for name, run in {**bares, **{name: run for name, (run, _) in cases.items()}}.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    print(f"batch {BATCH}, {torch.get_num_threads()} threads, {ROUNDS} interleaved rounds, medians of their ratios")
    for shared, about in ((True, "each thread a part of the batch"), (False, "all threads in one batch")):
        print(f"bare forward, {about}: {statistics.median(times[shared]) / BATCH * 1e3:.2f} ms per image")
    for name, (_, cost) in sorted(cases.items(), key=lambda item: item[1][1].forwards):
        alone = times[not cost.jvps]  # derivatives have torch's threads in one batch, all other readings share it
        forwards = statistics.median([a / b for a, b in zip(times[name], alone, strict=True)][1:])
        if cost.jvps:
            each = (forwards - cost.forwards) / cost.jvps
            print(f"{name}: {cost.forwards} F + {cost.jvps} J, a product {each:.2f} forwards (goal {PRODUCT_GOAL:g})")
        else:
            ratio = forwards / cost.forwards
            print(f"{name}: {cost.forwards} F, {ratio:.2f} x that many bare forwards (goal: at most {GOAL:.2f})")


def bare(backbone: Backbone, images: np.ndarray, shared: bool) -> Callable[[], None]:
    """One forward of the batch, of which each thread takes a part where it is shared, as in the readings' loop."""
    backbone.module.to(memory_format=torch.channels_last)
    x, level = torch.from_numpy(images), backbone.match(MAIN_LAM)
    at_once = lanes(BATCH, backbone.device) if shared else 1

    def forward(part: slice) -> None:
        with torch.inference_mode():
            backbone.forward(x[part], level)

    def run() -> None:
        collections.deque(side_by_side(forward, 0, BATCH, BATCH, at_once), maxlen=0)

    return run


def readings(backbone: Backbone, images: np.ndarray, most: int) -> dict[str, tuple[Callable[[], object], object]]:
    """Detector -> its reading of the batch, and its cost; those that this backbone does not allow are named."""
    found = {}
    for name in detectors.names():
        try:
            detector = detectors.create(name)
            cost = detector.cost(backbone)
            if not 0 < cost.forwards <= most:
                continue
            detector.read(backbone, images[:2])
        except CFSError as why:
            print(f"{name}: left out. {why}")
            continue
        found[name] = (lambda detector=detector: detector.read(backbone, images)), cost
    return found


if __name__ == "__main__":
    main()
