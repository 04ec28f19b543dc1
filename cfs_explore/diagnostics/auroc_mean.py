"""The mean AUROC of several scores of the same images, and differences of such means, after DeLong 1988.

An AUROC is a mean of placements (``delong.placements``), so a mean of AUROCs is a mean of averaged placements, and
its variance follows from theirs: no correlation between the scores has to be modelled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_level
from cfs_explore.diagnostics.groups import Groups, independent, mean_variance, variance_of_means
from cfs_explore.diagnostics.intervals import auroc_interval, z_of
from cfs_explore.diagnostics.metrics import Estimate


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
    of_id, sets = np.asarray(id_placements).mean(axis=0)[None], len(ood_placements)
    if groups is None:
        var = (
            float(mean_variance(of_id)[0])
            + sum(float(mean_variance(part[None])[0]) for part in ood_placements) / sets**2
        )
    else:
        total = sum(map(len, ood_placements))
        shares = [(part - part.mean()) * (total / (sets * len(part))) for part in ood_placements]
        var = float(groups.variance(of_id, np.concatenate(shares)[None])[0])
    half = z_of(level) * float(np.sqrt(var)) if var > 0 else float("nan")
    return Estimate(value, value - half, value + half)
