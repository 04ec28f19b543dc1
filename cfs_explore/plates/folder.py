"""Plates as files: the figure in print formats, its data as CSV, its caption as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cfs_explore.figures import PRINT_SCALE, export_bytes, has_browser, to_publication
from cfs_explore.plates.plate import Plate, csv_text
from cfs_explore.store import write_aside


def write(
    plates: Mapping[str, Plate],
    folder: Path,
    *,
    formats: Sequence[str] = ("svg",),
    width: str | float = "84mm",
    grey: bool = False,
) -> Iterator[Path]:
    """Write every plate as ``<stem>.<format>``, ``<stem>.csv`` and ``<stem>.txt``, and tell each file as it is written.

    On a computer without Chrome or Chromium the figure is written as a page instead, ``<stem>.html``, whose camera
    button saves an SVG of the same size from any browser.

    Args:
        plates: by name, of ``catalogue.make_plates``.
        folder: made where it is not there; files of these names are replaced.
        formats: of svg, pdf, png (300 dots per inch).
        width: of the figures, as for ``figures.to_publication``.
        grey: for a greyscale printer.

    Raises:
        FigureExportError: a width or format that does not exist, or the browser failed.
    """
    drawn = has_browser()
    for plate in plates.values():
        figure = to_publication(plate.figure, width, grey=grey)
        folder.mkdir(parents=True, exist_ok=True)
        if drawn:
            for kind in formats:
                scale = PRINT_SCALE if kind == "png" else 1
                yield _put(folder / f"{plate.stem}.{kind}", export_bytes(figure, kind, scale=scale))
        else:
            page = folder / f"{plate.stem}.html"
            camera = {"format": "svg", "filename": plate.stem}
            figure.write_html(page, include_plotlyjs="directory", config={"toImageButtonOptions": camera})
            yield page
        yield _put(folder / f"{plate.stem}.csv", csv_text(plate).encode())
        yield _put(folder / f"{plate.stem}.txt", f"{plate.caption}\n".encode())


def _put(path: Path, content: bytes) -> Path:
    with write_aside(path) as partial:
        partial.write_bytes(content)
    return path
