"""Whether layers see in the denoised image what they saw in the image (docs/detectors.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.densities import varying
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError, TapError
from cfs_explore.heads.protocol import FeatureError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.layer_consistency import LayerConsistency

MEASURES = ("cosine", "difference")


class LayerConsistencyDetector(ReadingDetector):
    """-mean over taps of the cosine between the snapshots of x and of its one-step reconstruction, noised alike.

    DLSR has features of a supervised classifier and a diffusion model trained on them; this one stays within the
    frozen network, whose own layers are compared.

    Args:
        lam: log-SNR.
        measure: "cosine", or "difference": the mean over taps of the mean squared difference, standardised on ID-train.
        draws: noise draws per image.
    """

    title = "Layer consistency"
    paper = "this project; after DLSR (arXiv 2411.10701)"
    variant = "this project's"
    trajectory = False
    meaning = "The network's layers see something else in its own reconstruction of the image than in the image."

    def __init__(self, *, lam: float = 3.0, measure: str = "cosine", draws: int = 1):
        super().__init__(draws)
        if measure not in MEASURES:
            raise CFSError(f"measure must be one of {', '.join(MEASURES)}. Got {measure!r} instead.")
        self.lam, self.measure = float(lam), measure

    def readings(self, backbone: Backbone) -> list[LayerConsistency]:
        """Raises TapError for a backbone without taps."""
        from cfs_explore.readings.layer_consistency import LayerConsistency

        if not (taps := backbone.taps()):
            raise TapError(f"{backbone.name} has no taps whose snapshots could be compared.")
        return [LayerConsistency([backbone.match(self.lam)], taps)]

    def _measured(self, z: np.ndarray) -> np.ndarray:
        """The measure, tap by tap, float64 (draw, image, tap)."""
        if "columns_" not in vars(self):
            raise FeatureError(f"{self.name} does not know its features yet. Call read(backbone, images) first.")
        z, width = np.asarray(z, dtype=np.float64), max(part.stop for part in self.columns_.values())
        if z.ndim != 3 or z.shape[2] != width:
            raise FeatureError(f"Readings must have shape (draw, image, {width}). Got {z.shape} instead.")
        return z[..., : width // 2] if self.measure == "cosine" else z[..., width // 2 :]

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn mean and standard deviation of the differences, every draw a row; the cosines need none."""
        rows = self._measured(z_train)
        if self.measure == "difference":
            rows = varying(rows.reshape(-1, rows.shape[2]))
            self.mean_, self.std_ = rows.mean(axis=0), rows.std(axis=0)
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), mean over draws."""
        found = self._measured(z)
        if self.measure == "cosine":
            return -found.mean(axis=(0, 2))
        if "mean_" not in vars(self):
            raise FeatureError(f"{self.name} is not fitted. Call fit(readings of ID-train) first.")
        return ((found - self.mean_) / self.std_).mean(axis=(0, 2))
