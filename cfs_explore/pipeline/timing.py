"""How long a forward takes that stops after each tap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level, Tap
from cfs_explore.readings.arithmetic import arithmetic
from cfs_explore.readings.loop import DEFAULT_BATCH
from cfs_explore.taps.capture import capture

#: Images of a batch at most, repeats, and seconds that all of it may take, about.
MOST_IMAGES, FEWEST_REPEATS, MOST_REPEATS, SECONDS = 64, 5, 10, 30.0


def time_taps(
    backbone: Backbone,
    level: Level,
    taps: Sequence[Tap],
    *,
    precision: str = "fp32",
    batch_size: int | None = None,
    before_repeat: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """Measured time per image of forwards that stop after each tap, pooling included, and of a whole one.

    Everything is timed once per repeat, in turn, so that a busy moment of the machine does not fall on one tap alone;
    the first round is a warm-up. The batch is halved until ``FEWEST_REPEATS`` rounds fit into ``SECONDS``.

    Args:
        backbone: the frozen network.
        level: that it is conditioned on; the input is noise.
        taps: to time.
        precision: "fp32" or "bf16".
        batch_size: forwards per batch; chosen by device when None; at most ``MOST_IMAGES``.
        before_repeat: called before every round; may raise ``RunCancelled``.

    Returns:
        The table ``cost`` (``studies.levels``).
    """
    before_repeat = before_repeat or (lambda: None)
    backbone.module.to(memory_format=torch.channels_last)  # as in a run
    batch = min(batch_size or DEFAULT_BATCH.get(backbone.device.type, MOST_IMAGES), MOST_IMAGES)
    names = [*(tap.name for tap in taps), None]
    full = [_seconds(backbone, level, 1, None, precision) for _ in range(2)]  # the first one also allocates
    work = 1.0 + sum(tap.depth for tap in taps)
    while batch > 1 and min(full) * batch * work * FEWEST_REPEATS > SECONDS:
        batch //= 2
    batch, warm = _warm_up(backbone, level, batch, names, precision, before_repeat)
    repeats = int(np.clip(SECONDS / sum(warm), FEWEST_REPEATS, MOST_REPEATS))
    rounds = [_round(backbone, level, batch, names, precision, before_repeat) for _ in range(repeats)]
    ms = 1000.0 * np.array(rounds) / batch  # (repeat, tap)
    lo, middle, hi = np.quantile(ms, [0.1, 0.5, 0.9], axis=0)
    frame = pd.DataFrame({"tap": [name or "" for name in names], "depth": [*(tap.depth for tap in taps), 1.0]})
    facts = {"repeats": repeats, "batch": batch, "device": backbone.device.type}
    return frame.assign(ms=middle, ms_lo=lo, ms_hi=hi, **facts)


def _warm_up(
    backbone: Backbone,
    level: Level,
    batch: int,
    names: Sequence[str | None],
    precision: str,
    before: Callable[[], None],
) -> tuple[int, list[float]]:
    """A batch that fits into memory, and the times of the first round."""
    while True:
        try:
            return batch, _round(backbone, level, batch, names, precision, before)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
        batch //= 2
        torch.cuda.empty_cache()


def _round(
    backbone: Backbone,
    level: Level,
    batch: int,
    names: Sequence[str | None],
    precision: str,
    before: Callable[[], None],
) -> list[float]:
    before()
    return [_seconds(backbone, level, batch, name, precision) for name in names]


@torch.inference_mode()
def _seconds(backbone: Backbone, level: Level, batch: int, tap: str | None, precision: str) -> float:
    """Time of one forward that stops after ``tap``; None runs all of it."""
    device = backbone.device
    x = torch.randn((batch, *backbone.input_shape), generator=torch.Generator().manual_seed(0))
    x = x.to(device, memory_format=torch.channels_last)
    _wait(device)
    start = time.perf_counter()
    with arithmetic(device.type, precision):
        if tap is None:
            backbone.forward(x, level)
        else:
            with capture(backbone.module, [tap], backbone.activation):
                backbone.forward(x, level)
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    """Until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize()
