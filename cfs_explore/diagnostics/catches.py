"""Which OOD images two scores catch, each at its own threshold (theory 4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, score_vector
from cfs_explore.diagnostics.groups import Groups, Members
from cfs_explore.diagnostics.intervals import wilson_interval

#: Who catches an image, in the order of ``Catches.group``'s codes.
GROUPS = ("both", "encoder", "decoder", "neither")


class Catches(NamedTuple):
    """OOD images by who catches them.

    Attributes:
        threshold_e, threshold_d: 95 %-ID thresholds of encoder and decoder.
        group: (n_ood,), position in ``GROUPS`` of each OOD image.
        count: images per group, (4,).
        lo, hi: Wilson limits of the groups' shares of the OOD images, (4,) each.
    """

    threshold_e: float
    threshold_d: float
    group: np.ndarray
    count: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


def id_threshold(id_scores: np.ndarray, share: float = 0.95) -> float:
    """The smallest ID score that at least ``share`` of the ID images do not exceed; above it, an image is flagged.

    Args:
        id_scores: (n_id,). share: in (0, 1).
    """
    scores = score_vector(id_scores, "id_scores")
    if not 0 < share < 1:
        raise ScoreError(f"share must be between 0 and 1, for example 0.95. Got {share} instead.")
    return float(np.quantile(scores, share, method="inverted_cdf"))


def catches(
    id_e: np.ndarray,
    id_d: np.ndarray,
    ood_e: np.ndarray,
    ood_d: np.ndarray,
    *,
    groups: Groups | None = None,
    share: float = 0.95,
    level: float = 0.95,
) -> Catches:
    """Sort the OOD images by who flags them when each score keeps ``share`` of the ID images.

    Args:
        id_e, id_d: (n_id,), encoder and decoder scores. ood_e, ood_d: (n_ood,), of the same images.
        groups: of the images; None where each is alone.

    Raises:
        ScoreError: lengths that do not match, an empty class, NaN or infinity.
    """
    ood_e, ood_d = score_vector(ood_e, "ood_e"), score_vector(ood_d, "ood_d")
    if ood_e.size != ood_d.size:
        raise ScoreError(f"ood_e and ood_d must score the same images. Got {ood_e.size} and {ood_d.size} instead.")
    threshold_e, threshold_d = id_threshold(id_e, share), id_threshold(id_d, share)
    by_e, by_d = ood_e > threshold_e, ood_d > threshold_d
    group = np.where(by_e, np.where(by_d, 0, 1), np.where(by_d, 2, 3))
    count = np.bincount(group, minlength=len(GROUPS))
    hits = group == np.arange(len(GROUPS))[:, None]
    apart = group.size if groups is None else Members(groups.ood).effective(hits)
    lo, hi = wilson_interval(count / group.size, apart, level)
    return Catches(threshold_e, threshold_d, group, count, lo, hi)
