"""LMD, reduced: hide parts of the image, let the network paint them, and compare (docs/detectors.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError
from cfs_explore.heads.protocol import FeatureError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.contracts import Level
    from cfs_explore.readings.inpainting import Inpainting

#: Log-SNRs of the path, as far as the backbone reaches: those of the original's schedule.
BOTTOM, TOP = -10.0, 18.2


class LMD(ReadingDetector):
    """Median over repetitions of the squared distance between an image and its inpainting under a checkerboard.

    The original paints 10 times in 1,000 steps of Euler and Maruyama and compares by LPIPS, an outside network; here it
    is 2 times 50 steps, evenly in log-SNR, and the squared distance over all pixels. Nothing is learned.

    Args:
        steps: levels of a path, each one forward.
        repetitions: of the path; every second one hides what the one before kept.
        draws: noise draws per image, each with all repetitions.
    """

    title = "LMD, squared distance"
    paper = "arXiv 2302.10326"
    variant = "reduced"
    meaning = "What the network paints where the image is hidden does not look like the image."

    def __init__(self, *, steps: int = 50, repetitions: int = 2, draws: int = 1):
        super().__init__(draws)
        if steps < 2 or repetitions < 1:
            raise CFSError(
                f"steps must be at least 2 and repetitions at least 1. Got {steps} and {repetitions} instead."
            )
        self.steps, self.repetitions = steps, repetitions

    def path(self, backbone: Backbone) -> list[Level]:
        """From noisy to clean, no two alike; fewer than ``steps`` only where the schedule has no more."""
        low, high = max(BOTTOM, backbone.reach[0]), min(TOP, backbone.reach[1])
        for count in range(self.steps, 8 * self.steps):
            asked = map(backbone.match, np.linspace(low, high, count).tolist())
            levels = list({level.lam: level for level in asked}.values())
            if len(levels) >= self.steps:
                break
        chosen = np.rint(np.linspace(0, len(levels) - 1, min(self.steps, len(levels)))).astype(int)
        return [levels[k] for k in chosen]

    def readings(self, backbone: Backbone) -> list[Inpainting]:
        from cfs_explore.readings.inpainting import Inpainting

        return [Inpainting(self.path(backbone), self.repetitions)]

    def requested(self, backbone: Backbone) -> list[float]:
        """The ends of its path, as far as any backbone goes there."""
        return [max(BOTTOM, backbone.reach[0]), min(TOP, backbone.reach[1])]

    def notes(self, backbone: Backbone) -> list[str]:
        path = self.path(backbone)
        found = [f"The path goes from lam {path[0].lam:.2f} to {path[-1].lam:.2f}."]
        if len(path) < self.steps:
            found.append(f"The schedule has {len(path)} different levels for {self.steps} steps.")
        return found

    def fit(self, z_train: np.ndarray) -> Self:
        """Nothing to learn, but readings that do not fit are refused."""
        self.score(z_train)
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), in the images' unit squared, mean over draws."""
        z = np.asarray(z, dtype=np.float64)
        if z.ndim != 3 or z.shape[2] != self.repetitions:
            raise FeatureError(f"Readings must have shape (draw, image, {self.repetitions}). Got {z.shape} instead.")
        return np.median(z, axis=2).mean(axis=0)
