"""What a backbone is, before any image is measured: input, reach, taps, speed."""

from __future__ import annotations

import time

import numpy as np
import torch

from cfs_explore.backbones import Backbone
from cfs_explore.extraction import DEFAULT_BATCH, Extractor
from cfs_explore.levels import MAIN_LAM


def describe_backbone(backbone: Backbone, *, measure_speed: bool = True) -> dict:
    """Facts about a backbone as plain JSON-ready values.

    Args:
        backbone: loaded.
        measure_speed: also time one batch, for estimates.

    Returns:
        name, family, fingerprint, parameters, image_shape, input_shape, schedule, reach, notes, device, taps (a list of
        dicts), and seconds_per_forward (per image, level and draw) when measured.
    """
    facts = {
        "name": backbone.name,
        "family": backbone.family,
        "fingerprint": backbone.fingerprint,
        "parameters": backbone.parameters,
        "image_shape": list(backbone.image_shape),
        "input_shape": list(backbone.input_shape),
        "schedule": backbone.schedule,
        "notes": list(backbone.notes),
        "reach": list(backbone.reach),
        "device": str(backbone.device),
        "taps": [tap.to_dict() for tap in backbone.taps()],
    }
    if measure_speed:
        facts["seconds_per_forward"] = seconds_per_forward(backbone)
    return facts


def seconds_per_forward(backbone: Backbone, repeats: int = 2) -> float:
    """Median time of one forward with all taps, per image, at a batch that takes a few seconds at most."""
    batch = DEFAULT_BATCH.get(backbone.device.type, 64)
    extractor = Extractor(backbone, [backbone.match(MAIN_LAM)], backbone.taps(), batch_size=batch)
    times: list[float] = []
    n = 2
    while len(times) < repeats:
        images = np.zeros((n, *backbone.image_shape), dtype=np.float32)
        start = time.perf_counter()
        extractor(images, np.zeros((1, n, *backbone.input_shape), dtype=np.float32))
        if backbone.device.type == "cuda":
            torch.cuda.synchronize()
        spent = (time.perf_counter() - start) / n
        if n < batch and spent * batch < 4.0:  # warm-up at a small batch, then the real one where it is quick
            n = batch
            continue
        times.append(spent)
    return float(np.median(times))
