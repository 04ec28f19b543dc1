"""The closer looks of the separation page: every cell's parts, the chosen cell's channels, and the other heads."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from cfs_explore.figures import short_tap_name
from cfs_explore.figures.theme import format_value
from cfs_explore.plates import separation as plates
from cfs_explore.plates.image import NOT_KEPT
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, state
from cfs_explore.ui.figure import kept_plate, show_plate
from cfs_explore.ui.sidebar import escape


def show(run: Run, ood: str, cells: pd.DataFrame, chosen: pd.Series, view: str, choose: Callable[[int], None]) -> None:
    """One closer look.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        cells: its rows of the separation table.
        chosen: the row of the chosen cell.
        view: "cells", "channels" or "heads".
        choose: makes the cell of an index the chosen one.
    """
    if view == "cells":
        _share_map(run, ood, cells, chosen, choose)
        _along_taps(run, ood, cells, chosen)
    elif view == "channels":
        _channels(run, ood, chosen)
        _sparsity(run, ood, chosen, choose)
    else:
        _heads(run, ood, chosen, choose)


def _share_map(run: Run, ood: str, cells: pd.DataFrame, chosen: pd.Series, choose: Callable[[int], None]) -> None:
    def pick() -> None:
        points = st.session_state["separation_map"]["selection"]["points"]
        picked = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
        if picked:
            choose(picked[-1])

    show_plate(
        kept_plate(
            run, "mean_share", (ood, int(chosen.name)), lambda theme: plates.mean_share(run, ood, cells, chosen, theme)
        ),
        key="separation_map",
        hint="Click a cell to choose it.",
        on_select=pick,
    )


def _along_taps(run: Run, ood: str, cells: pd.DataFrame, chosen: pd.Series) -> None:
    level = cells[cells["level"] == chosen["level"]]
    if level["var_ood"].isna().all() or level["var_id"].isna().all():
        return  # the place of the scatter says why
    show_plate(plates.along_taps(run, ood, level, chosen, state.figure_theme()), key="separation_taps")


def _channel_table(run: Run, ood: str, chosen: pd.Series) -> pd.DataFrame:
    sets = (run.moments(*which) for which in (("id_train", None), ("id_test", None), ("ood", ood)))
    return plates.channel_table(run, int(chosen["level"]), chosen["tap"], *sets)


def _channels(run: Run, ood: str, chosen: pd.Series) -> None:
    table = _channel_table(run, ood, chosen)
    order = st.segmented_control(
        "Channels",
        list(plates.ORDERS),
        key="separation_order",
        default=plates.ORDER.default,
        required=True,
        format_func=plates.ORDERS.get,
        help="A channel stands at the same place in both rows; largest first goes by the sum of its two bars.",
    )
    show_plate(plates.channels(run, ood, table, chosen, order, state.figure_theme()), key="separation_channels")


def _sparsity(run: Run, ood: str, chosen: pd.Series, choose: Callable[[int], None]) -> None:
    plate = plates.sparsity(run, ood, _channel_table(run, ood, chosen), chosen, state.figure_theme())
    left, right = st.container(key="beside_sparsity").columns(2, gap="large")
    with left:
        st.header("How few carry it", anchor=False)
        if plate is None:
            st.info("No feature contributes: the scores of both sets are the same.")
        else:
            show_plate(plate, key="separation_sparsity_curve")
    with right:
        st.header("And how well they do alone", anchor=False)
        table = diagnostic_page.stage_table(run, "top_channels")
        rows = _of_cell(table, ood, chosen)
        if rows is None or rows.empty:
            _not_kept(run, table, "top", choose)
            return
        if rows["auroc"].isna().all():
            st.info("Ranking on one half and scoring on the other needs at least four images in each set.")
            return
        show_plate(plates.top_channels(run, ood, rows, state.figure_theme()), key="separation_top")


def _heads(run: Run, ood: str, chosen: pd.Series, choose: Callable[[int], None]) -> None:
    table = diagnostic_page.stage_table(run, "cell_heads")
    rows = _of_cell(table, ood, chosen)
    if rows is None or rows.empty:
        _not_kept(run, table, "heads", choose)
        return
    with diagnostic_page.or_why():
        show_plate(plates.heads(run, ood, rows, state.figure_theme()), key="separation_heads")
        for row in rows[rows["note"] != ""].itertuples():
            st.caption(f"{escape(row.head)}: {escape(row.note)}")


def _of_cell(table: pd.DataFrame | None, ood: str, chosen: pd.Series) -> pd.DataFrame | None:
    if table is None:
        return None
    rows = table[(table["ood"] == ood) & (table["tap"] == chosen["tap"]) & (table["level"] == chosen["level"])]
    return rows.reset_index(drop=True)


def _not_kept(run: Run, table: pd.DataFrame | None, place: str, choose: Callable[[int], None]) -> None:
    """Why there is nothing here, what to run, and a way to the cells that have it."""
    st.info(
        NOT_KEPT,
        icon=":material/info:",
    )
    if table is None:
        return
    names = [tap.name for tap in run.taps]
    with st.container(horizontal=True):
        for level, tap in table[["level", "tap"]].drop_duplicates().itertuples(index=False):
            index = level * len(names) + names.index(tap)
            label = f"Open {short_tap_name(tap)} at λ = {format_value(run.levels[level].lam, 1)}, which was kept"
            st.button(label, key=f"separation_open_{place}_{index}", on_click=choose, args=(index,))
