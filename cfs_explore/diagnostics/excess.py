"""Excess over a control: AUROC(trained) - AUROC(control), both on the same images (theory 18).

With S copies of the control (seeds), the excess of a cell is A_0 - (A_1 + ... + A_S) / S. Its variance is c' V c with
c = (1, -1/S, ..., -1/S) and V the DeLong covariance of the 1 + S AUROCs; because placements are linear in c, it is
computed as the variance of the contrasts of the placements, without V. It says how much the excess depends on the
images; how much it hangs on the copies is var(A_1, ..., A_S) / S, which is added (theory 29). With few copies that is
itself uncertain, so the quantile is Student's, its degrees of freedom those of the sum (Satterthwaite 1946).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_rows
from cfs_explore.diagnostics.delong import DeLong, placements
from cfs_explore.diagnostics.groups import Groups, independent, variance_of_means
from cfs_explore.diagnostics.intervals import auroc_limits, find_root, mover_limits
from cfs_explore.diagnostics.splits import Half

#: p-values below that of this normal quantile are not distinguished.
_LARGEST_Z = 12.0


class Placed(NamedTuple):
    """Placements of cells (DeLong 1988): of ID images (cells, n_id) and of OOD images (cells, n_ood); their groups."""

    id: np.ndarray
    ood: np.ndarray
    groups: Groups | None = None

    @classmethod
    def of(cls, id_rows: np.ndarray, ood_rows: np.ndarray, groups: Groups | None = None) -> Placed:
        """Of scores (cells, n_id) and (cells, n_ood), higher = more OOD."""
        return cls(*placements(id_rows, ood_rows), groups)

    @classmethod
    def of_picked(cls, id_rows: np.ndarray, ood_rows: np.ndarray, cell: int, half: Half) -> Placed:
        """Of one cell of scores as for ``of``, among the images of the half that judges it (theory 3)."""
        return cls.of(id_rows[None, cell, half.id], ood_rows[None, cell, half.ood], half.groups)

    @classmethod
    def mean(cls, copies: list[Placed]) -> Placed:
        """Over copies, cell by cell: the placements of their mean AUROC."""
        parts = ([copy.id for copy in copies], [copy.ood for copy in copies])
        return cls(*(np.mean(part, axis=0) for part in parts), copies[0].groups)

    def at(self, cells: np.ndarray | list[int]) -> Placed:
        """Some of the cells."""
        return Placed(self.id[cells], self.ood[cells], self.groups)

    @property
    def judged(self) -> DeLong:
        """AUROC and DeLong variance, by groups where there are any, (cells,) each; NaN where a class is too small."""
        return DeLong(self.ood.mean(axis=1), variance_of_means(self.id, self.ood, self.groups))

    @property
    def independent(self) -> tuple[int, int]:
        """Numbers of ID and OOD images, or of their groups."""
        return independent(self.groups, self.id.shape[1], self.ood.shape[1])

    def minus(self, other: Placed) -> Placed:
        """The contrast with another score of the same images; ``judged`` are then the difference and its variance."""
        return Placed(self.id - other.id, self.ood - other.ood, self.groups)


def auroc_excess(
    trained: tuple[np.ndarray, np.ndarray],
    copies: list[tuple[np.ndarray, np.ndarray]],
    *,
    groups: Groups | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Excess of every cell over the mean of the control's copies.

    Args:
        trained: ID scores (cells, n_id) and OOD scores (cells, n_ood), higher = more OOD.
        copies: the same of each copy of the control: the same images in the same order, the same cells.
        groups: of the images; None where each is alone.
        level: confidence of the intervals.

    Returns:
        One row per cell, the columns of ``excess`` (``studies.controls``) from trained to p. A single copy counts as
        not random.

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
    own, *others = (Placed.of(*pair, groups) for pair in scored)
    control = Placed.mean(others)
    copies_var, freedom = copies_spread(np.array([copy.judged.auroc for copy in others]), control.judged.var)
    lo, hi, p = paired_interval(
        own.judged, control.judged, own.minus(control).judged.var, *own.independent, level, copies_var, freedom
    )
    frame = pd.DataFrame(
        {"trained": own.judged.auroc, "control_auroc": control.judged.auroc, "seed_sd": _spread(others)}
    )
    return frame.assign(excess=frame["trained"] - frame["control_auroc"], lo=lo, hi=hi, p=p)


def _spread(copies: list[Placed]) -> np.ndarray:
    """Standard deviation of each cell's AUROC over copies; NaN for one."""
    aurocs = np.array([copy.judged.auroc for copy in copies])
    return np.std(aurocs, axis=0, ddof=1) if len(aurocs) > 1 else np.full(aurocs.shape[1], np.nan)


