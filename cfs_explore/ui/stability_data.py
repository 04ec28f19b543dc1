"""What the stability page computes live, the AUROC of one tap along the noise, and what its clicks do."""

from __future__ import annotations

import streamlit as st

from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics import auroc_curve as curves
from cfs_explore.store import Run
from cfs_explore.ui import data


@data.kept(max_entries=256)
def auroc_curve(run: Run, ood: str, tap: str) -> curves.AurocCurve:
    """AUROC over the levels of one tap, with both bands."""
    position = [each.name for each in run.taps].index(tap)
    sets = (run.scores(*which)[..., position] for which in (("id_test", None), ("ood", ood)))
    return curves.auroc_curve([level.lam for level in run.levels], *sets, Groups.of(*run.group_names(ood)))


def pick(key: str, run: Run) -> None:
    """A click in the figure ``key`` chooses the tap whose index it reports."""
    points = st.session_state[key]["selection"]["points"]
    indices = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
    if indices:
        st.session_state["stability_tap"] = run.taps[indices[-1]].name
