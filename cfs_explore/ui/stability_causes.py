"""The lower half of the stability page: the local law, the stability radius of every tap, and drift by cause."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.stability import PART
from cfs_explore.store import Run
from cfs_explore.ui import choosing
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import picked, show_figure


def show(run: Run, view: Choices) -> None:
    """Why snapshots hold or fail: growth of the noise, drift of the conditioning, and all taps at one glance."""
    left, right = st.container(key="beside_law").columns([5, 4], gap="large")
    with left:
        st.header(
            "How the noise grows inside",
            anchor=False,
            help="For small noise a snapshot follows the noise linearly, so that its variance within an image grows as "
            "b², the noise's own variance: the local law. Where the curve leaves the dashed line, the network no "
            "longer responds linearly.",
        )
        show_figure("stability-law", run, view, key="stability_law")
    with right:
        _drift(run, view)
    st.header(
        "Stability of every tap",
        anchor=False,
        help="Slope: of the local law at small noise; 1 is linear (grey: 0.8 to 1.2). Stability radius: the largest "
        "b/a measured up to which every local slope stays in that range and the ICC is at least 0.9. Measured levels "
        "only, so it moves in steps.",
    )
    show_figure("stability-radius", run, view, key="stability_radius", on_select=lambda: pick("stability_radius", run))


def pick(key: str, run: Run) -> None:
    """A click in the figure ``key`` chooses the tap whose index it reports."""
    if taps := picked(key):
        st.session_state["stability_tap"] = run.taps[taps[-1]].name


@fragment
def _drift(run: Run, view: Choices) -> None:
    """Redrawn alone when its control changes."""
    st.header(
        "Noise or conditioning?",
        anchor=False,
        help="The network sees noise in the image and is conditioned on the noise level. Each alone moves a snapshot. "
        "The whole drift includes what all images share, which the statistics of each level absorb; the image's own "
        "part leaves it out.",
    )
    part = choosing.choose(PART, run)
    show_figure("stability-drift", run, replace(view, options={PART.name: part}), key="stability_drift")
