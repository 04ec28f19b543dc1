"""The protocol page's cost: what detectors cost in forwards and time, and what they find for it (theory 1)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import honest_front
from cfs_explore.figures import protocol_cost as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.headlines.protocol import cost_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.protocol_compare import those_that
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import detector_name, format_value

_COST_COLUMNS = {
    "ms": st.column_config.NumberColumn("ms", width=60, format="%.2f", help="Measured milliseconds per image."),
    "effective": st.column_config.NumberColumn(
        "eff. #F", width=60, format="%.3f", help="Effective forwards per image."
    ),
    "forwards": st.column_config.NumberColumn("#F", width=60, format="%d", help="Forwards per image."),
}


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    cost = choosing.choose(figures.COST)
    times = diagnostic_page.stage_table(run, "cost")
    if times is None:
        return ""
    with st.spinner("Pricing every detector"):
        table = figures.priced(run, view.ood)
    front = honest_front(table, cost)
    left, right = st.container(key="beside_cost").columns([3, 2], gap="medium")
    with left:
        beside = those_that(view.beside, lambda other: figures.priced(other, view.ood))
        shown = replace(view, beside=beside, options={figures.COST.name: cost})
        show_figure("protocol-cost", run, shown, key="protocol_front")
    with right:
        st.header("The front", anchor=False)
        _front_table(front, cost)
        _machine(times)
    return cost_headline(escape(view.ood), front, table)


def _front_table(front: pd.DataFrame, cost: str) -> None:
    columns = {
        "detector": st.column_config.TextColumn("Detector", width=210),
        "draws": st.column_config.NumberColumn("draws", width=50, help="Noise draws averaged."),
        cost: _COST_COLUMNS[cost],
        "judged_auroc": st.column_config.NumberColumn(
            "AUROC", width=65, format="%.3f", help="On the half of the images that did not pick the front."
        ),
    }
    rows = front[list(columns)].assign(detector=front["detector"].map(detector_name))
    st.dataframe(rows, hide_index=True, column_config=columns)


def _machine(times: pd.DataFrame) -> None:
    whole = times[times["tap"] == ""].iloc[0]
    st.caption(
        f"A whole forward takes {format_value(whole['ms'], 2)} ms per image (10th to 90th percentile "
        f"{format_value(whole['ms_lo'], 2)} to "
        f"{format_value(whole['ms_hi'], 2)}), batches of {whole['batch']} on {whole['device']}, {whole['repeats']} "
        "repeats."
    )
