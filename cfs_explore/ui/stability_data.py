"""What the stability page computes live, the AUROC of one tap along the noise, and what its clicks do."""

from __future__ import annotations

import streamlit as st

from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics import auroc_curve as curves
from cfs_explore.store import Run
from cfs_explore.ui import data


@st.cache_resource(max_entries=256, show_spinner=False)
def auroc_curve(_run: Run, digest: str, ood: str, tap: str) -> curves.AurocCurve:
    """AUROC over the levels of one tap, with both bands."""
    position = [each.name for each in _run.taps].index(tap)
    sets = (data.scores(_run, digest, *which)[..., position] for which in (("id_test", None), ("ood", ood)))
    return curves.auroc_curve([level.lam for level in _run.levels], *sets, Groups.of(*_run.group_names(ood)))


def pick(key: str, run: Run) -> None:
    """A click in the figure ``key`` chooses the tap whose index it reports."""
    points = st.session_state[key]["selection"]["points"]
    indices = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
    if indices:
        st.session_state["stability_tap"] = run.taps[indices[-1]].name
