"""A figure as every page shows it: chart, one muted line, a table twin, and files to take away."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.basedatatypes import BaseFigure

from cfs_explore.charts import COLUMN_WIDTHS, NO_BROWSER, PRINT_SCALE, FigureExportError, export_bytes, has_browser
from cfs_explore.diagnostics import ScoreError
from cfs_explore.figures import Figure, csv_text
from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.store import Run
from cfs_explore.ui import data, state, style
from cfs_explore.ui.open_frame import frame_style
from cfs_explore.ui.sidebar import escape

_TABLE_PX = 620
#: Heights of what a popover holds: the button below a table; all downloads.
_BUTTON_PX, _DOWNLOADS_PX = 56, 190
#: Whether tables and downloads are there before they are opened; for tests, which open nothing.
FILLED = False
_MIME = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


class _Sent(BaseFigure):
    """A figure that Streamlit neither copies nor checks again: its dict is made once, and sent to everyone."""

    def __init__(self, figure: Figure):
        self._ready = figure.sent

    def to_dict(self) -> dict[str, Any]:
        return self._ready


@data.kept(max_entries=256, ttl=3600)
def _kept(run: Run, name: str, of: tuple[Hashable, ...], theme: str, _make: Callable[[], Figure]) -> Figure:
    """Made once for all who look at the same figure: making one takes longer than sending it."""
    return _make()


def show_figure(name: str, run: Run | None, view: Choices, *, key: str, **options: Any) -> bool:
    """Show a figure of the catalogue; where the run lacks what it needs, why.

    Args:
        name: as in ``figures.catalogue``.
        run: the exploration; None in the lab, where each slider's step is drawn anew and nothing is kept.
        view: what the figure is of.
        key, options: as of ``show_made``.

    Returns:
        Whether it is there.
    """
    kind = KINDS[name]
    of = (*(getattr(view, field) for field in kind.of), *(option.of(view.options, run) for option in kind.options))
    theme = state.figure_theme()
    make = functools.partial(kind.make, run, view, theme)
    try:
        figure = make() if run is None else _kept(run, name, of, theme, make)
    except (NotMeasuredError, ScoreError) as why:
        st.info(escape(str(why)), icon=":material/info:")
        return False
    show_made(figure, key=key, **options)
    return True


def show_made(
    figure: Figure,
    *,
    key: str,
    hint: str = "",
    on_select: Callable[[], None] | str = "ignore",
    selection_mode: Sequence[str] = ("points",),
) -> None:
    """Show a figure: its chart with the caption, its data as a table, and its downloads.

    Args:
        figure: the chart and what belongs to it.
        key: of the chart; clicks are in ``st.session_state[key]["selection"]["points"]``.
        hint: what the visitor can do with the chart, behind the caption; no part of what is downloaded.
        on_select: callback of a click.
        selection_mode: what selects: "points", "box", "lasso".
    """
    st.plotly_chart(
        _Sent(figure),
        key=key,
        theme=None,
        on_select=on_select,
        selection_mode=selection_mode,
        config={"toImageButtonOptions": {"format": "svg", "filename": figure.stem}, "displaylogo": False},
        alt=figure.alt,
    )
    if figure.under:
        st.html(frame_style(figure.chart, key))
    if figure.least_px:
        style.keep_wide(key, figure.least_px)
    with st.container(gap=None):
        st.caption(escape(f"{figure.caption} {hint}".strip()))
        _files(figure, key)


def picked(key: str) -> list[int]:
    """The whole numbers that the clicked points of a chart carry; the last click is the last."""
    points = st.session_state[key]["selection"]["points"]
    return [int(point["customdata"]) for point in points if isinstance(point.get("customdata"), int)]


@st.fragment
def _files(figure: Figure, key: str) -> None:
    """The table behind the figure and the figure as a file, each behind a button, and made when that is pressed."""
    with st.container(horizontal=True, gap="small"):
        table, files = (
            st.popover(label, icon=f":material/{icon}:", key=f"{key}_{name}", type="tertiary", on_change="rerun")
            for label, icon, name in (("Table", "table", "table"), ("Figure", "download", "files"))
        )
    height = min(320, 36 * len(figure.rows) + 40)
    if table.open or FILLED:
        with table:
            st.dataframe(figure.rows, hide_index=True, alt=figure.alt, width=_TABLE_PX, height=height)
            name = f"{figure.stem}.csv"
            st.download_button("CSV", lambda: csv_text(figure), name, "text/csv", key=f"{key}_csv", on_click="ignore")
    else:
        _keep_room(table, height + _BUTTON_PX)
    if files.open or FILLED:
        with files:
            _downloads(figure, key)
    else:
        _keep_room(files, _DOWNLOADS_PX)


def _keep_room(popover: st.delta_generator.DeltaGenerator, height: int) -> None:
    """Let a popover open where it will have room for what is to come."""
    popover.container(height=height, border=False)


@st.cache_resource(ttl=60, show_spinner=False)
def _can_draw() -> bool:
    return has_browser()


def _downloads(figure: Figure, key: str) -> None:
    if not _can_draw():
        st.info(NO_BROWSER)
        return
    names = list(COLUMN_WIDTHS)
    width = st.selectbox("Width", names, key=f"{key}_width", help="Column widths of common journals and conferences.")
    grey = st.checkbox("Grey-safe", key=f"{key}_grey", help="For a greyscale printer: greys that differ in lightness.")
    with st.container(horizontal=True):
        for kind in ("svg", "pdf", "png"):
            st.download_button(
                kind.upper(),
                lambda kind=kind: _render(figure.chart, kind, f"{COLUMN_WIDTHS[width]}mm", grey),
                f"{figure.stem}.{kind}",
                _MIME[kind],
                key=f"{key}_{kind}",
                on_click="ignore",
            )
        st.download_button(
            "Caption",
            f"{figure.caption}\n",
            f"{figure.stem}.txt",
            "text/plain",
            key=f"{key}_caption",
            on_click="ignore",
        )


def _render(figure: go.Figure, kind: str, width: str, grey: bool) -> bytes:
    """The file's bytes; where the browser fails, a text that says why."""
    try:
        return export_bytes(figure, kind, width=width, scale=PRINT_SCALE, grey=grey)
    except FigureExportError as error:
        return str(error).encode()
