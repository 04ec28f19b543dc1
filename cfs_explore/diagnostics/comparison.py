"""Two explorations side by side: taps matched by region and depth, levels by log-SNR, differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.checks import cell_rows, score_maps
from cfs_explore.diagnostics.delong import DeLong
from cfs_explore.diagnostics.excess import Placed, paired_limits
from cfs_explore.diagnostics.groups import Groups, taken
from cfs_explore.diagnostics.intervals import auroc_interval, mover_limits

#: Achieved log-SNRs that differ by more are not one level.
LAM_TOLERANCE = 0.25


@dataclass(frozen=True)
class MeasuredMap:
    """One exploration on one OOD set.

    Attributes:
        levels, taps: of the map, clean to noisy and in execution order.
        id_scores: slot scores (n_id, draws, L, T). ood_scores: (n_ood, draws, L, T).
        id_images, ood_images: the image ids, in that order.
        groups: of the images, in that order; None where each is alone.
    """

    levels: Sequence[Level]
    taps: Sequence[Tap]
    id_scores: np.ndarray
    ood_scores: np.ndarray
    id_images: Sequence[str]
    ood_images: Sequence[str]
    groups: Groups | None = None


def match_taps(taps_a: Sequence[Tap], taps_b: Sequence[Tap]) -> list[tuple[int, int]]:
    """Positions of matching taps, in execution order.

    Each tap of the map with fewer taps gets the tap of the other that is nearest in depth in the same region, the
    earlier of two at the same distance; a tap whose region the other map lacks gets none. Depth rises in the order of
    execution, so the order is kept; several taps may share one of the other map.
    """
    if len(taps_a) > len(taps_b):
        return [(a, b) for b, a in match_taps(taps_b, taps_a)]
    pairs = []
    for a, tap in enumerate(taps_a):
        same = [b for b, other in enumerate(taps_b) if other.region == tap.region]
        if same:
            pairs.append((a, min(same, key=lambda b: (abs(taps_b[b].depth - tap.depth), b))))
    return pairs


def match_levels(
    levels_a: Sequence[Level], levels_b: Sequence[Level], tolerance: float = LAM_TOLERANCE
) -> list[tuple[int, int]]:
    """Positions of levels that are each other's nearest by requested log-SNR.

    Args:
        tolerance: pairs whose achieved log-SNRs differ by more are left out; infinite to compare levels that were
            aligned by something else.
    """
    if not levels_a or not levels_b:
        return []
    distance = np.abs(np.subtract.outer([v.requested for v in levels_a], [v.requested for v in levels_b]))
    pairs = [(a, int(b)) for a, b in enumerate(distance.argmin(axis=1)) if distance[:, b].argmin() == a]
    return [(a, b) for a, b in pairs if abs(levels_a[a].lam - levels_b[b].lam) <= tolerance]


def difference_map(first: MeasuredMap, second: MeasuredMap, *, tolerance: float = LAM_TOLERANCE) -> pd.DataFrame:
    """AUROC of the second map minus that of the first in every pair of matching cells.

    By paired DeLong where both maps rest on the same ID-test and OOD images (in any order), else by joining the two
    single intervals, as for independent samples (MOVER, Zou & Donner 2008).

    Returns:
        A row per pair of levels and taps: region, tap_a, depth_a, tap_b, depth_b; tap_index_a, tap_index_b, level_a,
        level_b (positions), requested, lam (the first's), lam_b; auroc_a, auroc_b, difference, lo, hi, paired; n_id_a,
        n_ood_a, n_id_b, n_ood_b. No rows without matching cells.

    Raises:
        ScoreError: wrong shapes, NaN or infinity.
    """
    levels, taps = match_levels(first.levels, second.levels, tolerance), match_taps(first.taps, second.taps)
    cells = [(k, t) for k in levels for t in taps]
    facts = pd.DataFrame(
        [_facts(first, second, k, t) for k, t in cells],
        columns=list(_facts(first, second, (0, 0), (0, 0))),
    )
    judged = [_placed(each, [(k[side], t[side]) for k, t in cells]) for side, each in enumerate((first, second))]
    paired = _same_images(first, second)
    (n_id_a, n_ood_a), (n_id_b, n_ood_b) = ((each.id.shape[1], each.ood.shape[1]) for each in judged)
    a, b = (each.judged for each in judged)
    if paired:
        lo, hi = paired_limits(b, a, judged[1].minus(judged[0]).judged.var, *judged[1].independent)
    else:
        lo, hi = _independent(b, judged[1].independent, a, judged[0].independent)
    numbers = {"auroc_a": a.auroc, "auroc_b": b.auroc, "difference": b.auroc - a.auroc, "lo": lo, "hi": hi}
    counts = {"n_id_a": n_id_a, "n_ood_a": n_ood_a, "n_id_b": n_id_b, "n_ood_b": n_ood_b}
    return facts.assign(**numbers, paired=paired, **counts)


def _facts(first: MeasuredMap, second: MeasuredMap, levels: tuple[int, int], taps: tuple[int, int]) -> dict:
    a, b = first.taps[taps[0]], second.taps[taps[1]]
    at_a, at_b = first.levels[levels[0]], second.levels[levels[1]]
    return {
        "region": a.region,
        "tap_a": a.name,
        "depth_a": a.depth,
        "tap_b": b.name,
        "depth_b": b.depth,
        "tap_index_a": taps[0],
        "tap_index_b": taps[1],
        "level_a": levels[0],
        "level_b": levels[1],
        "requested": at_a.requested,
        "lam": at_a.lam,
        "lam_b": at_b.lam,
    }


def _placed(each: MeasuredMap, cells: Sequence[tuple[int, int]]) -> Placed:
    """Placements of some cells (level, tap), images by their ids."""
    scores = score_maps(each.id_scores, each.ood_scores)
    chosen = [level * len(each.taps) + tap for level, tap in cells]
    orders = [np.argsort(ids, kind="stable") for ids in (each.id_images, each.ood_images)]
    rows = (cell_rows(part)[chosen][:, order] for part, order in zip(scores, orders, strict=True))
    return Placed.of(*rows, taken(each.groups, *orders))


def _same_images(first: MeasuredMap, second: MeasuredMap) -> bool:
    return all(
        sorted(ids) == sorted(others)
        for ids, others in ((first.id_images, second.id_images), (first.ood_images, second.ood_images))
    )


def _independent(
    first: DeLong, of_first: tuple[int, int], second: DeLong, of_second: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ``first - second`` of different images; ``of_*`` are the numbers of ID and OOD images, or of groups."""
    limits = tuple(auroc_interval(*d, *n) for d, n in ((first, of_first), (second, of_second)))
    return mover_limits((first.auroc, second.auroc), limits)
