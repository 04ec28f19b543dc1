"""How a detector's AUROC depends on the number of levels, the number of taps and the draw (theory 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.auroc_mean import mean_auroc
from cfs_explore.diagnostics.checks import ScoreError, score_maps
from cfs_explore.diagnostics.delong import placements
from cfs_explore.diagnostics.groups import Groups


def nested_levels(lams: Sequence[float], main: int, counts: Sequence[int]) -> dict[int, list[int]]:
    """Number of levels -> positions of the levels nearest to the main one in log-SNR, each set inside the next.

    Args:
        lams: of the map. main: position of the main level. counts: wanted numbers; those above ``len(lams)`` are left
            out.
    """
    order = sorted(range(len(lams)), key=lambda k: (abs(lams[k] - lams[main]), k))
    return {count: sorted(order[:count]) for count in counts if count <= len(lams)}


def ablation_table(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    level_sets: Mapping[int, Sequence[int]],
    tap_sets: Mapping[str, Sequence[int]],
    groups: Groups | None = None,
) -> pd.DataFrame:
    """AUROC of CFS(K x L) for every set of levels and of taps, judged on single noise draws.

    Args:
        id_scores: (n_id, draws, L, T). ood_scores: (n_ood, draws, L, T).
        level_sets: K -> positions of levels. tap_sets: what the taps are -> positions of taps.
        groups: of the images; None where each is alone.

    Returns:
        Columns of the table ``ablation`` (``studies.ablation``) from levels to n_ood.

    Raises:
        ScoreError: shapes that do not match, an empty set of cells, NaN or infinity.
    """
    id_scores, ood_scores = score_maps(id_scores, ood_scores)
    n_id, draws = id_scores.shape[:2]
    rows = []
    for count, levels in level_sets.items():
        for name, taps in tap_sets.items():
            if not len(levels) or not len(taps):
                raise ScoreError(f"A detector needs a level and a tap. Got {len(levels)} and {len(taps)} ({name}).")
            ranked = placements(*(_per_draw(scores, levels, taps) for scores in (id_scores, ood_scores)))
            value, lo, hi = mean_auroc(*ranked, groups=groups)
            of_draw = ranked[1].mean(axis=1)  # (draws,)
            sd = float(of_draw.std(ddof=1)) if draws > 1 else float("nan")
            rows.append(
                {"levels": count, "taps": name, "n_taps": len(taps), "auroc": value, "sd": sd, "lo": lo, "hi": hi}
            )
    return pd.DataFrame(rows).assign(draws=draws, n_id=n_id, n_ood=len(ood_scores))


def _per_draw(scores: np.ndarray, levels: Sequence[int], taps: Sequence[int]) -> np.ndarray:
    """Detector scores (4) of every draw, (draws, n)."""
    return scores[:, :, levels][:, :, :, taps].mean(axis=(2, 3), dtype=np.float64).T
