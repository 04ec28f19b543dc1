"""What every diagnostic demands of scores: higher = more OOD, finite, and of the stated shape."""

from __future__ import annotations

import numpy as np

from cfs_explore.errors import CFSError
from cfs_explore.scoring import mean_over_draws


class ScoreError(CFSError, ValueError):
    """Scores, cells or settings that a diagnostic cannot use."""


def score_vector(scores: np.ndarray, name: str) -> np.ndarray:
    """Return scores as float64 (n,). Raises ScoreError if not 1-D, empty or not finite."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise ScoreError(f"{name} must have shape (n_images,). Got shape {values.shape} instead.")
    if values.size == 0:
        raise ScoreError(f"{name} is empty: at least one image is needed.")
    require_finite(values, name)
    return values


def score_rows(id_scores: np.ndarray, ood_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (cells, n_id) and (cells, n_ood) as given, after checking their shapes."""
    id_rows, ood_rows = np.asarray(id_scores), np.asarray(ood_scores)
    if id_rows.ndim != 2 or ood_rows.ndim != 2 or len(id_rows) != len(ood_rows):
        raise ScoreError(
            "id_scores and ood_scores must have shapes (cells, n_id) and (cells, n_ood). "
            f"Got {id_rows.shape} and {ood_rows.shape} instead."
        )
    if id_rows.shape[1] == 0 or ood_rows.shape[1] == 0:
        raise ScoreError("id_scores and ood_scores need at least one image each.")
    return id_rows, ood_rows


def score_maps(id_scores: np.ndarray, ood_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slot scores (n_id, draws, L, T), (n_ood, draws, L, T) after checking shapes and values."""
    maps = np.asarray(id_scores), np.asarray(ood_scores)
    for values, name in zip(maps, ("id_scores", "ood_scores"), strict=True):
        if values.ndim != 4 or 0 in values.shape:
            raise ScoreError(
                f"{name} must have shape (n_images, draws, levels, taps), none of them 0. "
                f"Got shape {values.shape} instead."
            )
        require_finite(values, name)
    if maps[0].shape[1:] != maps[1].shape[1:]:
        raise ScoreError(
            "id_scores and ood_scores must agree in draws, levels and taps. "
            f"Got {maps[0].shape[1:]} and {maps[1].shape[1:]} instead."
        )
    return maps


def cell_rows(scores: np.ndarray) -> np.ndarray:
    """Slot scores (n, draws, L, T) averaged over draws, one row per cell: float64 (L * T, n), level-major."""
    n, _, levels, taps = scores.shape
    rows = np.empty((levels, taps, n))
    for k in range(levels):  # level by level: the whole map twice in float64 would be large
        rows[k] = mean_over_draws(scores[:, :, k]).T
    return rows.reshape(-1, n)


def require_finite(values: np.ndarray, name: str) -> None:
    """Raise ScoreError that counts the NaN and infinite entries, if there are any."""
    finite = np.isfinite(values)
    if not finite.all():
        raise ScoreError(
            f"{name} must be finite. {int((~finite).sum())} of {finite.size} entries are NaN or infinite: "
            "leave those images out or compute their scores again."
        )


def require_level(level: float) -> None:
    """Raise ScoreError unless the confidence level is strictly between 0 and 1."""
    if not 0 < level < 1:
        raise ScoreError(f"level must be between 0 and 1, for example 0.95. Got {level} instead.")
