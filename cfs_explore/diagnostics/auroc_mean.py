"""The mean AUROC of several scores of the same images, and differences of such means, after DeLong 1988.

An AUROC is a mean of placements (``delong.placements``), so a mean of AUROCs is a mean of averaged placements, and
its variance follows from theirs: no correlation between the scores has to be modelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level, score_rows
from cfs_explore.diagnostics.groups import Groups, independent, mean_variance, variance_of_means
from cfs_explore.diagnostics.intervals import auroc_interval, z_of
from cfs_explore.diagnostics.metrics import Estimate
from cfs_explore.diagnostics.parallel import blocks, thread_map

#: Scores per block, so that sorting stays in a core's cache.
_BLOCK = 1 << 17


class SetMeans(NamedTuple):
    """value, lo, hi: mean AUROC over sets with its limits, (rows,). each: AUROC of every set, (rows, sets)."""

    value: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    each: np.ndarray


def mean_auroc(
    id_placements: np.ndarray, ood_placements: np.ndarray, level: float = 0.95, groups: Groups | None = None
) -> Estimate:
    """Mean of k AUROCs with its interval, that of ``auroc_interval`` where the variance is 0 or unknown.

    Args:
        id_placements, ood_placements: of ``placements``, (k, n_id) and (k, n_ood).
        groups: of the images; None where each is alone.
    """
    require_level(level)
    id_mean, ood_mean = id_placements.mean(axis=0), ood_placements.mean(axis=0)
    value, var = np.array([ood_mean.mean()]), variance_of_means(id_mean[None], ood_mean[None], groups)
    lo, hi = auroc_interval(value, var, *independent(groups, len(id_mean), len(ood_mean)), level)
    return Estimate(float(value[0]), float(lo[0]), float(hi[0]))


def mean_over_sets(
    id_placements: np.ndarray,
    ood_placements: Sequence[np.ndarray],
    level: float = 0.95,
    groups: Groups | None = None,
) -> Estimate:
    """Mean over OOD sets of an AUROC, or of a difference of two, all against the same ID images.

    Args:
        id_placements: against each set, (sets, n_id); for a difference, those of one score minus those of the other.
        ood_placements: of each set, (n_ood,) each, likewise. The sets count as independent of each other and of the
            ID images, but for images of one group.
        groups: of the ID images, and of the OOD images of all sets one after the other; None where each is alone.

    Returns:
        The mean with its interval; NaN limits where a class has one image, or nothing varies.

    Raises:
        ScoreError: no set, or not the same number of them.
    """
    require_level(level)
    if len(id_placements) != len(ood_placements) or not len(ood_placements):
        raise ScoreError(
            "id_placements and ood_placements must be of the same sets, at least one. "
            f"Got {len(id_placements)} and {len(ood_placements)} instead."
        )
    value = float(np.mean([part.mean() for part in ood_placements]))
    of_id = np.asarray(id_placements).mean(axis=0)[None]
    var = float(_variance_over_sets(of_id, [part[None] for part in ood_placements], groups)[0])
    half = z_of(level) * float(np.sqrt(var)) if var > 0 else float("nan")
    return Estimate(value, value - half, value + half)


def mean_auroc_over_sets(
    id_scores: np.ndarray, ood_scores: Sequence[np.ndarray], level: float = 0.95, groups: Groups | None = None
) -> SetMeans:
    """Mean AUROC over OOD sets, each counting alike, against the same ID images, with limits (theory 36).

    The limits are those of ``auroc_interval``, and of one set the very same: they stay within [0, 1] and hold near 1.

    Args:
        id_scores: (rows, n_id), of as many detectors or cells. ood_scores: of each set, (rows, n_ood).
        groups: of the ID images, and of the OOD images of all sets one after the other; None where each is alone.

    Raises:
        ScoreError: no set, wrong shapes, NaN or infinity.
    """
    require_level(level)
    if not len(ood_scores):
        raise ScoreError("A mean over OOD sets needs at least one set.")
    counts = [part.shape[-1] for part in ood_scores]
    ends = np.cumsum(counts)[:-1]
    of_id, of_ood = averaged_placements(id_scores, np.concatenate(ood_scores, axis=1), counts)
    parts = np.split(of_ood, ends, axis=1)
    each = np.stack([part.mean(axis=1) for part in parts], axis=1)
    var = _variance_over_sets(of_id, parts, groups)
    lo, hi = auroc_interval(each.mean(axis=1), var, *_independent_of_sets(groups, of_id.shape[1], counts), level)
    return SetMeans(each.mean(axis=1), lo, hi, each)


def averaged_placements(
    id_scores: np.ndarray, ood_scores: np.ndarray, counts: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Placements as of ``delong.placements``, those of the ID images averaged over OOD sets, each set counting alike.

    Args:
        id_scores: (rows, n_id). ood_scores: (rows, n_ood), the sets one after the other. counts: of their images.

    Returns:
        (rows, n_id) and (rows, n_ood), in the order of the images.
    """
    id_rows, ood_rows = score_rows(id_scores, ood_scores)
    if sum(counts) != ood_rows.shape[1] or not all(counts):
        raise ScoreError(f"ood_scores must hold {list(counts)} images. Got {ood_rows.shape[1]} instead.")
    n_id = id_rows.shape[1]
    weights = np.concatenate([np.ones(n_id), np.repeat(1 / (len(counts) * np.array(counts)), counts)])
    size = max(1, _BLOCK // len(weights))
    found = thread_map(
        lambda rows: _placements_of_block(id_rows[rows], ood_rows[rows], weights), blocks(len(id_rows), size)
    )
    placements = np.concatenate(found) if found else np.empty((0, len(weights)))
    return placements[:, :n_id], placements[:, n_id:]


def _placements_of_block(id_rows: np.ndarray, ood_rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of each image the share of the other class below it (OOD) or above it (ID), ties 1/2, (rows, n_id + n_ood).

    Args:
        weights: of the images, 1 for ID, so that their counts are exact, and 1 in all for OOD.
    """
    pooled = np.concatenate([id_rows, ood_rows], axis=1, dtype=np.float64)
    require_finite(pooled, "scores")
    order = np.argsort(pooled, axis=1)
    is_id, ordered, mass = order < id_rows.shape[1], np.take_along_axis(pooled, order, axis=1), weights[order]
    runs = _runs(ordered[:, 1:] != ordered[:, :-1])
    of_id, of_ood = (_sums_below(np.where(part, mass, 0), runs) for part in (is_id, ~is_id))
    found = np.empty(order.shape)
    np.put_along_axis(found, order, np.where(is_id, 1 - of_ood, of_id / id_rows.shape[1]), axis=1)
    return found


def _runs(new: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the run of equal scores that each image is in begins and ends, (rows, n) each; None without equal scores.

    Args:
        new: whether an image's score differs from that of the image before it, (rows, n - 1).
    """
    if new.all():
        return None
    place, edge = np.arange(new.shape[1] + 1), np.ones((len(new), 1), dtype=bool)
    first = np.where(np.concatenate([edge, new], axis=1), place, 0)
    last = np.where(np.concatenate([new, edge], axis=1), place, place[-1])
    return np.maximum.accumulate(first, axis=1), np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]


def _sums_below(mass: np.ndarray, runs: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """Mass below each image of sorted rows (rows, n), without its own; half of that of its equals."""
    upto = np.cumsum(mass, axis=1)
    if runs is None:
        return upto - mass
    first, last = runs
    return (np.take_along_axis(upto - mass, first, axis=1) + np.take_along_axis(upto, last, axis=1)) / 2


def _variance_over_sets(of_id: np.ndarray, parts: Sequence[np.ndarray], groups: Groups | None) -> np.ndarray:
    """Variance of mean(ID values) + the mean over sets of mean(OOD values), (rows,); NaN where it is unknown.

    Args:
        of_id: (rows, n_id). parts: of each set, (rows, n_ood). groups: as for ``mean_over_sets``.
    """
    sets = len(parts)
    if groups is None:
        return mean_variance(of_id) + sum(map(mean_variance, parts)) / sets**2
    total = sum(part.shape[1] for part in parts)
    shares = [(part - part.mean(axis=1, keepdims=True)) * (total / (sets * part.shape[1])) for part in parts]
    return groups.variance(of_id, np.concatenate(shares, axis=1))


def _independent_of_sets(groups: Groups | None, n_id: int, counts: Sequence[int]) -> tuple[float, float]:
    """ID images, and OOD images that would tell one AUROC as well as sets of so many tell their mean; or groups.

    The variance of a mean over S sets of n_s images, all alike, is that of S^2 / sum(1 / n_s) images.
    """
    sets, ends = len(counts), np.cumsum(counts)
    if groups is None:
        return n_id, sets**2 / sum(1 / n for n in counts)
    each = [len(np.unique(groups.ood[end - n : end])) for n, end in zip(counts, ends, strict=True)]
    ids, oods = independent(groups, n_id, int(ends[-1]))
    return ids, min(oods, sets**2 / sum(1 / n for n in each))
