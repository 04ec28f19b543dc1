"""The lower half of the stability page: the local law, the stability radius of every tap, and drift by cause."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from cfs_explore.figures import format_estimate, short_tap_name
from cfs_explore.figures.drift_lines import drift_lines_figure
from cfs_explore.figures.local_law import local_law_figure
from cfs_explore.figures.tap_radius import tap_radius_figure
from cfs_explore.figures.theme import format_value
from cfs_explore.store import Run
from cfs_explore.ui import state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.stability_data import pick

#: Column of the drift table -> (choice, y axis)
PARTS = {
    "drift": ("Whole", "Squared drift, in units of v"),
    "own": ("The image's own", "Own squared drift, in units of v"),
}


def show(run: Run, law: pd.DataFrame, drift: pd.DataFrame, chosen: str, roles: Mapping[str, str]) -> None:
    """Why snapshots hold or fail: growth of the noise, drift of the conditioning, and all taps at one glance.

    Args:
        run: the exploration.
        law, drift: the stage's tables.
        chosen: name of the chosen tap.
        roles: of the highlighted taps.
    """
    left, right = st.container(key="beside_law").columns([5, 4], gap="large")
    with left:
        _growth(run, law, chosen, roles)
    with right:
        _drift(run, drift, chosen)
    _radius(run, law, chosen)


def _growth(run: Run, law: pd.DataFrame, chosen: str, roles: Mapping[str, str]) -> None:
    st.subheader(
        "How the noise grows inside",
        anchor=False,
        help="For small noise a snapshot follows the noise linearly, so that its variance within an image grows as b², "
        "the noise's own variance: the local law. Where the curve leaves the dashed line, the network no longer "
        "responds linearly.",
    )
    row = law[law["tap"] == chosen].iloc[0]
    shown = law[law["tap"].isin(list(roles))]
    slope = format_estimate(row["slope"], row["slope_lo"], row["slope_hi"])
    if not (law.loc[law["tap"] == chosen, "within"] > 0).any():
        st.info("The chosen tap does not respond to the noise at all: there is no growth to show.")
        return
    show_figure(
        local_law_figure(shown, roles, state.figure_theme()),
        key="stability_law",
        rows=shown,
        caption=f"{short_tap_name(chosen)}: slope {slope} for λ ≥ {format_value(row['slope_lam'], 1)}; variance in "
        f"units of ID-train's v at the map's cleanest level; n = {row['n_id']} ID-test images, {row['draws']} draws, "
        "bootstrap over images.",
        alt=f"Variance within an image over the noise amplitude, both logarithmic. {short_tap_name(chosen)} grows with "
        f"slope {slope}; the law has 1.",
        file_name=f"{run.path.name}-local-law",
    )


@st.fragment
def _drift(run: Run, drift: pd.DataFrame, chosen: str) -> None:
    """Redrawn alone when its control changes."""
    st.subheader(
        "Noise or conditioning?",
        anchor=False,
        help="The network sees noise in the image, and it is told the noise level (conditioning). Each alone moves a "
        "snapshot. The whole drift includes what all images share, which the statistics of each level take up; the "
        "image's own part does not.",
    )
    part = st.segmented_control(
        "Drift", list(PARTS), key="stability_part", format_func=lambda name: PARTS[name][0], required=True
    )
    state.remember(stability_part=part)
    rows = drift[drift["tap"] == chosen]
    lo, hi = ("lo", "hi") if part == "drift" else ("own_lo", "own_hi")
    rows = rows[["lam", "cause"]].assign(value=rows[part], lo=rows[lo], hi=rows[hi], n_id=rows["n_id"])
    if not (rows["value"] > 0).any():
        st.info("Nothing moves the chosen tap, or there is one image only: there is no drift to show.")
        return
    last = rows[rows["lam"] == rows["lam"].min()].set_index("cause")["value"]
    show_figure(
        drift_lines_figure(rows, PARTS[part][1], state.figure_theme()),
        key="stability_drift",
        rows=rows,
        caption=f"{short_tap_name(chosen)}, against the clean image under the cleanest conditioning; n = "
        f"{rows['n_id'].iloc[0]} ID-test images, first draw; 95 % bands, normal on the logarithm.",
        alt=f"Squared drift of {short_tap_name(chosen)} over the noise levels by cause; at the noisiest, noise alone "
        f"gives {last['noise']:.3g}, conditioning alone {last['conditioning']:.3g}, both {last['both']:.3g}.",
        file_name=f"{run.path.name}-drift",
    )


def _radius(run: Run, law: pd.DataFrame, chosen: str) -> None:
    st.subheader(
        "How far each tap is stable",
        anchor=False,
        help="Slope: of the local law at small noise; 1 is linear (grey: 0.8 to 1.2). Stability radius: the largest "
        "b/a measured up to which every local slope stays in that range and the ICC is at least 0.9. Measured levels "
        "only, so that it moves in steps.",
    )
    columns = ["tap", "tap_index", "region", "slope", "slope_lo", "slope_hi", "radius", "radius_lo", "radius_hi"]
    taps = law.drop_duplicates("tap")[[*columns, "radius_end", "slope_lam", "n_id", "draws"]]
    taps = taps.assign(smallest=law["b_over_a"].min())
    if taps["slope"].isna().all():
        st.info("One noise level is in reach, or nothing varies: there is no slope and no radius to show.")
        return
    row = taps[taps["tap"] == chosen].iloc[0]
    show_figure(
        tap_radius_figure(taps, chosen, state.figure_theme()),
        key="stability_radius",
        rows=taps,
        caption=f"Above: slope of the local law over λ ≥ {format_value(row['slope_lam'], 1)}. Below: stability radius; "
        f"lowest marks: below the cleanest level measured, {row['smallest']:.2g}. n = {row['n_id']} ID-test images, "
        f"{row['draws']} draws; bootstrap 95 % intervals.",
        alt=f"Slope and stability radius of {len(taps)} taps; {short_tap_name(chosen)} has slope "
        f"{format_estimate(row['slope'], row['slope_lo'], row['slope_hi'])} and radius {row['radius']:.2g}.",
        file_name=f"{run.path.name}-stability-radius",
        on_select=lambda: pick("stability_radius", run),
    )
