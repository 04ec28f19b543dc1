"""What one cell sees: its numbers, score histograms, ROC curve, and the images it finds most and least OOD."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.map import scores_of_cell
from cfs_explore.headlines.map import cell_standing
from cfs_explore.store import Run
from cfs_explore.ui import data, where_gallery
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.gallery import has_pictures, show_absence, show_gallery
from cfs_explore.wording import format_estimate, format_value, percent

_SHOWN = 6
_PICTURES = where_gallery.control("map_pictures")


def show_composable_cell(
    run: Run, view: Choices, on_add: Callable[[int], None] | None, place_of_images: DeltaGenerator
) -> None:
    """The panel of one cell, with a button that puts it into the composed detector.

    Args:
        run, view, place_of_images: as for ``show_cell``.
        on_add: puts the cell into the detector; None when it is there.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(cell_label(run, view.cell), anchor=False, width="stretch")
        st.button(
            "Add to detector" if on_add else "In the detector",
            key="add_cell",
            icon=":material/add:" if on_add else ":material/check:",
            on_click=on_add,
            args=(view.cell,),
            disabled=on_add is None,
            help="Average this cell's score into the composed detector, under the map.",
        )
    _numbers(run, view)
    standing = cell_standing(view.ood, view.cell, run.table("best_cell"))
    if standing:
        st.caption(standing)
    scores, roc = st.tabs(["Scores", "ROC curve"])
    with scores:
        show_figure("map-histogram", run, view, key="cell_histogram")
    with roc:
        show_figure("map-roc", run, view, key="cell_roc")
    with place_of_images:
        _images(run, view, beside=True)


def show_cell(run: Run, view: Choices, place_of_images: DeltaGenerator) -> None:
    """What one cell sees, below its heading.

    Args:
        run: the exploration.
        view: OOD set and cell.
        place_of_images: where its highest and lowest images go.
    """
    _numbers(run, view)
    show_figure("map-histogram", run, view, key="cell_histogram")
    with place_of_images:
        _images(run, view)
    show_figure("map-roc", run, view, key="cell_roc")


def _numbers(run: Run, view: Choices) -> None:
    """Where the cell is, and how well it tells OOD from ID."""
    row = run.auroc_map(view.ood).iloc[view.cell]
    level, tap = run.cell(view.cell)
    level, tap = run.levels[level], run.taps[tap]
    place = (
        f"{tap.name} · {tap.region} · {percent(tap.depth)} of the forward's work · {tap.resolution}×{tap.resolution}, "
        f"{tap.channels:,} channels · λ requested {format_value(level.requested, 2)}, "
        f"achieved {format_value(level.lam, 2)}"
    )
    st.markdown(
        f"**AUROC {format_estimate(row.auroc, row.auroc_lo, row.auroc_hi)}**",
        help="AUROC: chance that a random OOD image scores higher than a random ID image (0.5 = no signal). "
        "AUPR: average precision, OOD positive. FPR95: share of ID images flagged when 95 % of the "
        "OOD images are caught (lower is better). In brackets: 95 % intervals (theory 27).",
    )
    st.markdown(
        f"AUPR {format_estimate(row.aupr, row.aupr_lo, row.aupr_hi)} · "
        f"FPR95 {format_estimate(row.fpr95, row.fpr95_lo, row.fpr95_hi)}",
    )
    st.caption(place)


def _images(run: Run, view: Choices, *, beside: bool = False) -> None:
    """The extremes of both sets, below each other, or beside each other and with the switch that shows where."""
    id_scores, ood_scores = scores_of_cell(run, view)
    ood_order, id_order = np.argsort(ood_scores, kind="stable"), np.argsort(id_scores, kind="stable")
    sets = ("ood", view.ood), ("id_test", None)
    ood_rows, id_rows = (data.images(run, *each) for each in sets)
    show_absence(run, *sets)
    galleries = (
        ("OOD images scored highest", ood_rows, ood_scores, ood_order[::-1][:_SHOWN], "Surest detections."),
        ("OOD images scored lowest", ood_rows, ood_scores, ood_order[:_SHOWN], "The ones this cell misses."),
        ("ID images scored highest", id_rows, id_scores, id_order[::-1][:_SHOWN], "Its false alarms."),
    )
    over = None
    if beside and (has_pictures(ood_rows) or has_pictures(id_rows)) and where_gallery.chosen(_PICTURES):
        of = (sets[0], sets[0], sets[1])
        wanted = [(*each, int(at)) for each, (_, _, _, order, _) in zip(of, galleries, strict=True) for at in order]
        over = where_gallery.overlays(run, cell_label(run, view.cell), [view.cell], wanted)
    places = st.columns(3) if beside else [st.container()] * 3
    for place, gallery in zip(places, galleries, strict=True):
        with place:
            show_gallery(*gallery, over=over)
