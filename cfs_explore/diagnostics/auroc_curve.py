"""AUROC of one tap's scores along the noise, with what images and what draws make uncertain, and its plateau."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.plateau import Plateau, score_plateau


class AurocCurve(NamedTuple):
    """One tap and OOD set.

    Attributes:
        frame: a row per level, clean to noisy: lam, auroc, lo, hi (DeLong), draw_lo, draw_hi (NaN for one draw), n_id,
            n_ood, draws, on_plateau.
        plateau: of the AUROC.
    """

    frame: pd.DataFrame
    plateau: Plateau


def auroc_curve(
    lams: Sequence[float], id_scores: np.ndarray, ood_scores: np.ndarray, groups: Groups | None = None
) -> AurocCurve:
    """AUROC over the levels of one tap, of the mean over the draws, and of single draws.

    Args:
        lams: log-SNR of each level, clean to noisy.
        id_scores: (n_id, draws, levels). ood_scores: (n_ood, draws, levels).
        groups: of the images; None where each is alone.
    """
    per_draw = [scores.transpose(1, 2, 0).astype(np.float64) for scores in (id_scores, ood_scores)]
    id_rows, ood_rows = (scores.mean(axis=0) for scores in per_draw)  # (level, image)
    n_id, n_ood = id_rows.shape[1], ood_rows.shape[1]
    value, var = delong(id_rows, ood_rows, groups)
    lo, hi = auroc_interval(value, var, *independent(groups, n_id, n_ood))
    single = np.array([delong(*rows).auroc for rows in zip(*per_draw, strict=True)])  # (draw, level)
    draws = len(single)
    if draws < 2:
        single = np.full(single.shape, np.nan)
    frame = pd.DataFrame(
        {
            "lam": lams,
            "auroc": value,
            "lo": lo,
            "hi": hi,
            "draw_lo": single.min(axis=0),
            "draw_hi": single.max(axis=0),
        }
    ).assign(n_id=n_id, n_ood=n_ood, draws=draws)
    found = score_plateau(id_rows, ood_rows, groups=groups)
    return AurocCurve(frame.assign(on_plateau=frame.index.to_series().between(found.start, found.stop)), found)
