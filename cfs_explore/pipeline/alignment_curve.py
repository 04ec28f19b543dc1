"""The curves that a relative alignment compares: expected score magnitude and visible change by level (theory 1)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level
from cfs_explore.corruption import corrupt, keyed_noise
from cfs_explore.diagnostics.ssim import ssim
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.noise_estimate import NoiseEstimate
from cfs_explore.studies.levels import ALIGNMENT_IMAGES, curve_lams

__all__ = ["ALIGNMENT_IMAGES", "AlignmentProbe", "alignment_curve", "curve_levels"]

#: Forwards per batch at most, small enough for any machine that measured the map; images that are decoded at once.
_BATCH, _DECODED_AT_ONCE = 16, 8


def curve_levels(backbone: Backbone) -> list[Level]:
    """The fine grid of levels, clean to noisy, each native level once."""
    found = {}
    for lam in curve_lams(*backbone.reach):
        level = backbone.match(lam)
        found.setdefault(level.native, level)
    return list(found.values())


class AlignmentProbe:
    """Measures one backbone on one set of images, level by level.

    Args:
        backbone: the frozen network.
        images: float32 (n, *image_shape) in [-1, 1].
        ids: one per image; with ``seed`` they key the noise, one draw.
        seed: of the run.
        batch_size: forwards per batch; 16 at most.
        precision: "fp32" or "bf16".
        after_batch: called with the number of forwards just done; may raise ``RunCancelled``.
    """

    def __init__(
        self,
        backbone: Backbone,
        images: np.ndarray,
        ids: Sequence[str],
        seed: int,
        *,
        batch_size: int | None = None,
        precision: str = "fp32",
        after_batch: Callable[[int], None] | None = None,
    ):
        self._backbone, self._images, self._ids, self._seed = backbone, images, list(ids), seed
        batch_size = min(batch_size or _BATCH, _BATCH)
        # With the network's layout as it is: another one would change the last bits of curves that are stored.
        layout = {"channels_last": False}
        self._options = layout | {"batch_size": batch_size, "precision": precision, "after_batch": after_batch}

    def point(self, level: Level) -> dict[str, float]:
        """One row of ``alignment_curve``."""
        squares, noise = self._squares(level)
        ratio = squares.sum() / noise.sum()
        unseen = 1.0 - ssim(self._clean, self._decoded(self._corrupted(level) / level.a))
        return {
            "lam": level.lam,
            "native": level.native,
            "score_norm": float(ratio),
            "score_norm_se": _standard_error((squares - ratio * noise) / noise.mean()),
            "perceptual": float(unseen.mean()),
            "perceptual_se": _standard_error(unseen),
            "n": len(self._ids),
        }

    def _squares(self, level: Level) -> tuple[np.ndarray, np.ndarray]:
        """|eps_hat|^2 and |e|^2 of every image, float64 (n,) each."""
        squares = self._reader(level).read(self._x0, self._noise[None])[0, 0, :, 0]
        return squares, self._noise.double().square().flatten(1).sum(dim=1).cpu().numpy()

    def _reader(self, *levels: Level) -> Reader:
        return Reader(self._backbone, NoiseEstimate(levels), **self._options)

    def _corrupted(self, level: Level) -> torch.Tensor:
        return corrupt(self._x0, self._noise, level.a, level.b)

    @functools.cached_property
    def _x0(self) -> torch.Tensor:
        return self._reader().encode(np.asarray(self._images, dtype=np.float32))

    @functools.cached_property
    def _noise(self) -> torch.Tensor:
        noise = keyed_noise(self._ids, 1, self._backbone.input_shape, self._seed)[0]
        return torch.from_numpy(noise).to(self._backbone.device)

    @functools.cached_property
    def _clean(self) -> np.ndarray:
        return self._decoded(self._x0)

    @torch.inference_mode()
    def _decoded(self, x: torch.Tensor) -> np.ndarray:
        """Pictures, float32 (n, *image_shape)."""
        return torch.cat([self._backbone.decode(part).cpu() for part in x.split(_DECODED_AT_ONCE)]).float().numpy()


def alignment_curve(
    backbone: Backbone,
    images: np.ndarray,
    ids: Sequence[str],
    seed: int,
    *,
    batch_size: int | None = None,
    precision: str = "fp32",
    after_batch: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Expected score magnitude and visible change of a backbone over its log-SNRs, by one keyed noise draw.

    Arguments as for ``AlignmentProbe``.

    Returns:
        A row per level of ``curve_levels``: the table ``alignment_curves`` (``studies.levels``). score_norm is
        E |eps_hat|^2 / dim without the noise's own spread; images of perceptual are in [-1, 1], not clipped.
    """
    probe = AlignmentProbe(
        backbone, images, ids, seed, batch_size=batch_size, precision=precision, after_batch=after_batch
    )
    return pd.DataFrame([probe.point(level) for level in curve_levels(backbone)])


def _standard_error(values: np.ndarray) -> float:
    """Of the mean of (n,) values; NaN for a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
