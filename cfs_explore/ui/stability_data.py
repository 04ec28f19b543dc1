"""What the stability page computes live, the AUROC of one tap along the noise, and what its clicks do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.diagnostics.delong import auroc_interval, delong
from cfs_explore.diagnostics.plateau import Plateau, score_plateau
from cfs_explore.store import Run
from cfs_explore.ui import data


class AurocCurve(NamedTuple):
    """One tap and OOD set.

    Attributes:
        frame: a row per level, clean to noisy: lam, auroc, lo, hi (DeLong), draw_lo, draw_hi (NaN for one draw), n_id,
            n_ood, draws, on_plateau.
        plateau: of the AUROC.
    """

    frame: pd.DataFrame
    plateau: Plateau


@st.cache_resource(max_entries=256, show_spinner=False)
def auroc_curve(_run: Run, digest: str, ood: str, tap: str) -> AurocCurve:
    """AUROC over the levels of one tap, with both bands."""
    position = [each.name for each in _run.taps].index(tap)
    per_draw = [
        data.scores(_run, digest, role, name)[..., position].transpose(1, 2, 0).astype(np.float64)
        for role, name in (("id_test", None), ("ood", ood))
    ]  # (draw, level, image)
    id_rows, ood_rows = (scores.mean(axis=0) for scores in per_draw)
    n_id, n_ood = id_rows.shape[1], ood_rows.shape[1]
    value, var = delong(id_rows, ood_rows)
    lo, hi = auroc_interval(value, var, n_id, n_ood)
    single = np.array([delong(*rows).auroc for rows in zip(*per_draw, strict=True)])
    if len(single) < 2:
        single = np.full(single.shape, np.nan)
    frame = pd.DataFrame(
        {
            "lam": [level.lam for level in _run.levels],
            "auroc": value,
            "lo": lo,
            "hi": hi,
            "draw_lo": single.min(axis=0),
            "draw_hi": single.max(axis=0),
        }
    ).assign(n_id=n_id, n_ood=n_ood, draws=_run.draws)
    found = score_plateau(id_rows, ood_rows)
    return AurocCurve(frame.assign(on_plateau=frame.index.to_series().between(found.start, found.stop)), found)


def pick(key: str, run: Run) -> None:
    """A click in the figure ``key`` chooses the tap whose index it reports."""
    points = st.session_state[key]["selection"]["points"]
    indices = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
    if indices:
        st.session_state["stability_tap"] = run.taps[indices[-1]].name
