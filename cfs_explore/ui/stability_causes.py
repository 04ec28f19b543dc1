"""The lower half of the stability page: the local law, the stability radius of every tap, and drift by cause."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.plates import stability as plates
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, state
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import kept_plate, show_plate
from cfs_explore.ui.stability_data import pick


def show(run: Run, law: pd.DataFrame, drift: pd.DataFrame, chosen: str) -> None:
    """Why snapshots hold or fail: growth of the noise, drift of the conditioning, and all taps at one glance.

    Args:
        run: the exploration.
        law, drift: the stage's tables.
        chosen: name of the chosen tap.
    """
    left, right = st.container(key="beside_law").columns([5, 4], gap="large")
    with left:
        _growth(run, law, chosen)
    with right:
        _drift(run, drift, chosen)
    _radius(run, law, chosen)


def _growth(run: Run, law: pd.DataFrame, chosen: str) -> None:
    st.header(
        "How the noise grows inside",
        anchor=False,
        help="For small noise a snapshot follows the noise linearly, so that its variance within an image grows as b², "
        "the noise's own variance: the local law. Where the curve leaves the dashed line, the network no longer "
        "responds linearly.",
    )
    with diagnostic_page.or_why():
        plate = kept_plate(run, "law", (chosen,), lambda theme: plates.local_law(run, law, chosen, theme))
        show_plate(plate, key="stability_law")


@fragment
def _drift(run: Run, drift: pd.DataFrame, chosen: str) -> None:
    """Redrawn alone when its control changes."""
    st.header(
        "Noise or conditioning?",
        anchor=False,
        help="The network sees noise in the image, and it is told the noise level (conditioning). Each alone moves a "
        "snapshot. The whole drift includes what all images share, which the statistics of each level take up; the "
        "image's own part does not.",
    )
    part = st.segmented_control(
        "Drift", list(plates.PARTS), key="stability_part", format_func=lambda name: plates.PARTS[name][0], required=True
    )
    state.remember(stability_part=part)
    with diagnostic_page.or_why():
        plate = kept_plate(
            run, "drift", (chosen, part), lambda theme: plates.drift_by_cause(run, drift, chosen, part, theme)
        )
        show_plate(plate, key="stability_drift")


def _radius(run: Run, law: pd.DataFrame, chosen: str) -> None:
    st.header(
        "How far each tap is stable",
        anchor=False,
        help="Slope: of the local law at small noise; 1 is linear (grey: 0.8 to 1.2). Stability radius: the largest "
        "b/a measured up to which every local slope stays in that range and the ICC is at least 0.9. Measured levels "
        "only, so that it moves in steps.",
    )
    with diagnostic_page.or_why():
        show_plate(
            kept_plate(run, "radius", (chosen,), lambda theme: plates.radius(run, law, chosen, theme)),
            key="stability_radius",
            on_select=lambda: pick("stability_radius", run),
        )
