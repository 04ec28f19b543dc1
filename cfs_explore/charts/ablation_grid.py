"""AUROC by number of levels, taps and shift of lam, as a coloured table."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.number_grid import number_grid_chart
from cfs_explore.wording import format_estimate, format_value, true_minus

#: Set of taps -> head of its column.
TAP_HEADS = {
    "decoder": "Decoder tap",
    "encoder": "Encoder tap",
    "pair": "CFS pair",
    "four": "Four taps",
    "all": "All {n} taps",
}
_COLUMNS = ("shift", "lams", "levels", "taps", "n_taps", "auroc", "sd", "lo", "hi", "draws", "n_train", "n_id", "n_ood")


def ablation_grid_chart(table: pd.DataFrame, theme: str = "light") -> go.Figure:
    """A row per number of levels and shift, a column per set of taps; cells are mean +- SD over draws.

    Args:
        table: of one OOD set: shift (log-SNR), lams (text), levels, taps (a key of ``TAP_HEADS``), n_taps, auroc, sd
            (over draws, may be NaN), lo, hi, draws, n_train, n_id, n_ood.
    """
    require_columns(table, _COLUMNS, "ablation")
    rows = {(row["levels"], row["shift"], row["taps"]): row for row in table.to_dict("records")}
    lines = sorted({key[:2] for key in rows})
    columns = [name for name in TAP_HEADS if name in set(table["taps"])]
    grid = [[rows[(*line, name)] for name in columns] for line in lines]
    n_taps = table.set_index("taps")["n_taps"].to_dict()
    return number_grid_chart(
        [[row["auroc"] for row in line] for line in grid],
        [[_text(row) for row in line] for line in grid],
        [[_hover(row) for row in line] for line in grid],
        ([row_label(*line) for line in lines], [TAP_HEADS[name].format(n=n_taps[name]) for name in columns]),
        (colour_scale(0.5), 0.0, 1.0),
        theme,
        row_px=30,
    )


def row_label(levels: int, shift: float) -> str:
    """'2 levels, λ + 0.5'."""
    count = "1 level" if levels == 1 else f"{levels} levels"
    return count if shift == 0 else f"{count}, λ {'+' if shift > 0 else '−'} {abs(shift):g}"


def _text(row: Mapping) -> str:
    spread = f" ± {format_value(row['sd'])}" if math.isfinite(row["sd"]) else ""
    return f"{format_value(row['auroc'])}{spread}"


def _hover(row: Mapping) -> str:
    taps = "1 tap" if row["n_taps"] == 1 else f"{row['n_taps']} taps"
    return (
        f"<b>{row_label(row['levels'], row['shift'])} × {taps}</b><br>λ = {true_minus(row['lams'])}<br>"
        f"AUROC of a single draw {_text(row)} (SD over {row['draws']} draws)<br>"
        f"mean {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"n = {row['n_train']:,} ID-train, {row['n_id']:,} ID, {row['n_ood']:,} OOD"
    )
