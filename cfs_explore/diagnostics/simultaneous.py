"""Limits that hold for many AUROCs, or many differences of them, at once: the best of them may then be picked (30, 35).

Each value has its limits of (27) at the quantile c, in the place of 1.96, of max_d |D_d* - D_d| / se_d over bootstrap
resamples of the images, to first order in the placements (as in ``sensitivity``); c is at least that of a single one.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.checks import ScoreError, require_level, score_rows
from cfs_explore.diagnostics.excess import Placed, paired_limits
from cfs_explore.diagnostics.groups import Groups, weights
from cfs_explore.diagnostics.intervals import auroc_interval

#: ID scores (rows, n_id) and OOD scores (rows, n_ood), higher = more OOD.
Scores = tuple[np.ndarray, np.ndarray]
#: A standard error below this is none: both scores rank all images alike.
_NO_ERROR = 1e-12
#: Normal quantile beyond which a level is 1 in floating point.
_LARGEST_Z = 8.0


def joint_limits(
    candidates: Scores,
    reference: Scores,
    *,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """AUROCs of candidates and their leads over one reference, with limits that hold for all candidates at once.

    Whichever candidate is picked by its AUROC on these very images, its limits hold the truth as often as ``level``
    says, because those of all do (theory 35).

    Args:
        candidates: scores of one or more detectors.
        reference: scores of one, (1, n), on the same images in the same order.
        groups: of the images; None where each is alone.
        resamples, seed: of the bootstrap.
        level: confidence, simultaneous over the candidates.

    Returns:
        A row per candidate: auroc, joint_lo, joint_hi, and lead, lead_lo, lead_hi over the reference.

    Raises:
        ScoreError: no candidate, not one reference, other images, fewer than 2 images in a class, NaN or infinity.
    """
    require_level(level)
    candidates, reference = score_rows(*candidates), score_rows(*reference)
    sizes = [part.shape[1] for part in candidates]
    fits = len(candidates[0]) and len(reference[0]) == 1 and sizes == [part.shape[1] for part in reference]
    if not fits or min(sizes) < 2:
        raise ScoreError(
            "Joint limits need candidates and one reference on the same images, at least 2 of each class. Got scores "
            f"of shapes {', '.join(str(part.shape) for part in (*candidates, *reference))}."
        )
    placed = Placed.of(*candidates, groups)
    beside = Placed.of(*reference, groups).at([0] * len(candidates[0]))
    drawn = changes(groups, *sizes, resamples, seed)
    own, difference = placed.judged, placed.minus(beside)
    at_once = [level_of(joint_quantile(largest_moves(each, drawn), level)) for each in (placed, difference)]
    lo, hi = auroc_interval(*own, *placed.independent, at_once[0])
    lead = paired_limits(own, beside.judged, difference.judged.var, *placed.independent, at_once[1])
    return pd.DataFrame(
        {
            **{"auroc": own.auroc, "joint_lo": lo, "joint_hi": hi},
            **{"lead": own.auroc - beside.judged.auroc, "lead_lo": lead[0], "lead_hi": lead[1]},
        }
    )


def changes(groups: Groups | None, n_id: int, n_ood: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Bootstrap weights of ID and OOD images, (n, resamples) each, as a change of the mean."""
    return [part - 1 for part in weights(groups, n_id, n_ood, resamples, np.random.default_rng(seed))]


def largest_moves(placed: Placed, drawn: list[np.ndarray]) -> np.ndarray:
    """Largest studentised change over the rows in each resample, (resamples,); ``drawn`` as of ``changes``."""
    error = np.sqrt(np.nan_to_num(placed.judged.var))
    varies = error > _NO_ERROR
    moved = sum(
        part[varies] @ change / part.shape[1] for part, change in zip((placed.id, placed.ood), drawn, strict=True)
    )
    return np.abs(moved / error[varies, None]).max(axis=0, initial=0.0)


def joint_quantile(moved: np.ndarray, level: float) -> float:
    """Normal quantile of simultaneous limits; no less than that of a single value."""
    return min(max(NormalDist().inv_cdf(0.5 + level / 2), float(np.quantile(moved, level))), _LARGEST_Z)


def level_of(z: float) -> float:
    """The confidence of a single interval with this normal quantile."""
    return 2 * NormalDist().cdf(z) - 1
