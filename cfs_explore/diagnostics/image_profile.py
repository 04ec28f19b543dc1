"""One image among ID-test: its slot score in every cell, in a detector, and the features that carry it.

An image of ID-test is compared with the others: ``own`` names its row, which is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.channels import pooled_features
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, require_finite, score_maps
from cfs_explore.diagnostics.conformal import conformal_p_values, id_percentiles

#: Shares times image counts are whole numbers up to this.
_ROUNDING = 1e-9
#: Quantiles of ID-test that a detector's row carries, by column.
QUANTILES = {"id_q05": 0.05, "id_q25": 0.25, "id_median": 0.5, "id_q75": 0.75, "id_q95": 0.95}


class Exceedance(NamedTuple):
    """In how many cells an image is among the highest, and how unusual that many are.

    Attributes:
        count: cells in which the image is in the top ``1 - share`` of ID-test and the image itself.
        cells: all of them.
        p_value: share of ID-test and the image itself with at least as many; a conformal p-value, so that having
            looked at all cells costs nothing.
    """

    count: int
    cells: int
    p_value: float


def cell_profile(
    id_scores: np.ndarray,
    image_scores: np.ndarray,
    levels: Sequence[Level],
    taps: Sequence[Tap],
    own: int | None = None,
) -> pd.DataFrame:
    """The image's slot score in every cell beside ID-test's, mean over draws.

    Args:
        id_scores: (n_id, draws, L, T). image_scores: (draws, L, T). levels: the L. taps: the T.
        own: the image's row of ``id_scores``, where it has one.

    Returns:
        A row per cell, level-major: level, lam, requested, tap, tap_index, region, depth, resolution, score, draw_min,
        draw_max, draw_sd (NaN for one draw), id_median, ratio (score / id_median; NaN where that is 0), percentile
        (share of ID-test below, in percent, ties half), n_id, n_ood (1: the image).

    Raises:
        ScoreError: shapes that do not match, NaN or infinity, no other ID-test image.
    """
    others, image = _others(id_scores, image_scores, own)
    if image.shape[2:] != (len(levels), len(taps)):
        raise ScoreError(f"The scores have {image.shape[2:]} levels and taps. Got {len(levels)} and {len(taps)}.")
    reference, scores = cell_rows(others), cell_rows(image)[:, 0]
    draws = image[0].reshape(len(image[0]), -1).astype(np.float64)
    medians = np.median(reference, axis=1)
    order = ["level", "lam", "requested", "tap", "tap_index", "region", "depth", "resolution"]
    frame = cell_columns(levels, taps)[order]
    below, equal = ((compare(reference, scores[:, None])).sum(axis=1) for compare in (np.less, np.equal))
    return frame.assign(
        score=scores,
        draw_min=draws.min(axis=0),
        draw_max=draws.max(axis=0),
        draw_sd=draws.std(axis=0, ddof=1) if len(draws) > 1 else np.nan,
        id_median=medians,
        ratio=np.divide(scores, medians, out=np.full(len(scores), np.nan), where=medians > 0),
        percentile=100.0 * (below + equal / 2) / reference.shape[1],
        n_id=reference.shape[1],
        n_ood=1,
    )


def exceedance(
    id_scores: np.ndarray, image_scores: np.ndarray, own: int | None = None, share: float = 0.99
) -> Exceedance:
    """In how many cells the image is among the highest, compared with ID-test images looked at in the same way.

    The image and ID-test are ranked together, so that the count of each is computed alike and the p-value holds.

    The highest hundredth says more than the highest twentieth: an image may be extreme in few cells alone.

    Args: as for ``cell_profile``; share: of the images that must score lower.
    """
    others, image = _others(id_scores, image_scores, own)
    pooled = np.concatenate([cell_rows(others), cell_rows(image)], axis=1)  # (cell, n_id + 1), the image last
    ordered = np.sort(pooled, axis=1)
    lowest = ordered[:, math.floor(share * pooled.shape[1] + _ROUNDING)]  # the lowest score that counts as high
    counts = (pooled >= lowest[:, None]).sum(axis=0)
    return Exceedance(int(counts[-1]), len(pooled), float((counts >= counts[-1]).mean()))


def detector_profile(id_scores: np.ndarray, score: float, draws: np.ndarray, own: int | None = None) -> dict:
    """The image's score by a detector, among ID-test.

    Args:
        id_scores: of ID-test, mean over draws, (n,).
        score: of the image, mean over draws.
        draws: its score in each draw, (draw,).
        own: the image's row in ID-test, where it is one of them.

    Returns:
        score, draws (list of the score of each draw), percentile, p_value, the columns of ``QUANTILES``, n_id.

    Raises:
        ScoreError: no such row, no other image, NaN or infinity.
    """
    reference, sample = _without(id_scores, own), np.array([score])
    return {
        "score": float(score),
        "draws": [float(value) for value in draws],
        "percentile": float(id_percentiles(reference, sample)[0]),
        "p_value": float(conformal_p_values(reference, sample)[0]),
        **{name: float(np.quantile(reference, q)) for name, q in QUANTILES.items()},
        "n_id": len(reference),
    }


def feature_profile(snapshot: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> pd.DataFrame:
    """What each pooled feature adds to a slot score: z^2 / d, which sum to it (theory 2, 3).

    Args:
        snapshot: one image's (2C,), channels' means, then their standard deviations. mean, variance: of ID-train,
            (2C,); variance > 0.

    Returns:
        A row per feature: channel, pooling (mean or std), value, z, square (z^2), share (of the summed squares).

    Raises:
        ScoreError: shapes that do not match, an odd number of features, NaN or infinity, a variance of 0.
    """
    values, mean, variance = (np.asarray(part, dtype=np.float64) for part in (snapshot, mean, variance))
    if values.ndim != 1 or values.size == 0 or values.size % 2 or not values.shape == mean.shape == variance.shape:
        raise ScoreError(
            f"snapshot, mean and variance must all have shape (2C,). Got {values.shape}, {mean.shape} and "
            f"{variance.shape} instead."
        )
    for part, name in ((values, "snapshot"), (mean, "mean"), (variance, "variance")):
        require_finite(part, name)
    if not (variance > 0).all():
        raise ScoreError("variance must be positive: floor it as the diagonal head does.")
    z = (values - mean) / np.sqrt(variance)
    total = float((z**2).sum())
    return pd.DataFrame(
        {
            **pooled_features(values.size),
            "value": values,
            "z": z,
            "square": z**2,
            "share": z**2 / total if total > 0 else np.nan,
        }
    )


def _others(id_scores: np.ndarray, image_scores: np.ndarray, own: int | None) -> tuple[np.ndarray, np.ndarray]:
    """ID-test without the image, (n, draws, L, T), and the image as (1, draws, L, T), after checking both."""
    return score_maps(_without(id_scores, own), np.asarray(image_scores)[None])


def _without(id_scores: np.ndarray, own: int | None) -> np.ndarray:
    """Scores of ID-test, (n, ...), without the image's own row."""
    id_scores = np.asarray(id_scores)
    if own is not None:
        if not 0 <= own < len(id_scores):
            raise ScoreError(f"own must be a row of id_scores, 0 to {len(id_scores) - 1}. Got {own} instead.")
        id_scores = np.delete(id_scores, own, axis=0)
    if len(id_scores) == 0:
        raise ScoreError("id_scores hold no image other than this one: ID-test needs at least two.")
    return id_scores
