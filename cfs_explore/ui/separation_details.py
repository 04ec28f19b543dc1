"""The closer looks of the separation page: every cell's parts, the chosen cell's channels, and the other heads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import (
    channel_contributions,
    participation_ratio,
    sparsity_curve,
    tap_columns,
)
from cfs_explore.figures import (
    auroc_map_figure,
    channel_bars_figure,
    head_dots_figure,
    short_tap_name,
    sparsity_figure,
    tap_parts_figure,
    top_channels_figure,
)
from cfs_explore.figures.theme import format_value
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

ORDERS = {"channel": "In the backbone's order", "contribution": "Largest first"}


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
    parts = cells[["mean_shift", "variance_change"]].abs()
    with np.errstate(invalid="ignore"):
        cells = cells.assign(mean_share=parts["mean_shift"] / parts.sum(axis=1))

    def pick() -> None:
        points = st.session_state["separation_map"]["selection"]["points"]
        picked = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
        if picked:
            choose(picked[-1])

    show_figure(
        auroc_map_figure(cells, "mean_share", [_index(run, chosen)], state.figure_theme()),
        key="separation_map",
        rows=cells[["tap", "lam", "mean_share", "mean_shift", "variance_change", "delta", "delta_lo", "delta_hi"]],
        caption=f"Share of the mean shift in |mean shift| + |variance change|; OOD: {ood}; "
        f"n = {chosen['n_id']} ID, {chosen['n_ood']} OOD. Blue: OOD features lie elsewhere on average; brown: they "
        "spread more, or less, than ID ones. Click a cell to choose it.",
        alt=f"Map of the mean shift's share in Δ, from {cells['mean_share'].min():.2f} to "
        f"{cells['mean_share'].max():.2f}.",
        file_name=_stem(run, ood, "share"),
        on_select=pick,
    )


def _along_taps(run: Run, ood: str, cells: pd.DataFrame, chosen: pd.Series) -> None:
    level = cells[cells["level"] == chosen["level"]]
    if level["var_ood"].isna().all() or level["var_id"].isna().all():
        return  # the place of the scatter says why
    names = ["mean_shift", "variance_change", "delta", "delta_lo", "delta_hi", "var_id", "var_ood"]
    show_figure(
        tap_parts_figure(level, int(chosen["tap_index"]), state.figure_theme()),
        key="separation_taps",
        rows=level[["tap", "lam", *names]],
        caption=f"Δ and its parts at λ = {format_value(chosen['lam'], 1)}, divided by √(Var_ID + Var_OOD): Φ of the "
        f"sum is the predicted AUROC. OOD: {ood}; n = {chosen['n_id']} ID, {chosen['n_ood']} OOD; Δ with Welch's "
        "95 % interval. A part below zero works against the other.",
        alt=f"Mean shift and variance change of {len(level)} taps at λ = {chosen['lam']:.1f}.",
        file_name=_stem(run, ood, "taps"),
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _moments(_run: Run, digest: str, role: str, name: str | None) -> dict[str, np.ndarray]:
    return _run.moments(role, name)


def channel_table(run: Run, ood: str, level: int, tap: str) -> pd.DataFrame:
    """The chosen cell's features: channel, pooling (mean, std), contribution c_j and its two parts (theory 10)."""
    columns = tap_columns(run.taps)[tap]
    sets = [("id_train", None), ("id_test", None), ("ood", ood)]
    moments = [_one_cell(_moments(run, run.digest, *which), level, columns) for which in sets]
    width = columns.stop - columns.start
    parts = channel_contributions(*moments, {tap: slice(0, width)})
    channels = np.arange(width // 2)
    return pd.DataFrame(
        {
            "channel": np.tile(channels, 2),
            "pooling": np.repeat(["mean", "std"], len(channels)),
            "contribution": parts.total[0],
            "mean_shift": parts.mean_shift[0],
            "variance_change": parts.variance_change[0],
        }
    )


def _one_cell(moments: dict[str, np.ndarray], level: int, columns: slice) -> dict[str, np.ndarray]:
    return {k: v if k == "count" else v[level : level + 1, columns] for k, v in moments.items()}


def _channels(run: Run, ood: str, chosen: pd.Series) -> None:
    table = channel_table(run, ood, int(chosen["level"]), chosen["tap"])
    order = st.segmented_control(
        "Channels",
        list(ORDERS),
        key="separation_order",
        default="channel",
        required=True,
        format_func=ORDERS.get,
        help="A channel stands at the same place in both rows; largest first goes by the sum of its two bars.",
    )
    by_pooling = table.groupby("pooling")["contribution"].sum()
    show_figure(
        channel_bars_figure(table, order, state.figure_theme()),
        key="separation_channels",
        rows=table.sort_values("contribution", ascending=False),
        caption=f"What each feature adds to Δ = {format_value(chosen['delta'])}: the channels' means add "
        f"{format_value(by_pooling['mean'])}, their standard deviations {format_value(by_pooling['std'])}. "
        f"OOD: {ood}; n = {chosen['n_id']} ID, {chosen['n_ood']} OOD, {chosen['draws']} draws; exact for these.",
        alt=f"Contributions of {len(table)} features to Δ, from {table['contribution'].min():.4f} to "
        f"{table['contribution'].max():.4f}.",
        file_name=_stem(run, ood, "channels"),
    )


def _sparsity(run: Run, ood: str, chosen: pd.Series, choose: Callable[[int], None]) -> None:
    contributions = channel_table(run, ood, int(chosen["level"]), chosen["tap"])["contribution"].to_numpy()
    curve, ratio = sparsity_curve(contributions), float(participation_ratio(contributions))
    left, right = st.container(key="beside_sparsity").columns(2, gap="large")
    with left:
        st.subheader("How few carry it", anchor=False)
        if np.isnan(ratio):
            st.info("No feature contributes: the scores of both sets are the same.")
        else:
            show_figure(
                sparsity_figure(curve, ratio, state.figure_theme()),
                key="separation_sparsity_curve",
                rows=curve,
                caption=f"Features sorted by |c|, {len(curve)} in all. Participation ratio {format_value(ratio, 1)}: "
                "as many would carry Δ if they shared it equally.",
                alt=f"Cumulative share of the sorted contributions; participation ratio {ratio:.1f} of {len(curve)}.",
                file_name=_stem(run, ood, "sparsity"),
            )
    with right:
        st.subheader("And how well they do alone", anchor=False)
        table = diagnostic_page.stage_table(run, "top_channels")
        rows = _of_cell(table, ood, chosen)
        if rows is None or rows.empty:
            _not_kept(run, table, "top", choose)
            return
        if rows["auroc"].isna().all():
            st.info("Ranking on one half and scoring on the other needs at least four images in each set.")
            return
        show_figure(
            top_channels_figure(rows, state.figure_theme()),
            key="separation_top",
            rows=rows,
            caption="AUROC of the score restricted to the features that raise Δ most, ranked on one half of the images "
            f"and scored on the other (mean over 10 random splits, both ways; DeLong 95 %); first draw; "
            f"n = {rows['n_id'].iloc[0]} ID, {rows['n_ood'].iloc[0]} OOD.",
            alt="; ".join(f"top {row.k}: AUROC {row.auroc:.3f}" for row in rows.itertuples()),
            file_name=_stem(run, ood, "top-channels"),
        )


def _heads(run: Run, ood: str, chosen: pd.Series, choose: Callable[[int], None]) -> None:
    table = diagnostic_page.stage_table(run, "cell_heads")
    rows = _of_cell(table, ood, chosen)
    if rows is None or rows.empty:
        _not_kept(run, table, "heads", choose)
        return
    show_figure(
        head_dots_figure(rows, state.figure_theme()),
        key="separation_heads",
        rows=rows,
        caption="Heads fitted on this cell's ID-train features alone, first draw; DeLong 95 % intervals. Against the "
        "diagonal: the paired difference on the same images, the price of ignoring correlations. "
        f"OOD: {ood}; n = {rows['n_id'].iloc[0]} ID, {rows['n_ood'].iloc[0]} OOD.",
        alt="; ".join(f"{row.head}: AUROC {row.auroc:.3f}" for row in rows.itertuples()),
        file_name=_stem(run, ood, "heads"),
    )
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
        "This needs the cell's snapshots, and they were not kept. Name its tap under `keep` in the spec (and its λ as "
        "`keep_level`) and run again.",
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


def _index(run: Run, cell: pd.Series) -> int:
    return int(cell["level"]) * len(run.taps) + int(cell["tap_index"])


def _stem(run: Run, ood: str, what: str) -> str:
    return f"{run.path.name}-{ood}-separation-{what}".replace(" ", "-")
