"""The layer x noise map: every number that judges a slot score, one row per cell (theory 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, require_level, score_maps
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.precision_recall import curves


def auroc_map(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    levels: Sequence[Level],
    taps: Sequence[Tap],
    *,
    groups: Groups | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Judge every cell of slot scores; a cell's score is the mean over draws.

    Args:
        id_scores: (n_id, draws, L, T). ood_scores: (n_ood, draws, L, T). Higher = more OOD.
        levels: the L levels. taps: the T taps.
        groups: of the images (theory 28); None where each is alone.
        level: confidence of all intervals (theory 27).

    Returns:
        L x T rows, levels outermost: the table ``auroc_map`` (``studies.every_map``) up to draws.

    Raises:
        ScoreError: shapes that do not match, NaN or infinity.
    """
    require_level(level)
    id_scores, ood_scores = score_maps(id_scores, ood_scores)
    n_id, draws, level_count, tap_count = id_scores.shape
    if (level_count, tap_count) != (len(levels), len(taps)):
        raise ScoreError(
            f"The scores have {level_count} levels and {tap_count} taps. "
            f"Got {len(levels)} levels and {len(taps)} taps instead."
        )
    n_ood = len(ood_scores)
    id_rows, ood_rows = cell_rows(id_scores), cell_rows(ood_scores)
    value, var = delong(id_rows, ood_rows, groups)
    lo, hi = auroc_interval(value, var, *independent(groups, n_id, n_ood), level)
    frame = cell_columns(levels, taps).assign(
        auroc=value, auroc_lo=lo, auroc_hi=hi, draw_sd=_draw_spread(id_scores, ood_scores)
    )
    return frame.assign(**curves(id_rows, ood_rows, level, groups)._asdict(), n_id=n_id, n_ood=n_ood, draws=draws)


def cell_columns(levels: Sequence[Level], taps: Sequence[Tap]) -> pd.DataFrame:
    """Where each cell is, one row per cell, levels outermost: ``studies.columns.CELL``."""
    return pd.DataFrame(
        [
            {
                "level": k,
                "tap": tap.name,
                "tap_index": position,
                "region": tap.region,
                "depth": tap.depth,
                "resolution": tap.resolution,
                "lam": level.lam,
                "requested": level.requested,
            }
            for k, level in enumerate(levels)
            for position, tap in enumerate(taps)
        ]
    )


def _draw_spread(id_scores: np.ndarray, ood_scores: np.ndarray) -> np.ndarray:
    """Standard deviation over draws of each cell's AUROC, (L * T,)."""
    draws = id_scores.shape[1]
    if draws == 1:
        return np.full(id_scores[0, 0].size, np.nan)
    per_draw = [
        delong(cell_rows(id_scores[:, m : m + 1]), cell_rows(ood_scores[:, m : m + 1])).auroc for m in range(draws)
    ]
    return np.std(per_draw, axis=0, ddof=1)
