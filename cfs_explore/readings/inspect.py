"""What a backbone is, before any image is measured: input, reach, taps, speed."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from cfs_explore.backbones import Backbone
from cfs_explore.levels import MAIN_LAM
from cfs_explore.readings.loop import DEFAULT_BATCH, Reader
from cfs_explore.readings.snapshots import TapSnapshots

#: The batch that is timed grows until it takes so long; and so long altogether, unless two batches take longer.
_LONG_BATCH_SECONDS, _LONG_SECONDS = 2.0, 6.0


def describe_backbone(backbone: Backbone, *, measure_speed: bool = True) -> dict:
    """Facts about a backbone as plain JSON-ready values.

    Args:
        backbone: loaded.
        measure_speed: also time one batch, for estimates.

    Returns:
        name, family, fingerprint, parameters, image_shape, input_shape, schedule, reach, notes, condition, device, gpus
        (how many this computer has), taps (a list of dicts), and seconds_per_forward (per image, level and draw) when
        measured.
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
        "condition": backbone.condition,
        "reach": list(backbone.reach),
        "device": str(backbone.device),
        "gpus": torch.cuda.device_count(),
        "taps": [tap.to_dict() for tap in backbone.taps()],
    }
    if measure_speed:
        facts["seconds_per_forward"] = seconds_per_forward(backbone)
    return facts


def seconds_per_forward(backbone: Backbone) -> float:
    """Time of one forward with all taps, per image, at a batch that takes a few seconds at most.

    The fastest of some tries, after one that warms up: what else the machine does can only slow it down. Where the
    cores are shared, a small batch takes as long as a large one, so that its size grows as far as the time allows.
    """
    batch = DEFAULT_BATCH.get(backbone.device.type, 64)
    reader = Reader(backbone, TapSnapshots([backbone.match(MAIN_LAM)], backbone.taps()), batch_size=batch)
    fastest, n, begun = math.inf, 2, time.perf_counter()
    for turn in range(6):
        seconds = _time_batch(reader, n)
        if turn:
            fastest = min(fastest, seconds / n)
        if turn > 1 and time.perf_counter() - begun > _LONG_SECONDS:
            break
        if fastest * batch < _LONG_BATCH_SECONDS:
            n = batch
        elif seconds < _LONG_BATCH_SECONDS:
            n = min(batch, 4 * n)
    return fastest


def _time_batch(reader: Reader, n: int) -> float:
    """Seconds that ``n`` images take."""
    backbone = reader.backbone
    images = np.zeros((n, *backbone.image_shape), dtype=np.float32)
    start = time.perf_counter()
    reader(images, np.zeros((1, n, *backbone.input_shape), dtype=np.float32))
    if backbone.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
