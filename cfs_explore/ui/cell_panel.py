"""What one cell sees: its numbers, score histograms, ROC curve, and the images it finds most and least OOD."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import compose, histogram, roc_curve
from cfs_explore.figures import (
    format_estimate,
    histogram_caption,
    roc_caption,
    roc_figure,
    score_histogram_figure,
    short_tap_name,
)
from cfs_explore.figures.theme import format_value
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.gallery import show_absence, show_gallery

_SHOWN = 6


def cell_label(run: Run, index: int) -> str:
    """A cell as people say it: 'up1.res1 @ λ 5.0'."""
    level, tap = divmod(index, len(run.taps))
    return f"{short_tap_name(run.taps[tap].name)} @ λ {format_value(run.levels[level].lam, 1)}"


def show_cell(run: Run, ood: str, index: int, row: pd.Series, on_add: Callable[[int], None] | None) -> None:
    """The panel of one cell.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        index: level * taps + tap.
        row: of the map's table.
        on_add: puts the cell into the composed detector; None when it is there.
    """
    cell = Cell(*divmod(index, len(run.taps)))
    level, tap = run.levels[cell.level], run.taps[cell.tap]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(cell_label(run, index), anchor=False, width="stretch")
        st.button(
            "Add to detector" if on_add else "In the detector",
            key="add_cell",
            icon=":material/add:" if on_add else ":material/check:",
            on_click=on_add,
            args=(index,),
            disabled=on_add is None,
            help="Average this cell's score into the composed detector, under the map.",
        )
    st.caption(
        f"{tap.name} · {tap.region} · {tap.depth:.0%} of the forward's work · {tap.resolution}×{tap.resolution}, "
        f"{tap.channels} channels · λ requested {format_value(level.requested, 2)}, "
        f"achieved {format_value(level.lam, 2)}"
    )
    st.markdown(
        f"**AUROC {format_estimate(row.auroc, row.auroc_lo, row.auroc_hi)}**  \n"
        f"AUPR {format_estimate(row.aupr, row.aupr_lo, row.aupr_hi)} · "
        f"FPR95 {format_estimate(row.fpr95, row.fpr95_lo, row.fpr95_hi)}",
        help="AUROC: chance that a random OOD image scores higher than a random ID image (0.5 = no signal), DeLong "
        "95 % interval. AUPR: average precision, OOD positive. FPR95: share of ID images flagged when 95 % of the "
        "OOD images are caught (lower is better). Bootstrap 95 % intervals.",
    )
    id_scores = compose(data.scores(run, run.digest, "id_test", None), [cell])
    ood_scores = compose(data.scores(run, run.digest, "ood", ood), [cell])
    _histogram(run, ood, index, id_scores, ood_scores)
    _images(run, ood, id_scores, ood_scores)
    _roc(run, ood, index, row, id_scores, ood_scores)


def _histogram(run: Run, ood: str, index: int, id_scores: np.ndarray, ood_scores: np.ndarray) -> None:
    counts = len(id_scores), len(ood_scores)
    positive = bool(min(id_scores.min(), ood_scores.min()) > 0)
    bins = histogram(id_scores, ood_scores, bins=40, log=positive)
    show_figure(
        score_histogram_figure(bins, state.figure_theme(), log=positive).update_layout(height=230),
        key="cell_histogram",
        rows=bins,
        caption=histogram_caption(*counts),
        alt=f"Histograms of the slot scores of {counts[0]} ID and {counts[1]} OOD images ({ood}).",
        file_name=_stem(run, ood, index) + "-scores",
    )


def _roc(run: Run, ood: str, index: int, row: pd.Series, id_scores: np.ndarray, ood_scores: np.ndarray) -> None:
    curve = roc_curve(id_scores, ood_scores)
    show_figure(
        roc_figure(curve, state.figure_theme()).update_layout(height=280),
        key="cell_roc",
        rows=curve,
        caption=roc_caption(len(id_scores), len(ood_scores)),
        alt=f"ROC curve with AUROC {format_estimate(row.auroc, row.auroc_lo, row.auroc_hi)}.",
        file_name=_stem(run, ood, index) + "-roc",
    )


def _stem(run: Run, ood: str, index: int) -> str:
    return f"{run.path.name}-{ood}-cell{index}".replace(" ", "-")


def _images(run: Run, ood: str, id_scores: np.ndarray, ood_scores: np.ndarray) -> None:
    """The extremes of both sets."""
    ood_order, id_order = np.argsort(ood_scores, kind="stable"), np.argsort(id_scores, kind="stable")
    ood_rows = data.images(run, run.digest, "ood", ood)
    id_rows = data.images(run, run.digest, "id_test", None)
    show_absence(run, ("ood", ood), ("id_test", None))
    show_gallery("OOD images scored highest", ood_rows, ood_scores, ood_order[::-1][:_SHOWN], "Surest detections.")
    show_gallery("OOD images scored lowest", ood_rows, ood_scores, ood_order[:_SHOWN], "The ones this cell misses.")
    show_gallery("ID images scored highest", id_rows, id_scores, id_order[::-1][:_SHOWN], "Its false alarms.")
