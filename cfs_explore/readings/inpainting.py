"""How far an image is from what the network paints where parts of it are hidden."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level
from cfs_explore.errors import CFSError
from cfs_explore.readings.keyed import KeyedNoise
from cfs_explore.readings.protocol import Batch

#: Blocks of the board along each side.
BLOCKS = 8
#: Which pixels are kept: the board and its inverse in turn, all, or none.
MASKS = ("board", "all", "none")


class Inpainting:
    """Mean squared distance between an image and its inpainting, once for each mask.

    A path of the reverse SDE from noise to the image. Its state is variance preserving (a^2 + b^2 = 1) whatever the
    backbone's own scale is. A step from a level to the next has the mean of q(x' | x, x0h), and for variance the
    geometric mean of the smallest and largest that suit any data, beta~ and beta (arXiv 2102.09672, equation 15): it is
    Euler and Maruyama's step to first order, stays stable at few levels, and gives Gaussian data their variance within
    2 % in 50. After each step kept pixels are drawn anew around the image; the last one gives x0h where pixels are
    hidden, and the image itself elsewhere.

    Args:
        levels: from noisy to clean, at least 2.
        repetitions: of the path; every second one hides what the one before kept.
        mask: of ``MASKS``; the others than "board" are for tests.
    """

    unit = "statistic"

    def __init__(self, levels: Sequence[Level], repetitions: int = 2, mask: str = "board"):
        self.path, self.repetitions, self.mask = tuple(levels), repetitions, mask
        lams = [level.lam for level in self.path]
        if len(lams) < 2 or any(after <= before for before, after in itertools.pairwise(lams)):
            raise CFSError(f"An inpainting needs 2 or more log-SNRs that rise. Got {lams} instead.")
        if mask not in MASKS:
            raise CFSError(f"mask must be one of {', '.join(MASKS)}. Got {mask!r} instead.")
        self.levels = (dataclasses.replace(self.path[0], a=1.0, b=0.0),)
        self.columns = {f"repetition {r + 1}": slice(r, r + 1) for r in range(repetitions)}
        ends = f"{lams[0]:.3f} to {lams[-1]:.3f}"
        self.name = f"inpainting, {len(lams)} levels {ends}, mask {mask}, {repetitions} repetitions"
        forwards = len(lams) * repetitions
        self.cost = Cost(forwards, 0, float(forwards))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, repetitions)."""
        x0, found = batch.x0, []
        for repetition in range(self.repetitions):
            painted = self.paint(backbone, batch, repetition)
            found.append((painted - x0).double().square().flatten(1).mean(dim=1))
        return torch.stack(found, dim=1)

    def paint(self, backbone: Backbone, batch: Batch, repetition: int) -> torch.Tensor:
        """The inpainted images, (B, *input_shape)."""
        x0, noise = batch.x0, KeyedNoise(batch, f"inpainting {repetition}")
        keep = self._kept(x0, repetition)
        x = torch.where(keep, x0, batch.noise)  # nearly all noise at the first level
        for level, after in zip(self.path, [*self.path[1:], None], strict=True):
            scale, a, b = _preserving(level)
            eps = backbone.predict_eps((scale * x).contiguous(memory_format=batch.layout), level)
            estimate = (x - b * eps) / a
            if after is None:
                return torch.where(keep, x0, estimate)
            _, a_after, b_after = _preserving(after)
            alpha = a / a_after
            tau = 1 - (alpha * b_after / b) ** 2  # variance of the step from after to level, over b^2
            mean = (alpha * (b_after / b) ** 2) * x + a_after * tau * estimate
            spread = math.sqrt(tau * b * b_after / alpha)  # beta~ = b_after^2 tau, beta = b^2 tau / alpha^2
            fresh = noise.normal()  # a pixel is either kept or hidden
            x = torch.where(keep, a_after * x0 + b_after * fresh, mean + spread * fresh)
        raise AssertionError("unreachable")

    def _kept(self, x0: torch.Tensor, repetition: int) -> torch.Tensor:
        """Boolean (H, W)."""
        height, width = x0.shape[-2:]
        if self.mask != "board":
            return torch.full((height, width), self.mask == "all", device=x0.device)
        return board(height, width).to(x0.device) ^ bool(repetition % 2)


def board(height: int, width: int) -> torch.Tensor:
    """A checkerboard of 8 x 8 blocks, boolean (height, width); fewer where the image is smaller."""
    rows, columns = (torch.arange(side) * min(BLOCKS, side) // side for side in (height, width))
    return (rows[:, None] + columns) % 2 == 0


def _preserving(level: Level) -> tuple[float, float, float]:
    """The backbone's scale, and amplitudes of signal and noise whose squares sum to 1."""
    scale = math.hypot(level.a, level.b)
    return scale, level.a / scale, level.b / scale
