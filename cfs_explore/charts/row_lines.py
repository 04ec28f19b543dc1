"""A value that goes through all rows of a chart of dots: a piece at each dot, so that no row's text is crossed."""

from __future__ import annotations

from collections.abc import Mapping

#: Ends of a piece above and below its dot, as shares of a row: under the row's own text, over the next one's.
_ABOVE, _BELOW = 0.17, 0.34
_DASHES = {"dash": "4px,3px"}


def row_lines(x: float, rows: int, line: Mapping, name: str | None = None) -> list[dict]:
    """Shapes of a vertical line at ``x`` behind the dots of rows 0, 1, ..., whose texts stand above their dots.

    Args:
        x: on the chart's axis.
        rows: their number.
        line: plotly's colour, width and dash.
        name: of the shapes.
    """
    style = {**line, "dash": _DASHES.get(line.get("dash"), line.get("dash", "solid"))}
    piece = {"type": "line", "x0": x, "x1": x, "layer": "below", "line": style, "name": name}
    return [{**piece, "y0": row - _ABOVE, "y1": row + _BELOW} for row in range(rows)]
