"""What a map loses when the network is conditioned on another level than the one it sees (theory 1)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, cell_rows, score_maps
from cfs_explore.diagnostics.excess import Placed, paired_limits
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.intervals import auroc_interval


def conditioning_loss(
    matched: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], groups: Groups | None = None
) -> pd.DataFrame:
    """AUROC of every cell under other conditioning, and matched minus that, on the same images.

    Args:
        matched: ID scores (n_id, draws, L, T) and OOD scores (n_ood, draws, L, T) of the network that is
            conditioned on the true level. other: the same under other conditioning, with statistics fitted under it.
        groups: of the images; None where each is alone.

    Returns:
        A row per cell, level-major: level and tap_index, then numbers and sizes of ``conditioning``
        (``studies.conditioning``). A loss is 0 with certainty where both rank all images alike.

    Raises:
        ScoreError: shapes that do not match; NaN or infinity.
    """
    maps = [score_maps(*scores) for scores in (matched, other)]
    if [part.shape for part in maps[0]] != [part.shape for part in maps[1]]:
        raise ScoreError("Both maps must score the same images at the same levels and taps.")
    levels, taps = maps[0][0].shape[2:]
    right, wrong = (Placed.of(*(cell_rows(part) for part in scores), groups) for scores in maps)
    n_id, n_ood = right.id.shape[1], right.ood.shape[1]
    value, var = wrong.judged
    lo, hi = auroc_interval(value, var, *right.independent)
    contrast = right.minus(wrong)
    loss_lo, loss_hi = paired_limits(right.judged, wrong.judged, contrast.judged.var, *right.independent)
    alike = ~(contrast.id.any(axis=1) | contrast.ood.any(axis=1))
    return pd.DataFrame(
        {
            "level": np.repeat(np.arange(levels), taps),
            "tap_index": np.tile(np.arange(taps), levels),
            "auroc": value,
            "lo": lo,
            "hi": hi,
            "loss": right.judged.auroc - value,
            "loss_lo": np.where(alike, 0.0, loss_lo),
            "loss_hi": np.where(alike, 0.0, loss_hi),
            "n_id": n_id,
            "n_ood": n_ood,
        }
    )
