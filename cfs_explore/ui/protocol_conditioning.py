"""The protocol page's conditioning: what the map loses when the network is told a wrong level (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.contracts import Tap
from cfs_explore.figures import format_estimate, short_tap_name
from cfs_explore.figures.conditioning_lines import conditioning_lines_figure
from cfs_explore.figures.signed_map import shared_reach, signed_map_figure
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.protocol import conditioning_headline
from cfs_explore.protocol import conditioning_summary, with_regions
from cfs_explore.store import Run
from cfs_explore.ui import data, diagnostic_page, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

_PUBLISHED = "published"


def restore(run: Run) -> None:
    """Bring the choice back from the address."""
    names = _variants(run)
    state.restore("protocol_told", names[-1] if names else "", names or [""])


def _variants(run: Run) -> list[str]:
    """What the network was told, the truth left out; none where the stage has not run."""
    if not (run.path / "tables" / "conditioning.parquet").is_file():
        return []
    return [name for name in data.table(run, run.digest, "conditioning")["variant"].unique() if name != "matched"]


def told_label(name: str) -> str:
    """'2 too clean' for "lam + 2": the network is told a cleaner level than it sees."""
    if name == _PUBLISHED:
        return "As published"
    _, sign, size = name.split()
    return f"{size} too {'clean' if sign == '+' else 'noisy'}"


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    table = diagnostic_page.stage_table(run, "conditioning")
    if table is None:
        return ""
    table = with_regions(run, table[table["ood"] == ood]).reset_index(drop=True)
    told = st.segmented_control(
        "The network is told a level",
        _variants(run),
        key="protocol_told",
        format_func=told_label,
        required=True,
        help="In log-SNR, beside the level that it sees. As published: what the code of the paper tells it, where that "
        "differs for this backbone.",
    )
    state.remember(protocol_told=told)
    left, right = st.container(key="beside_conditioning").columns([5, 4], gap="large")
    with left:
        _map(run, ood, table, told)
    with right:
        _lines(run, ood, table)
    if _PUBLISHED not in set(table["variant"]):
        st.caption("The published code tells this backbone its true level, so there is nothing else to compare with.")
    return conditioning_headline(escape(ood), conditioning_summary(table))


def _counts(frame: pd.DataFrame) -> str:
    return f"n = {frame['n_id'].iloc[0]} ID, {frame['n_ood'].iloc[0]} OOD"


def _map(run: Run, ood: str, table: pd.DataFrame, told: str) -> None:
    cells = _tidy(run, table[table["variant"] == told])
    reach = shared_reach(table["loss"])
    show_figure(
        signed_map_figure(
            cells,
            "loss",
            [_hover(row, run.taps[row.tap_index]) for row in cells.itertuples()],
            "AUROC lost",
            reach,
            state.figure_theme(),
            higher_is_better=False,
        ),
        key="protocol_loss",
        rows=cells[["tap", "lam", "told_lam", "loss", "loss_lo", "loss_hi", "auroc", "n_id", "n_ood"]],
        caption=f"AUROC told the truth minus AUROC told {told_label(told).lower()}, cell by cell; OOD: {ood}; "
        f"{_counts(cells)}, one noise draw; ID-train told the same, statistics fitted again. Brown: the wrong level "
        "costs. Ring: the paired DeLong 95 % interval includes 0.",
        alt=f"Loss of AUROC when told {told_label(told).lower()}: {cells['loss'].min():.3f} to "
        f"{cells['loss'].max():.3f}, median {cells['loss'].median():.3f}.",
        file_name=f"{run.path.name}-{ood}-told-{told}".replace(" ", "-"),
    )


def _hover(row, tap: Tap) -> str:
    told = "" if pd.isna(row.told_lam) else f", told λ {format_value(row.told_lam, 1)}"
    return (
        f"<b>{short_tap_name(tap.name)}</b> ({tap.region})<br>sees λ {format_value(row.lam, 1)}{told}<br>"
        f"loses {format_estimate(row.loss, row.loss_lo, row.loss_hi)}<br>AUROC {format_value(row.auroc)} left"
    )


def _tidy(run: Run, cells: pd.DataFrame) -> pd.DataFrame:
    """One variant's cells with the columns of a signed map."""
    position = {tap.name: t for t, tap in enumerate(run.taps)}
    taps = [run.taps[position[name]] for name in cells["tap"]]
    return cells.assign(
        tap_index=[position[tap.name] for tap in taps],
        depth=[tap.depth for tap in taps],
        resolution=[tap.resolution for tap in taps],
        requested=[run.levels[k].requested for k in cells["level"]],
        lo=cells["loss_lo"],
        hi=cells["loss_hi"],
    ).reset_index(drop=True)


def _lines(run: Run, ood: str, table: pd.DataFrame) -> None:
    st.subheader("By how wrong it is", anchor=False)
    show_figure(
        conditioning_lines_figure(table, state.figure_theme()),
        key="protocol_offsets",
        rows=conditioning_summary(table),
        caption=f"Median over the cells of a region, band from their 10th to 90th percentile; OOD: {ood}; "
        f"{_counts(table)}. Told levels beyond the backbone's ends fall on its ends.",
        alt="; ".join(
            f"{told_label(row.variant)}, {row.region}: median loss {row.median:.3f}"
            for row in conditioning_summary(table).itertuples()
            if row.region in ("encoder", "decoder")
        ),
        file_name=f"{run.path.name}-{ood}-conditioning".replace(" ", "-"),
    )
