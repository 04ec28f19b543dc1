"""The protocol page's side by side: two or three explorations on one colour scale, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.figures import auroc_map_figure, map_caption
from cfs_explore.figures.difference_map import difference_alt, difference_map_figure
from cfs_explore.figures.signed_map import shared_reach
from cfs_explore.headlines.protocol import comparison_headline
from cfs_explore.protocol import compare
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

_TELLING = ["tap_a", "tap_b", "lam", "lam_b", "auroc_a", "auroc_b", "difference", "lo", "hi", "paired"]


@st.cache_resource(max_entries=32, show_spinner="Comparing cell by cell")
def compared(_first: Run, first_digest: str, _second: Run, second_digest: str, ood: str) -> pd.DataFrame:
    """``protocol.compare`` of two runs."""
    return compare(_first, _second, ood)


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where there is nothing to compare with."""
    if not others:
        st.info(
            "Choose another exploration above to see it beside this one. There should be one of another backbone on "
            "the same image sets.",
            icon=":material/compare:",
        )
        st.page_link("pages/new.py", label="Make a new exploration", icon=":material/add_circle:")
        return ""
    known = [other for other in others if ood in other.ood_names]
    for other in others:
        if other not in known:
            names = ", ".join(other.ood_names)
            st.info(escape(f"{other.name} has no OOD set called {ood}; it has {names}."), icon=":material/info:")
    if not known:
        return ""
    frames = [compared(run, run.digest, other, other.digest, ood) for other in known]
    _maps([run, *known], ood)
    reach = shared_reach(pd.concat([frame["difference"] for frame in frames]))
    for other, frame in zip(known, frames, strict=True):
        _difference(run, other, ood, frame, reach)
    told = [(escape(other.name), frame) for other, frame in zip(known, frames, strict=True)]
    return comparison_headline(escape(ood), escape(run.name), told)


def _maps(runs: Sequence[Run], ood: str) -> None:
    """The maps beside each other; all have the fixed scale from 0 to 1."""
    for column, run in zip(st.container(key="beside_maps").columns(len(runs), gap="medium"), runs, strict=True):
        with column:
            st.subheader(escape(run.name), anchor=False)
            frame = data.map_frame(run, run.digest, ood)
            show_figure(
                auroc_map_figure(frame, theme=state.figure_theme()),
                key=f"map_of_{run.path.name}",
                rows=frame,
                caption=map_caption(frame, "auroc", ood),
                alt=f"AUROC of {run.name} for {ood}: {frame['auroc'].min():.2f} to {frame['auroc'].max():.2f}.",
                file_name=f"{run.path.name}-{ood}-map".replace(" ", "-"),
            )


def _difference(first: Run, second: Run, ood: str, frame: pd.DataFrame, reach: float) -> None:
    st.subheader(escape(f"{second.name} minus {first.name}"), anchor=False)
    if frame.empty:
        st.info("No level of one lies within 0.25 in log-SNR of a level of the other, so there is nothing to compare.")
        return
    row = frame.iloc[0]
    same = "the same images on both sides, paired DeLong" if row["paired"] else "different images, intervals joined"
    show_figure(
        difference_map_figure(frame, state.figure_theme(), reach=reach),
        key=f"difference_{second.path.name}",
        rows=frame[[*_TELLING, *frame.columns.drop(_TELLING)]],
        caption=f"AUROC of {second.name} minus that of {first.name}; OOD: {ood}; taps matched by region and depth, "
        f"levels by log-SNR; {same}; n = {row['n_id_a']} ID, {row['n_ood_a']} OOD; "
        f"{row['draws']} noise draw{'s' * bool(row['draws'] > 1)} on both sides. Blue: {second.name} is better. Ring: "
        "the 95 % interval includes 0.",
        alt=difference_alt(frame, first.name, second.name),
        file_name=f"{second.path.name}-minus-{first.path.name}-{ood}".replace(" ", "-"),
    )
