"""Where along the noise axis a score is about as good as it gets (theory, sections 6 and 11)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_level
from cfs_explore.diagnostics.delong import DeLong
from cfs_explore.diagnostics.excess import Placed, paired_limits
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.splits import SPLITS, Half, draw_splits, judging_variances, pick_best

#: How far below the curve's maximum an AUROC still counts as on the plateau.
MARGIN = 0.01


class Plateau(NamedTuple):
    """Stretch of measured levels around the maximum, as positions in the curve; both ends belong to it.

    Attributes:
        peak: the maximum.
        start, stop: levels within the margin of the maximum.
        possible_start, possible_stop: levels that the confidence interval of the difference allows to be; None where
            it is unknown.
    """

    peak: int
    start: int
    stop: int
    possible_start: int | None = None
    possible_stop: int | None = None


def plateau(auroc: np.ndarray, least: np.ndarray | None = None, *, margin: float = MARGIN) -> Plateau:
    """The stretch of neighbouring levels around the curve's maximum that lies within ``margin`` of it.

    Measured levels only: what happens between two of them is not claimed.

    Args:
        auroc: (L,), along the noise axis.
        least: lower confidence limits of how far each level is below the maximum, (L,); gives the levels that may
            belong to it.

    Raises:
        ScoreError: no level, NaN, limits of another shape, or a negative margin.
    """
    values = np.asarray(auroc, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ScoreError(f"A plateau needs finite AUROCs of shape (levels,). Got shape {values.shape}.")
    if margin < 0:
        raise ScoreError(f"The margin of a plateau must not be negative. Got {margin}.")
    peak = int(values.argmax())
    below = values[peak] - values
    start, stop = _stretch(below <= margin + 1e-12, peak)
    if least is None:
        return Plateau(peak, start, stop)
    least = np.asarray(least, dtype=np.float64)
    if least.shape != values.shape:
        raise ScoreError(f"The limits must have shape {values.shape}. Got {least.shape}.")
    return Plateau(peak, start, stop, *_stretch(np.minimum(least, below) <= margin + 1e-12, peak))


def score_plateau(
    id_rows: np.ndarray,
    ood_rows: np.ndarray,
    *,
    groups: Groups | None = None,
    margin: float = MARGIN,
    level: float = 0.95,
) -> Plateau:
    """``plateau`` of one tap's scores along the levels, with paired score intervals (theory 27) of the differences from
    the maximum where there are two images of each class.

    Args:
        id_rows: (L, n_id). ood_rows: (L, n_ood).
        groups: of the images; None where each is alone.
        level: confidence.

    Raises:
        ScoreError: no level, shapes that do not match, NaN or infinity.
    """
    require_level(level)
    placed = Placed.of(id_rows, ood_rows, groups)
    auroc, var = placed.judged
    counts = independent(groups, id_rows.shape[1], ood_rows.shape[1])
    if min(counts) < 2 or not auroc.size:
        return plateau(auroc, margin=margin)
    best = placed.at([int(auroc.argmax())])
    differences = best.minus(placed).judged.var
    least, _ = paired_limits(best.judged, DeLong(auroc, var), differences, *counts, level)
    return plateau(auroc, least, margin=margin)


class Range(NamedTuple):
    """How far apart the best and the worst level are, both chosen on one half and judged on the other.

    Attributes:
        value, lo, hi: AUROC of the best minus that of the worst, mean over splits; negative where the choice says
            nothing about other images, so a true plateau has 0.
        best, worst: levels (positions) that are chosen most often.
        best_auroc, worst_auroc: on the half that did not choose.
    """

    value: float
    lo: float
    hi: float
    best: int
    worst: int
    best_auroc: float
    worst_auroc: float


def honest_range(
    id_rows: np.ndarray,
    ood_rows: np.ndarray,
    *,
    groups: Groups | None = None,
    repeats: int = SPLITS,
    seed: int = 0,
    level: float = 0.95,
) -> Range:
    """The range of a curve, which is biased upwards where best and worst are read off the images that chose them.

    Args:
        id_rows: (L, n_id >= 4). ood_rows: (L, n_ood >= 4), along the noise axis.
        groups: of the images, at least 4 in each class; None where each image is alone.
        repeats, seed: of the splits. level: confidence.
    """
    require_level(level)
    splits = draw_splits(id_rows.shape[1], ood_rows.shape[1], repeats, seed, groups)
    best, mirrored = pick_best(id_rows, ood_rows, splits), pick_best(-id_rows, -ood_rows, splits)

    def judge(place: tuple[int, int], half: Half) -> list[np.ndarray]:
        sides = [Placed.of_picked(id_rows, ood_rows, picks.cell[place], half) for picks in (best, mirrored)]
        return [side.judged.var for side in (*sides, sides[0].minus(sides[1]))]

    variances = judging_variances(splits, judge)  # of the best, of the worst, of their difference
    first, second = best.auroc.mean(), 1 - mirrored.auroc.mean()
    judged = (DeLong(np.array([value]), var) for value, var in zip((first, second), variances[:2], strict=True))
    counts = independent(groups, id_rows.shape[1], ood_rows.shape[1])
    (lo,), (hi,) = paired_limits(*judged, variances[2], *counts, level)
    often = (int(np.bincount(picks.cell.ravel()).argmax()) for picks in (best, mirrored))
    return Range(float(first - second), float(lo), float(hi), *often, float(first), float(second))


def _stretch(inside: np.ndarray, peak: int) -> tuple[int, int]:
    """First and last of the unbroken run of True around ``peak``."""
    outside = np.flatnonzero(~inside)
    before, after = outside[outside < peak], outside[outside > peak]
    return (int(before[-1]) + 1 if before.size else 0), (int(after[0]) - 1 if after.size else len(inside) - 1)
