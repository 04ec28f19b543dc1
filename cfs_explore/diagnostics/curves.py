"""ROC curves and score histograms, thinned for plotting."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, score_vector

#: Share of the pooled scores beyond each end of a histogram's range.
_TAIL = 0.005


def roc_curve(id_scores: np.ndarray, ood_scores: np.ndarray, max_points: int = 400) -> pd.DataFrame:
    """ROC curve, OOD positive: an image is flagged if its score reaches the threshold.

    Corners of the exact curve, at most ``max_points`` of them, evenly spaced along it; the ends are always
    kept.

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). max_points: at least 2.

    Returns:
        fpr, tpr (0..1, rising from (0, 0) to (1, 1)), threshold (falling from infinity).
    """
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    if max_points < 2:
        raise ScoreError(f"max_points must be at least 2. Got {max_points} instead.")
    thresholds = np.unique(np.concatenate([id_scores, ood_scores]))[::-1]
    fpr, tpr = (
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(scores), thresholds, "left") / scores.size])
        for scores in (id_scores, ood_scores)
    )
    curve = pd.DataFrame({"fpr": fpr, "tpr": tpr, "threshold": np.concatenate([[np.inf], thresholds])})
    # The integer product is exact, so that points on one straight stretch are seen as such.
    steps_id, steps_ood = np.rint(np.diff(fpr) * id_scores.size), np.rint(np.diff(tpr) * ood_scores.size)
    corner = np.ones(len(curve), dtype=bool)
    corner[1:-1] = steps_id[1:] * steps_ood[:-1] != steps_id[:-1] * steps_ood[1:]
    return _thin(curve[corner], max_points)


def histogram(id_scores: np.ndarray, ood_scores: np.ndarray, bins: int = 50, log: bool = False) -> pd.DataFrame:
    """Histograms of both classes on common bins.

    The bins span the pooled scores but for 0.5 % at either end, so that a few extreme images do not flatten
    the rest; what lies beyond is counted in the first or last bin, and no image is lost.

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). bins: number of bins.
        log: equal bins in ln(score), for right-skewed positive scores.

    Returns:
        left, right (edges, touching), id, ood (share of that class's images), id_count, ood_count.

    Raises:
        ScoreError: empty, NaN or infinite scores; fewer than one bin; log of scores that are not positive.
    """
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    if bins < 1:
        raise ScoreError(f"bins must be at least 1. Got {bins} instead.")
    pooled = np.concatenate([id_scores, ood_scores])
    if log and pooled.min() <= 0:
        raise ScoreError(f"Logarithmic bins need positive scores. The smallest is {pooled.min():.3g}.")
    edges = _edges(np.log(pooled), bins) if log else _edges(pooled, bins)
    if log:
        edges = np.exp(edges)
    frame = pd.DataFrame({"left": edges[:-1], "right": edges[1:]})
    for name, scores in (("id", id_scores), ("ood", ood_scores)):
        position = np.searchsorted(edges[1:-1], scores, "right")
        frame[f"{name}_count"] = np.bincount(position, minlength=bins)
        frame[name] = frame[f"{name}_count"] / scores.size
    return frame[["left", "right", "id", "ood", "id_count", "ood_count"]]


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Equal bins over the central quantiles; around a single value, a unit width."""
    lo, hi = np.quantile(values, [_TAIL, 1 - _TAIL])
    if lo == hi:
        lo, hi = values.min(), values.max()
    if lo == hi:
        lo, hi = lo - 0.5, hi + 0.5
    return np.linspace(lo, hi, bins + 1)


def _thin(curve: pd.DataFrame, max_points: int) -> pd.DataFrame:
    if len(curve) <= max_points:
        return curve.reset_index(drop=True)
    along = (curve["fpr"] + curve["tpr"]).to_numpy()  # rises from 0 to 2: no stretch of the curve is left empty
    kept = np.unique(np.searchsorted(along, np.linspace(0, 2, max_points - 1)))
    kept = np.unique(np.concatenate([[0], kept[kept < len(curve)], [len(curve) - 1]]))
    return curve.iloc[kept].reset_index(drop=True)
