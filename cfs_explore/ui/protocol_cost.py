"""The protocol page's cost: what detectors cost in forwards and time, and what they find for it (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import honest_front
from cfs_explore.errors import CFSError
from cfs_explore.figures.tap_names import short_tap_name
from cfs_explore.headlines.protocol import cost_headline
from cfs_explore.plates import protocol_cost as plates
from cfs_explore.protocol import cost_table
from cfs_explore.store import Run
from cfs_explore.ui import data, diagnostic_page, state
from cfs_explore.ui.figure import show_plate
from cfs_explore.ui.sidebar import escape

_COST_COLUMNS = {
    "ms": st.column_config.NumberColumn("ms", width=60, format="%.2f", help="Measured milliseconds per image."),
    "effective": st.column_config.NumberColumn(
        "eff. #F", width=60, format="%.3f", help="Effective forwards per image."
    ),
    "forwards": st.column_config.NumberColumn("#F", width=60, format="%d", help="Forwards per image."),
}


def restore() -> None:
    """Bring the choice back from the address."""
    state.restore("protocol_cost", plates.COST.default, plates.COST.values)


@data.kept(max_entries=32, show_spinner="Pricing every detector")
def priced(run: Run, ood: str) -> pd.DataFrame:
    """``protocol.cost_table`` of a run."""
    return cost_table(run, ood)


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    cost = st.segmented_control(
        "Cost",
        list(plates.COSTS),
        key="protocol_cost",
        format_func=plates.COSTS.get,
        required=True,
        help="#F: backbone forwards per image, levels × draws. Effective #F: counts each forward only up to the last "
        "tap that is read, by floating-point work. Measured time: milliseconds per image on the machine that made the "
        "exploration; compare it between explorations only if that was the same one.",
    )
    state.remember(protocol_cost=cost)
    times = diagnostic_page.stage_table(run, "cost")
    if times is None:
        return ""
    table = priced(run, ood)
    front = honest_front(table, cost)
    left, right = st.container(key="beside_cost").columns([3, 2], gap="medium")
    with left:
        plate = plates.cost_front(run, ood, table, cost, _priced_others(ood, others), state.figure_theme())
        show_plate(plate, key="protocol_front")
    with right:
        st.header("The front", anchor=False)
        _front_table(front, cost)
        _machine(times)
    return cost_headline(escape(ood), front, table)


def _priced_others(ood: str, others: Sequence[Run]) -> dict[str, pd.DataFrame]:
    """The other explorations' detectors, by their names; a line on the page about those that have none."""
    found = {}
    for other in others:
        try:
            if ood not in other.ood_names:
                raise CFSError(f"{other.name} has no OOD set called {ood}.")
            found[other.name] = priced(other, ood)
        except CFSError as error:
            st.caption(escape(str(error)))
    return found


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
