"""How long a run will take and how much disk it will use, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfs_explore.contracts import Tap
from cfs_explore.wording import format_digits, format_value

_THUMBNAIL_BYTES = 4_000


@dataclass(frozen=True)
class Estimate:
    """What a run will cost.

    Attributes:
        forwards: backbone forwards of the map, images x levels x draws.
        diagnostic_forwards: those of the diagnostics that follow it.
        seconds: of both, at the measured speed; None when it was not measured.
        disk_bytes: of the finished run directory, about.
        peak_bytes: while it runs, about.
    """

    forwards: int
    diagnostic_forwards: int
    seconds: float | None
    disk_bytes: int
    peak_bytes: int


def estimate_run(
    *,
    new_images: int,
    levels: int,
    draws: int,
    taps: Sequence[Tap],
    image_shape: Sequence[int],
    sets: int,
    seconds_per_forward: float | None,
    diagnostic_forwards: int = 0,
) -> Estimate:
    """Estimate a run.

    Args:
        new_images: images that need forwards (none for reused statistics).
        levels, draws: of the spec.
        taps: measured taps.
        image_shape: (C, H, W).
        sets: image sets, including ID-train and ID-test.
        seconds_per_forward: of a full forward.
        diagnostic_forwards: of the stages that follow the map (``studies.Diagnostic.forwards``).
    """
    forwards = new_images * levels * draws
    width = sum(2 * t.channels for t in taps)
    pixels = int(image_shape[0] * image_shape[1] * image_shape[2])
    scores = forwards * len(taps) * 4
    moments = sets * levels * width * 3 * 8
    rows = new_images * _THUMBNAIL_BYTES
    disk = scores + moments + rows
    peak = 2 * disk + new_images * pixels
    seconds = None
    if seconds_per_forward is not None:
        seconds = forward_seconds(forwards + diagnostic_forwards, taps, seconds_per_forward)
    return Estimate(forwards, diagnostic_forwards, seconds, disk, peak)


def forward_seconds(forwards: int, taps: Sequence[Tap], seconds_per_forward: float) -> float:
    """Time of forwards that stop after the last of ``taps``."""
    return forwards * seconds_per_forward * max((t.depth for t in taps), default=1.0)


def format_seconds(seconds: float) -> str:
    """A duration as people say it: 40 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{format_value(seconds / 3600, 1)} h"


def format_bytes(count: float) -> str:
    """A size as people say it: 800 kB, 3.2 MB, 1.4 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{format_digits(count / size)} {unit}"
    return f"{int(count)} B"
