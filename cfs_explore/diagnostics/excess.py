"""Excess over a control: AUROC(trained) - AUROC(control), both on the same images (theory 18).

With S copies of the control (seeds), the excess of a cell is A_0 - (A_1 + ... + A_S) / S. Its variance is c' V c with
c = (1, -1/S, ..., -1/S) and V the DeLong covariance of the 1 + S AUROCs; because placements are linear in c, it is
computed as the variance of the contrasts of the placements, without V. It tells how much the excess hangs on the
images, not on the seeds: their spread stands beside it.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_rows
from cfs_explore.diagnostics.delong import DeLong, auroc_interval, hanley_mcneil, placements


class Placed(NamedTuple):
    """Placements of cells (DeLong 1988): of ID images (cells, n_id) and of OOD images (cells, n_ood)."""

    id: np.ndarray
    ood: np.ndarray

    @classmethod
    def of(cls, id_rows: np.ndarray, ood_rows: np.ndarray) -> Placed:
        """Of scores (cells, n_id) and (cells, n_ood), higher = more OOD."""
        return cls(*placements(id_rows, ood_rows))

    @classmethod
    def mean(cls, copies: list[Placed]) -> Placed:
        """Over copies, cell by cell: the placements of their mean AUROC."""
        return cls(*(np.mean(part, axis=0) for part in zip(*copies, strict=True)))

    @property
    def judged(self) -> DeLong:
        """AUROC and DeLong variance, (cells,) each; the variance is NaN where a class has a single image."""
        return DeLong(self.ood.mean(axis=1), sum(_mean_variance(part) for part in self))

    def minus(self, other: Placed) -> Placed:
        """The contrast with another score of the same images; ``judged`` are then the difference and its variance."""
        return Placed(self.id - other.id, self.ood - other.ood)


def auroc_excess(
    trained: tuple[np.ndarray, np.ndarray], copies: list[tuple[np.ndarray, np.ndarray]], *, level: float = 0.95
) -> pd.DataFrame:
    """Excess of every cell over the mean of the control's copies.

    Args:
        trained: ID scores (cells, n_id) and OOD scores (cells, n_ood), higher = more OOD.
        copies: the same of each copy of the control: the same images in the same order, the same cells.
        level: confidence of the intervals.

    Returns:
        One row per cell: trained, control_auroc (mean over the copies), seed_sd (standard deviation over the copies,
        NaN for one), excess, lo, hi, p (two-sided, of "no excess"). See ``difference_interval`` for perfect
        separation, constant scores and single images.

    Raises:
        ScoreError: no copy, or shapes that do not match; NaN or infinity.
    """
    require_level(level)
    scored = [score_rows(*pair) for pair in (trained, *copies)]
    shapes = [(a.shape, b.shape) for a, b in scored]
    if len(shapes) < 2 or len(set(shapes)) > 1:
        raise ScoreError(
            "An excess needs at least one copy of the control, scored on the trained map's images and cells. "
            f"Got shapes {', '.join(map(str, shapes))}."
        )
    own, *others = (Placed.of(*pair) for pair in scored)
    control = Placed.mean(others)
    n_id, n_ood = (rows.shape[1] for rows in scored[0])
    lo, hi, p = difference_interval(own.judged, control.judged, own.minus(control).judged.var, n_id, n_ood, level)
    frame = pd.DataFrame(
        {"trained": own.judged.auroc, "control_auroc": control.judged.auroc, "seed_sd": _spread(others)}
    )
    return frame.assign(excess=frame["trained"] - frame["control_auroc"], lo=lo, hi=hi, p=p)


def _spread(copies: list[Placed]) -> np.ndarray:
    """Standard deviation of each cell's AUROC over copies; NaN for one."""
    aurocs = np.array([copy.judged.auroc for copy in copies])
    return np.std(aurocs, axis=0, ddof=1) if len(aurocs) > 1 else np.full(aurocs.shape[1], np.nan)


def difference_interval(
    first: DeLong, second: DeLong, var: np.ndarray, n_id: int, n_ood: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limits in [-1, 1] and two-sided p of ``first - second``, two AUROCs of the same images, (cells,) each.

    Where the difference has no variance because a score separates perfectly or is constant, or where a class has a
    single image, the two single intervals are joined (MOVER, Zou & Donner 2008), which is conservative for paired
    scores, and p rests on the Hanley-McNeil variance. Scores that rank all images alike differ by 0 with certainty.

    Args:
        first, second: AUROC and variance of each.
        var: variance of the difference; NaN where unknown.
    """
    value = first.auroc - second.auroc
    alike = (var == 0) & (first.var > 0) & (second.var > 0)
    known = (var > 0) | alike
    half = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(np.where(known, var, 0.0))
    limits = [auroc_interval(*side, n_id, n_ood, level) for side in (first, second)]
    below = np.hypot(first.auroc - limits[0][0], limits[1][1] - second.auroc)
    above = np.hypot(limits[0][1] - first.auroc, second.auroc - limits[1][0])
    lo = np.maximum(value - np.where(known, half, below), -1)
    hi = np.minimum(value + np.where(known, half, above), 1)
    null = 2 * float(hanley_mcneil(np.float64(0.5), n_id, n_ood))
    return lo, hi, _two_sided(value, np.where(var > 0, var, null))


def _two_sided(value: np.ndarray, var: np.ndarray) -> np.ndarray:
    """p-value of a normal estimate under "no difference"."""
    return np.array([math.erfc(z) for z in np.abs(value) / np.sqrt(2 * var)])


def _mean_variance(values: np.ndarray) -> np.ndarray:
    """Variance of each row's mean; NaN for a single value."""
    size = values.shape[1]
    return np.var(values, axis=1, ddof=1) / size if size > 1 else np.full(len(values), np.nan)
