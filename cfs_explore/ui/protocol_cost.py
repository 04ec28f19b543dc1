"""The protocol page's cost: what detectors cost in forwards and time, and what they find for it (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import honest_front
from cfs_explore.errors import CFSError
from cfs_explore.figures.cost_front import cost_front_figure
from cfs_explore.figures.tap_names import short_tap_name
from cfs_explore.headlines.protocol import cost_headline
from cfs_explore.protocol import cost_table
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

COSTS = {"ms": "Measured time", "effective": "Effective #F", "forwards": "#F"}
_COST_COLUMNS = {
    "ms": st.column_config.NumberColumn("ms", width=60, format="%.2f", help="Measured milliseconds per image."),
    "effective": st.column_config.NumberColumn(
        "eff. #F", width=60, format="%.3f", help="Effective forwards per image."
    ),
    "forwards": st.column_config.NumberColumn("#F", width=60, format="%d", help="Forwards per image."),
}
_TELLING = ["detector", "kind", "draws", "forwards", "effective", "ms", "judged_auroc", "judged_lo", "judged_hi"]


def restore() -> None:
    """Bring the choice back from the address."""
    state.restore("protocol_cost", "effective", list(COSTS))


@st.cache_resource(max_entries=32, show_spinner="Pricing every detector")
def priced(_run: Run, digest: str, ood: str) -> pd.DataFrame:
    """``protocol.cost_table`` of a run."""
    return cost_table(_run, ood)


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    cost = st.segmented_control(
        "Cost",
        list(COSTS),
        key="protocol_cost",
        format_func=COSTS.get,
        required=True,
        help="#F: backbone forwards per image, levels × draws. Effective #F: counts each forward only up to the last "
        "tap that is read, by floating-point work. Measured time: milliseconds per image on the machine that made the "
        "exploration; compare it between explorations only if that was the same one.",
    )
    state.remember(protocol_cost=cost)
    times = diagnostic_page.stage_table(run, "cost")
    if times is None:
        return ""
    table = priced(run, run.digest, ood)
    front = honest_front(table, cost)
    left, right = st.container(key="beside_cost").columns([3, 2], gap="medium")
    with left:
        _figure(run, ood, table, front, cost, _fronts(ood, others, cost))
    with right:
        st.subheader("The front", anchor=False)
        _front_table(front, cost)
        _machine(times)
    return cost_headline(escape(ood), front, table)


def _fronts(ood: str, others: Sequence[Run], cost: str) -> dict[str, pd.DataFrame]:
    """Fronts of the other explorations, by their names; a line on the page about those that have none."""
    found = {}
    for other in others:
        try:
            if ood not in other.ood_names:
                raise CFSError(f"{other.name} has no OOD set called {ood}.")
            found[other.name] = honest_front(priced(other, other.digest, ood), cost)
        except CFSError as error:
            st.caption(escape(str(error)))
    return found


def _figure(
    run: Run, ood: str, table: pd.DataFrame, front: pd.DataFrame, cost: str, others: dict[str, pd.DataFrame]
) -> None:
    against = f" Dashed: the front of {', '.join(others)}." if others else ""
    show_figure(
        cost_front_figure(table, front, cost, state.figure_theme(), others=others),
        key="protocol_front",
        rows=table[[*_TELLING, *table.columns.drop(_TELLING)]],
        caption=f"Every cell and the published detectors, with one draw and all {run.draws}; OOD: {ood}; "
        f"n = {table['n_id'].iloc[0]} ID, {table['n_ood'].iloc[0]} OOD, half of them to pick the front, half for the "
        f"AUROC shown (DeLong 95 % CI).{against}",
        alt=f"AUROC against {COSTS[cost]}; the front has {len(front)} detectors, from "
        f"{front['judged_auroc'].iloc[0]:.2f} for the cheapest to {front['judged_auroc'].iloc[-1]:.2f} for the dearest."
        if len(front)
        else "No detector has a cost.",
        file_name=f"{run.path.name}-{ood}-cost".replace(" ", "-"),
    )


def _front_table(front: pd.DataFrame, cost: str) -> None:
    columns = {
        "detector": st.column_config.TextColumn("Detector", width=165),
        "draws": st.column_config.NumberColumn("draws", width=50, help="Noise draws averaged."),
        cost: _COST_COLUMNS[cost],
        "judged_auroc": st.column_config.NumberColumn(
            "AUROC", width=65, format="%.3f", help="On the half that judges."
        ),
    }
    told = front[list(columns)].assign(detector=[_short(name) for name in front["detector"]])
    st.dataframe(told, hide_index=True, column_config=columns)


def _short(detector: str) -> str:
    """A cell's name as on the map's axis: 'up2.res0 @ 0.997'; other detectors' names as they are."""
    tap, at, level = detector.partition(" @ ")
    return f"{short_tap_name(tap)}{at}{level}"


def _machine(times: pd.DataFrame) -> None:
    whole = times[times["tap"] == ""].iloc[0]
    st.caption(
        f"A whole forward takes {whole['ms']:.2f} ms per image (10th to 90th percentile {whole['ms_lo']:.2f} to "
        f"{whole['ms_hi']:.2f}), batches of {whole['batch']} on {whole['device']}, {whole['repeats']} repeats."
    )
