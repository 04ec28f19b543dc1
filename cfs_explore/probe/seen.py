"""What a probe saw, as arrays and tables: pictures, maps, z-scores and scores. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.probe.inputs import ProbeImage


@dataclass(frozen=True, eq=False)
class ChannelMaps:
    """Activation maps of a few channels.

    Attributes:
        channels: positions among the tap's channels, largest |z| first, (k,).
        z: z-scores of their spatial means, (n, k).
        maps: float32 (n, k, H, W) in [0, 1], a channel on one scale in all images.
    """

    channels: np.ndarray
    z: np.ndarray
    maps: np.ndarray


@dataclass(frozen=True, eq=False)
class TapView:
    """What one tap made of the images.

    Attributes:
        tap: where.
        snapshot: pooled features [means; standard deviations], float32 (n, 2C) (theory 2).
        z: (snapshot - mu) / sqrt(v) with ID-train's moments, (n, 2C).
        score: slot scores, float32 (n,) (theory 3).
        maps: activations, float32 (n, C, H, W).
        where: A_p and B_p at each position (theory 22, 23), float32 (n, 2, H, W); the mean of A_p is the score.
    """

    tap: Tap
    snapshot: np.ndarray
    z: np.ndarray
    score: np.ndarray
    maps: np.ndarray
    where: np.ndarray

    def strongest(self, count: int = 8) -> ChannelMaps:
        """The channels whose spatial mean has the largest |z| in any of the images."""
        means = self.z[:, : self.tap.channels]
        channels = np.argsort(-np.abs(means).max(axis=0), kind="stable")[:count]
        maps = self.maps[:, channels]
        low, high = (f(maps, axis=(0, 2, 3), keepdims=True) for f in (np.min, np.max))
        scaled = (maps - low) / np.where(high > low, high - low, 1)
        return ChannelMaps(channels, means[:, channels], scaled)

    def z_table(self, names: Sequence[str]) -> pd.DataFrame:
        """A row per image and feature: image, channel, pooling ("mean" or "std"), value, z.

        Args:
            names: what the images are called.
        """
        n, channels = len(self.z), self.tap.channels
        image, pooling = np.repeat(np.arange(n), 2 * channels), np.tile(np.repeat([0, 1], channels), n)
        return pd.DataFrame(
            {
                "image": pd.Categorical.from_codes(image, list(names)),
                "channel": np.tile(np.arange(channels), 2 * n),
                "pooling": pd.Categorical.from_codes(pooling, ["mean", "std"]),
                "value": self.snapshot.ravel(),
                "z": self.z.ravel(),
            }
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """One forward of the probe.

    Attributes:
        images: what was shown, n of them.
        level: the corruption.
        position: of the run's measured level whose ID statistics are used.
        draw: of the noise.
        x_lam, x0_hat: corrupted input and the one-step estimate of x0, float32 (n, *input_shape).
        x_lam_picture, x0_hat_picture: the same to look at, uint8 (n, C, H, W); x_lam is divided by sqrt(a^2 + b^2).
        taps: tap name -> view, in order of execution.
    """

    images: tuple[ProbeImage, ...]
    level: Level
    position: int
    draw: int
    x_lam: np.ndarray
    x0_hat: np.ndarray
    x_lam_picture: np.ndarray
    x0_hat_picture: np.ndarray
    taps: Mapping[str, TapView]


def share_below(score: float, reference: np.ndarray) -> float:
    """Share of the reference scores that are lower, ties half, in [0, 1]."""
    return float(((reference < score).mean() + (reference <= score).mean()) / 2)
