"""Figures as files: the chart in print formats, its data as CSV, its caption as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cfs_explore.charts import PRINT_SCALE, export_bytes, has_browser, to_publication
from cfs_explore.figures.figure import Figure, csv_text
from cfs_explore.store import write_aside


def write(
    figures: Mapping[str, Figure],
    folder: Path,
    *,
    formats: Sequence[str] = ("svg",),
    width: str | float = "84mm",
    grey: bool = False,
) -> Iterator[Path]:
    """Write every figure as ``<stem>.<format>``, ``<stem>.csv`` and ``<stem>.txt``; yield each path once written.

    On a computer without Chrome or Chromium the figure is written as a page instead, ``<stem>.html``, whose camera
    button saves an SVG of the same size from any browser.

    Args:
        figures: by name, of ``catalogue.make_figures``.
        folder: made where it is not there; files of these names are replaced.
        formats: of svg, pdf, png (300 dots per inch).
        width: of the figures, as for ``charts.to_publication``.
        grey: for a greyscale printer.

    Raises:
        FigureExportError: a width or format that does not exist, or the browser failed.
    """
    with_browser = has_browser()
    for figure in figures.values():
        drawn = to_publication(figure.chart, width, grey=grey)
        folder.mkdir(parents=True, exist_ok=True)
        if with_browser:
            for kind in formats:
                scale = PRINT_SCALE if kind == "png" else 1
                yield _put(folder / f"{figure.stem}.{kind}", export_bytes(drawn, kind, scale=scale))
        else:
            page = folder / f"{figure.stem}.html"
            camera = {"format": "svg", "filename": figure.stem}
            drawn.write_html(page, include_plotlyjs="directory", config={"toImageButtonOptions": camera})
            yield page
        yield _put(folder / f"{figure.stem}.csv", csv_text(figure).encode())
        yield _put(folder / f"{figure.stem}.txt", f"{figure.caption}\n".encode())


def _put(path: Path, content: bytes) -> Path:
    with write_aside(path) as partial:
        partial.write_bytes(content)
    return path
