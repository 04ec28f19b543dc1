"""The protocol page's alignments: the map with its levels put elsewhere, and how much that changes (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.figures import format_estimate, small_multiples_figure
from cfs_explore.figures.sensitivity_dots import sensitivity_dots_figure, variant_label
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.protocol import alignment_headline
from cfs_explore.levels import RELATIVE_ALIGNMENTS
from cfs_explore.store import Run
from cfs_explore.ui import data, diagnostic_page, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

_TELLING = ("variant", "spearman", "spearman_lo", "spearman_hi", "best_tap", "best_lam", "cost_of_moving")


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    table = diagnostic_page.stage_table(run, "sensitivity")
    if table is None:
        return ""
    rows = table[table["ood"] == ood].reset_index(drop=True)
    _agreement(run, ood, rows)
    _maps(run, ood, rows)
    reference = run.manifest.spec.get("reference")
    if reference is None:
        names = " and ".join(variant_label(name) for name in RELATIVE_ALIGNMENTS)
        st.caption(
            f"Alignment by {names} compares with another backbone: measure an exploration with `reference: "
            "<another exploration>` in its spec to see them here."
        )
    return alignment_headline(escape(ood), rows, {name: variant_label(name) for name in rows["variant"]})


def _agreement(run: Run, ood: str, rows: pd.DataFrame) -> None:
    first = [name for name in _TELLING if name in rows]
    show_figure(
        sensitivity_dots_figure(rows, state.figure_theme()),
        key="protocol_sensitivity",
        rows=rows[[*first, *rows.columns.drop(first)]],
        caption=f"Every variant on the same images, statistics fitted at its own levels; OOD: {ood}; "
        f"n = {rows['n_id'].iloc[0]} ID, {rows['n_ood'].iloc[0]} OOD, one noise draw. Rank correlation: Spearman over "
        "the cells in reach, bootstrap over images. Lost by moving: AUROC in the run's own map, paired DeLong; both "
        "cells are picked on the images that judge them.",
        alt="; ".join(
            f"{variant_label(row.variant)}: rank correlation {row.spearman:.2f}"
            for row in rows.itertuples()
            if row.variant != row.baseline
        ),
        file_name=f"{run.path.name}-{ood}-sensitivity".replace(" ", "-"),
    )


def _maps(run: Run, ood: str, rows: pd.DataFrame) -> None:
    """The map under every variant, on one colour scale."""
    st.subheader("The map under each alignment", anchor=False)
    table = data.table(run, run.digest, "alignment_maps")
    frames = {
        variant_label(name): _tidy(run, cells)
        for name, cells in table[table["ood"] == ood].groupby("variant", sort=False)
    }
    best = {variant_label(row.variant): f"best at λ {format_value(row.best_lam, 1)}" for row in rows.itertuples()}
    out = _out_of_reach(run)
    show_figure(
        small_multiples_figure(frames, "auroc", state.figure_theme(), best=best),
        key="strip_protocol",
        rows=pd.concat([frame.assign(variant=name) for name, frame in frames.items()])[
            ["variant", "tap", "requested", "lam", "auroc", "auroc_lo", "auroc_hi", "n_id", "n_ood"]
        ],
        caption="AUROC; columns: taps in order of execution, rows: levels from clean (top) to noisy, each where its "
        f"variant puts it; one colour scale.{out}",
        alt="; ".join(
            f"{name}: AUROC {frame['auroc'].min():.2f} to {frame['auroc'].max():.2f}" for name, frame in frames.items()
        ),
        file_name=f"{run.path.name}-{ood}-alignments".replace(" ", "-"),
    )
    moves = [_move(row) for row in rows.itertuples() if row.variant != row.baseline]
    with st.expander("Where the best cell moves"):
        st.markdown("\n".join(moves))


def _tidy(run: Run, cells: pd.DataFrame) -> pd.DataFrame:
    """One variant's cells with the columns of a map."""
    position = {tap.name: t for t, tap in enumerate(run.taps)}
    taps = [run.taps[position[name]] for name in cells["tap"]]
    return cells.assign(
        level=cells["index"],
        tap_index=[position[name] for name in cells["tap"]],
        region=[tap.region for tap in taps],
        depth=[tap.depth for tap in taps],
        resolution=[tap.resolution for tap in taps],
        auroc_lo=cells["lo"],
        auroc_hi=cells["hi"],
        draws=1,
    )


def _out_of_reach(run: Run) -> str:
    """Which variants want levels that the backbone does not have."""
    levels = data.table(run, run.digest, "alignment_levels")
    missed = levels[~levels["reachable"]].groupby("variant", sort=False).size()
    if missed.empty:
        return ""
    told = ", ".join(f"{variant_label(name)} {count}" for name, count in missed.items())
    return f" Levels out of the backbone's reach, shown at its nearest and left out of the correlation: {told}."


def _move(row) -> str:
    name = variant_label(row.variant)
    place = f"λ = {format_value(row.best_lam, 1)}, {escape(row.best_tap)}"
    if (row.best_tap, row.best_requested) == (row.baseline_tap, row.baseline_requested):
        return f"- **{name}**: stays ({place})"
    cost = format_estimate(row.cost_of_moving, row.cost_of_moving_lo, row.cost_of_moving_hi)
    by = f"{row.moved_levels:+d} levels and {row.moved_depth:+.0%} of depth"
    return f"- **{name}**: to {place}; by {by}; loses {cost}"
