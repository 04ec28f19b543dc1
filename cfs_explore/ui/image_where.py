"""The picture on the page of one image: as the network saw it, or with the map of where its score comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures import image_where as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.image import Image
from cfs_explore.figures.options import Control, Value
from cfs_explore.probe.inputs import ProbeImage
from cfs_explore.probe.where import Where
from cfs_explore.store import Run
from cfs_explore.ui import choosing, probe_data, state, where_data, where_gallery
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import picked, show_made
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_value

VIEW = where_gallery.control("image_picture")
_KEY = "image_where"
#: Positions of the largest sizes that the list offers.
_LISTED = 100
#: Wide enough for the square picture, its colour bar beside it.
_WIDTH_PX = 430


@fragment
def show(run: Run, view: Choices, image: Image, plain: Callable[[], None]) -> None:
    """The picture alone, or with the map over it; the backbone loads when that is asked for, and not before.

    Args:
        run: the exploration.
        view: image and open cell.
        image: the same image.
        plain: shows the picture alone.
    """
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        asked = where_gallery.chosen(VIEW)
    if not asked:
        plain()
        return
    controls = figures.BY, figures.PART, figures.STRENGTH
    for control in controls:
        choosing.restore(control, run)
    with row:
        by = choosing.draw(figures.BY, run)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = by, *(choosing.draw(control, run) for control in controls[1:])
    choosing.remember(run, *controls)
    if not _where(run, view, image, tuple(zip(controls, chosen, strict=True))):
        plain()


def _where(run: Run, view: Choices, image: Image, chosen: Sequence[tuple[Control, Value]]) -> bool:
    """The map over the picture and, of a position that is chosen, the channels behind it; whether there is a map."""
    view = replace(view, options=view.options | {option.name: option.write(of, run) for option, of in chosen})
    called, cells = figures.by_cells(run, view)
    name = None if image.role == "id_test" else image.name
    try:
        probe_data.load(run)
    except CFSError as error:
        st.info(f"The backbone cannot run here. {escape(str(error))}", icon=":material/info:")
        return False
    try:
        seen, where = where_data.look(run, image.role, name, image.row, cells)
        figure = figures.over(run, view, image, seen, where, state.figure_theme())
    except CFSError as why:  # its pixels are not here, or its map is a single position
        st.info(escape(str(why)), icon=":material/info:")
        return False
    alone = len(cells) == 1
    with st.container(width=_WIDTH_PX):
        show_made(
            figure,
            key=_KEY,
            hint="Click a position for the channels behind it." if alone else "",
            on_select=(lambda: _pick(where)) if alone else "ignore",
        )
        if alone:
            _position(run, view, image, seen, where, cells[0])
        else:
            st.caption(escape(f"{called} is the mean of {len(cells)} cells: open one of them for the channels behind."))
    return True


def _pick(where: Where) -> None:
    if clicked := picked(_KEY):
        st.session_state[figures.AT.name] = figures.position_text(clicked[-1], where)


def _position(run: Run, view: Choices, image: Image, seen: ProbeImage, where: Where, cell: int) -> None:
    """The list of positions, the largest in size first, and the channels behind the one that is chosen."""
    part = figures.PART.of(view.options)
    values = where.part(part)
    order = [figures.position_text(int(k), where) for k in (-abs(values)).ravel().argsort(kind="stable")]
    key = figures.AT.name
    text = state.restore(key, "", ["", *order], lacking="The map has no position", label=lambda at: at or "none")
    if text and text not in order[:_LISTED]:
        order.insert(0, text)

    def label(at: str) -> str:
        row, _, column = at.partition(".")
        if not at:
            return "none: click the picture, or choose one"
        return f"row {row}, column {column}: {format_value(float(values[int(row) - 1, int(column) - 1]), 2)}"

    st.selectbox(
        "Position", ["", *order[:_LISTED]], key=key, format_func=label, help="The largest ones first, up or down."
    )
    state.remember(**{key: st.session_state[key]})
    if at := st.session_state[key]:
        position = figures.position_of(at, where, part)
        parts = where_data.channels(run, seen, cell, position)
        theme = state.figure_theme()
        show_made(figures.behind(run, view, image, where, position, parts, theme), key="image_where_channels")
