"""What a noise estimate loses with the encoder's work of another level, as a coloured table (theory 34)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import diverging_colour
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_grid import lam_labels
from cfs_explore.charts.number_grid import number_grid_chart
from cfs_explore.wording import format_digits, format_value, percent

#: Errors at the ends of the colour scale, which is logarithmic.
_LEAST, _MOST = 1e-3, 1.0
_SCALE = [[step / 20, diverging_colour(-0.9 * step / 20)] for step in range(21)]


def reuse_grid_chart(table: pd.DataFrame, theme: str = "light") -> go.Figure:
    """A row per level of the encoder, a column per level of the decoder, both clean to noisy; the diagonal is empty.

    Args:
        table: a row per ordered pair: level, lam (of the decoder), encoder_level, encoder_lam, error with lo and hi,
            saved.
    """
    needed = ("level", "lam", "encoder_level", "encoder_lam", "error", "lo", "hi", "saved")
    require_columns(table, needed, "table of reused encoders")
    levels = table.drop_duplicates("level").sort_values("level")
    order, labels = levels["level"].tolist(), lam_labels(levels["lam"].tolist())
    pairs = {(row["encoder_level"], row["level"]): row for row in table.to_dict("records")}
    rows = [[pairs.get((encoder, decoder)) for decoder in order] for encoder in order]
    return number_grid_chart(
        [[_colour(row) for row in line] for line in rows],
        [["" if row is None else _text(row["error"]) for row in line] for line in rows],
        [[_hover(row) for row in line] for line in rows],
        ([f"Encoder at {label}" for label in labels], [f"dec.<br>{label}" for label in labels]),
        (_SCALE, math.log10(_LEAST), math.log10(_MOST)),
        theme,
        row_px=30,
    )


def _colour(row: Mapping | None) -> float:
    """Logarithm of the error; NaN leaves a cell blank."""
    if row is None or not math.isfinite(row["error"]):
        return math.nan
    return math.log10(min(max(row["error"], _LEAST), _MOST))


def _text(error: float) -> str:
    """Short enough for a cell."""
    if not math.isfinite(error) or error >= 0.1:
        return format_digits(error, 2, zeros=True)
    return format_value(error, 3)


def _hover(row: Mapping | None) -> str:
    if row is None:
        return "Encoder and decoder at one level: nothing is used again"
    encoder, decoder = lam_labels([row["encoder_lam"], row["lam"]])
    limits = f" [{format_digits(row['lo'])}, {format_digits(row['hi'])}]" if math.isfinite(row["lo"]) else ""
    return (
        f"<b>Encoder at λ {encoder}, decoder at λ {decoder}</b><br>error {format_digits(row['error'])}{limits} of "
        f"|ε̂|²<br>saves {percent(row['saved'])} of a forward"
    )