def copies_spread(aurocs: np.ndarray, image_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance that random copies give to their mean AUROC, and degrees of freedom of its sum with another variance.

    Args:
        aurocs: of the copies, (S, cells); one copy counts as not random.
        image_var: known variance from the images, (cells,); NaN counts as 0.

    Returns:
        (cells,) each; infinite degrees of freedom where nothing is random.
    """
    count = len(aurocs)
    if count < 2:
        return np.zeros(aurocs.shape[1]), np.full(aurocs.shape[1], np.inf)
    own = np.var(aurocs, axis=0, ddof=1) / count
    total = own + np.nan_to_num(image_var)
    freedom = np.divide((count - 1) * total**2, own**2, out=np.full_like(own, np.inf), where=own > 0)
    return own, freedom


def paired_interval(
    first: DeLong,
    second: DeLong,
    var: np.ndarray,
    n_id: int,
    n_ood: int,
    level: float = 0.95,
    copies_var: np.ndarray | float = 0.0,
    freedom: np.ndarray | float = np.inf,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limits in [-1, 1] and two-sided p of ``first - second``, two AUROCs of the same images, (cells,) each.

    The limits are recovered from those of both (MOVER) with the correlation that the variances imply, 0 where one of
    them is 0 or unknown; so they hold near 1, where a Wald interval does not (theory 27). Scores that rank all images
    alike differ by 0 with certainty. p belongs to the limits: at the confidence 1 - p, one of them is 0.

    Args:
        first, second: AUROC and variance of each.
        var: variance of the difference; NaN where unknown.
        n_id, n_ood: as for ``auroc_interval``.
        copies_var, freedom: what random copies of the second add to its variance, and degrees of freedom (theory 29).
    """
    from scipy import special

    value = first.auroc - second.auroc

    def beyond_zero(z: np.ndarray) -> np.ndarray:  # how far the limit on the side of 0 is past it
        lo, hi = _limits(first, second, var, n_id, n_ood, copies_var, z)
        return np.where(value > 0, -lo, hi)

    z = find_root(beyond_zero, np.zeros_like(value), np.full_like(value, _LARGEST_Z))
    lo, hi = paired_limits(first, second, var, n_id, n_ood, level, copies_var, freedom)
    return lo, hi, np.where(_alike(first, second, var, copies_var), 1.0, 2 * special.stdtr(freedom, -z))


def paired_limits(
    first: DeLong,
    second: DeLong,
    var: np.ndarray,
    n_id: int,
    n_ood: int,
    level: float = 0.95,
    copies_var: np.ndarray | float = 0.0,
    freedom: np.ndarray | float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """The limits of ``paired_interval`` without p, which takes ten times as long; the same arguments."""
    from scipy import special

    value, alike = first.auroc - second.auroc, _alike(first, second, var, copies_var)
    lo, hi = _limits(first, second, var, n_id, n_ood, copies_var, special.stdtrit(freedom, 0.5 + level / 2))
    return np.where(alike, value, np.maximum(lo, -1)), np.where(alike, value, np.minimum(hi, 1))


def _alike(first: DeLong, second: DeLong, var: np.ndarray, copies_var: np.ndarray | float) -> np.ndarray:
    """Where both scores rank all images alike, so that they differ by 0 with certainty."""
    return (var == 0) & (first.var > 0) & (second.var > 0) & (copies_var == 0)


def _limits(
    first: DeLong,
    second: DeLong,
    var: np.ndarray,
    n_id: int,
    n_ood: int,
    copies_var: np.ndarray | float,
    z: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Of the difference, at a normal quantile or one for each cell; beyond [-1, 1], too."""
    value, spread = first.auroc - second.auroc, np.sqrt(copies_var)
    single = tuple(auroc_limits(*side, n_id, n_ood, z) for side in (first, second))
    lo, hi = mover_limits((first.auroc, second.auroc), single, _correlation(first.var, second.var, var))
    return value - np.hypot(value - lo, z * spread), value + np.hypot(hi - value, z * spread)


def _correlation(first: np.ndarray, second: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Of two estimates with these variances, from that of their difference; 0 where it is unknown."""
    product = np.sqrt(first * second)
    valid = (product > 0) & np.isfinite(difference)
    shared = np.divide(first + second - difference, 2 * product, out=np.zeros_like(product), where=valid)
    return np.clip(shared, -1, 1)
