"""A figure as every page shows it: chart, one muted line, a table twin, and files to take away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cfs_explore.figures import COLUMN_WIDTHS, NO_BROWSER, FigureExportError, export_bytes, has_browser
from cfs_explore.ui.sidebar import escape

_TABLE_PX = 620
_MIME = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def show_figure(
    figure: go.Figure,
    *,
    key: str,
    rows: pd.DataFrame,
    caption: str,
    alt: str,
    file_name: str,
    on_select: Callable[[], None] | str = "ignore",
    selection_mode: Sequence[str] = ("points",),
    lazy: bool = False,
) -> None:
    """Show a figure with its caption, its data as a table, and its downloads.

    Args:
        figure: with the project's template.
        key: of the chart; clicks are in ``st.session_state[key]["selection"]["points"]``.
        rows: the data behind the figure.
        caption: settings, n and method in one line.
        alt: for screen readers.
        file_name: of the downloads, without an ending.
        on_select: callback of a click.
        selection_mode: what selects: "points", "box", "lasso".
        lazy: fill the table and the downloads when they are opened; for figures that follow a slider.
    """
    st.plotly_chart(
        figure,
        key=key,
        theme=None,
        on_select=on_select,
        selection_mode=selection_mode,
        config={"toImageButtonOptions": {"format": "svg", "filename": file_name}, "displaylogo": False},
        alt=alt,
    )
    with st.container(gap=None):
        st.caption(escape(caption))
        _files(figure, key, rows, alt, file_name, lazy)


def _files(figure: go.Figure, key: str, rows: pd.DataFrame, alt: str, file_name: str, lazy: bool) -> None:
    """The table behind the figure and the figure as a file, each behind a button."""
    on_open = "rerun" if lazy else "ignore"
    with st.container(horizontal=True, gap="small"):
        table = st.popover("Table", icon=":material/table:", key=f"{key}_table", type="tertiary", on_change=on_open)
        files = st.popover("Figure", icon=":material/download:", key=f"{key}_files", type="tertiary", on_change=on_open)
    if table.open or not lazy:
        with table:
            st.dataframe(rows, hide_index=True, alt=alt, width=_TABLE_PX, height=min(320, 36 * len(rows) + 40))
            name = f"{file_name}.csv"
            st.download_button(
                "CSV", lambda: rows.to_csv(index=False), name, "text/csv", key=f"{key}_csv", on_click="ignore"
            )
    if files.open or not lazy:
        with files:
            _downloads(figure, key, file_name)


@st.cache_resource(ttl=60, show_spinner=False)
def _can_draw() -> bool:
    return has_browser()


def _downloads(figure: go.Figure, key: str, file_name: str) -> None:
    if not _can_draw():
        st.info(NO_BROWSER)
        return
    names = list(COLUMN_WIDTHS)
    width = st.selectbox("Width", names, key=f"{key}_width", help="Column widths of the field's venues.")
    with st.container(horizontal=True):
        for kind in ("svg", "pdf", "png"):
            st.download_button(
                kind.upper(),
                lambda kind=kind: _render(figure, kind, f"{COLUMN_WIDTHS[width]}mm"),
                f"{file_name}.{kind}",
                _MIME[kind],
                key=f"{key}_{kind}",
                on_click="ignore",
            )


def _render(figure: go.Figure, kind: str, width: str) -> bytes:
    """The file's bytes; where the browser fails, a text that says why."""
    try:
        return export_bytes(figure, kind, width=width, scale=3.125 if kind == "png" else 1)
    except FigureExportError as error:
        return str(error).encode()
