"""The detector whose scores a page reads: a published preset, the cells composed on the map page, or one cell."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.detectors.stored import measured_detectors
from cfs_explore.figures import detector
from cfs_explore.figures.choices import default_cells
from cfs_explore.figures.detector import cell_label, preset_cells
from cfs_explore.figures.options import Control
from cfs_explore.figures.places import CELL, CELLS
from cfs_explore.store import Run
from cfs_explore.ui import choosing, open_cells
from cfs_explore.ui.cell_choice import choose_level_and_tap

#: Key of the session and the address.
KEY = "detector"
COMPOSED, SINGLE = "composed", "cell"
#: What a page opens with: on the triage page the best that the run can justify, elsewhere the published pair.
AUTO = "best"


_BEST = (
    "What scores the images. Best: the best single cell or CFS(1x2), whichever tells the set apart more on images that "
    "did not choose it."
)
_USUAL = "What scores the images. Usual: the published pair CFS(1x2); without one, the first cell."
DETECTOR = Control(
    KEY,
    "Detector",
    lambda run: {
        AUTO: "Best",
        **{name: name for name in preset_cells(run)},
        COMPOSED: "Composed cells",
        SINGLE: "A single cell",
        **measured_detectors(run),
    },
    lambda run: COMPOSED if "cells" in st.query_params and not preset_cells(run) else AUTO,
    help="CFS(1x2): the published pair of an encoder and a decoder tap; CFS-dec(1x1): its decoder tap alone. Composed: "
    "the cells chosen on the map page. A single cell: one tap at one noise level. Others: detectors of the page "
    "Falsifier, which scored a sample of the images.",
    drawn="select",
    width=200,
    noun="detector",
)


def restore(run: Run, *, cells_alone: bool = False) -> None:
    """Bring the detector back from the address: the map's composed cells and open cell are shared with that page.

    Args:
        cells_alone: of a page that needs every image's score; another detector is then none that it has.
    """
    choosing.restore(_of_cells() if cells_alone else DETECTOR, run)
    open_cells.restore(run)


def remember(run: Run) -> None:
    """Write the detector into the address, and what it is made of where that was chosen."""
    made_of = {SINGLE: (CELL,), COMPOSED: (CELLS,)}.get(st.session_state[KEY], ())
    choosing.remember(run, DETECTOR, *made_of)


def control(run: Run, ood: str | None = None) -> None:
    """Let the visitor choose the detector; ``ood`` is the set that the page is about, where it is about one."""
    of_page = DETECTOR if ood else _of_cells()
    labels = of_page.labels(run)
    usual = detector.justified(run, ood).name if ood else detector.detector_name(run, default_cells(run))
    first = "Usual" if not ood else "First" if detector.justified(run, ood).kind == "first" else "Best"
    labels[AUTO] = f"{first}: {usual}"
    choosing.draw(of_page, run, format_func=labels.get, help=f"{_BEST if ood else _USUAL} {DETECTOR.help}")


def cells_control(run: Run) -> None:
    """The cells of a composed detector, or the level and the tap of a single one; nothing for a preset."""
    chosen = st.session_state[KEY]
    if chosen == COMPOSED:
        open_cells.choose_cells(run)
    elif chosen == SINGLE:
        with st.container(horizontal=True):
            choose_level_and_tap(run, "detector")


def cell_indices(run: Run, ood: str | None = None) -> list[int]:
    """Numbers of the cells of the chosen detector; empty where no cell is chosen. ``ood`` as above."""
    chosen = st.session_state[KEY]
    if chosen == AUTO:
        return list(detector.justified(run, ood).cells) if ood else default_cells(run)
    if chosen == COMPOSED:
        return [int(index) for index in st.session_state["cells"]]
    return [st.session_state["cell"]] if chosen == SINGLE else preset_cells(run).get(chosen, [])


def measured(run: Run) -> str:
    """The chosen detector's name, where it is none of cells; else ""."""
    chosen = st.session_state[KEY]
    return chosen if chosen in measured_detectors(run) else ""


def _of_cells() -> Control:
    """The choice without detectors that scored a sample of the images."""
    return replace(
        DETECTOR,
        noun="scores of every image by",
        values=lambda run: {
            key: text for key, text in DETECTOR.values(run).items() if key not in measured_detectors(run)
        },
    )


def name(run: Run, ood: str | None = None) -> str:
    """The chosen detector as people say it, such as "CFS(1x2)" or "up1.res2 @ λ 5.0"."""
    if chosen := measured(run):
        return measured_detectors(run)[chosen]
    return detector.detector_name(run, cell_indices(run, ood))


def full_name(run: Run, ood: str | None = None) -> str:
    """The same for a file: a composed detector names its cells."""
    if st.session_state[KEY] != COMPOSED:
        return name(run, ood)
    return f"mean of {' + '.join(cell_label(run, index) for index in cell_indices(run))}"
