"""What every head is, what it accepts, and the standardisation that all but the diagonal head share."""

from __future__ import annotations

from typing import NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from cfs_explore.errors import CFSError

#: Floor of the standard deviation in the paper's standardisation of concatenated features.
STD_FLOOR = 1e-6


class FeatureError(CFSError, ValueError):
    """Features or settings that a head cannot use."""


@runtime_checkable
class Head(Protocol):
    """A model of ID features.

    Attributes:
        name: in specs, tables and the names of detectors.
        title: what people call it.
        n_features_: d; exists after ``fit``.
    """

    name: str
    title: str
    n_features_: int

    def fit(self, features: np.ndarray) -> Self:
        """Learn from ID-train features (n, d)."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """Score features (n, d): float64 (n,), higher = more OOD."""


class Standardiser(NamedTuple):
    """ID-train mean and (population) standard deviation per feature, (d,) each."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray) -> Standardiser:
        """Measure features (n, d); the standard deviation is floored at ``STD_FLOOR``."""
        return cls(features.mean(axis=0), np.maximum(features.std(axis=0), STD_FLOOR))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return (features - self.mean) / self.std


def training_features(features: np.ndarray, minimum: int) -> np.ndarray:
    """Return ID-train features as float64 (n, d).

    Raises:
        FeatureError: not 2-D, no columns, not finite, or fewer than ``minimum`` rows.
    """
    values = _matrix(features)
    if len(values) < minimum:
        raise FeatureError(f"This head needs at least {minimum} training images. Got {len(values)} instead.")
    return values


def scoring_features(features: np.ndarray, head: Head) -> np.ndarray:
    """Return features as float64 (n, d) that fit a fitted head.

    Raises:
        FeatureError: the head is not fitted, or the features are not 2-D, not finite or of another dimension.
    """
    expected = vars(head).get("n_features_")
    if expected is None:
        raise FeatureError(f"This {type(head).__name__} is not fitted. Call fit(features of ID-train) first.")
    values = _matrix(features)
    if values.shape[1] != expected:
        raise FeatureError(
            f"Features must have the {expected} columns that {type(head).__name__} was fitted on. "
            f"Got {values.shape[1]} instead."
        )
    return values


def _matrix(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise FeatureError(
            f"Features must be an array of shape (n_images, n_features). Got shape {values.shape} instead."
        )
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise FeatureError(
            f"Features must be finite. {bad.sum()} of {len(values)} images have NaN or infinity, "
            f"the first at row {bad.argmax()}."
        )
    return values
