"""Where two explorations differ: AUROC of the second minus that of the first in matching cells (theory 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.signed_map import shared_reach, signed_alt, signed_map_chart
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.wording import format_estimate, format_value, percent

_COLUMNS = (
    *("region", "tap_a", "depth_a", "tap_index_a", "tap_b", "depth_b", "tap_index_b"),
    *("level_a", "requested", "lam", "lam_b", "auroc_a", "auroc_b", "difference", "lo", "hi"),
    *("paired", "n_id_a", "n_ood_a", "n_id_b", "n_ood_b"),
)


def difference_map_chart(frame: pd.DataFrame, theme: str = "light", reach: float | None = None) -> go.Figure:
    """Heatmap of the difference over taps (execution order) and levels (clean on top), centred on 0.

    Blue: the second exploration does better. Brown: the first does. A ring: the 95 % interval includes 0. Columns are
    the first's taps; where one of them stands for several of the second's, the second's.

    Args:
        frame: of ``diagnostics.difference_map``: region; tap_a, depth_a (0..1), tap_index_a and the same of b; level_a,
            requested, lam and lam_b (log-SNR); auroc_a, auroc_b, difference with lo, hi; paired; n_id_a, n_ood_a,
            n_id_b, n_ood_b.
        theme: light or dark.
        reach: difference at the colours' ends; None takes a round one that holds all.
    """
    require_columns(frame, _COLUMNS, "map of the difference")
    side = columns_side(frame)
    cells = frame.assign(
        level=frame["level_a"],
        tap=frame[f"tap_{side}"],
        tap_index=frame[f"tap_index_{side}"],
        depth=frame[f"depth_{side}"],
        resolution=math.nan,
        n_id=frame[f"n_id_{side}"],
        n_ood=frame[f"n_ood_{side}"],
    )
    hovers = [_hover_text(cell) for cell in frame.to_dict("records")]
    reach = shared_reach(frame["difference"]) if reach is None else reach
    return signed_map_chart(cells, "difference", hovers, "Difference in AUROC", reach, theme)


def columns_side(frame: pd.DataFrame) -> str:
    """'a' or 'b': whose taps name the columns, so that no cell is drawn over another."""
    return "b" if frame.duplicated(["level_a", "tap_index_a"]).any() else "a"


def difference_alt(frame: pd.DataFrame, first: str, second: str) -> str:
    """The map in words; ``first`` and ``second`` are the explorations' names."""
    known = frame.dropna(subset=["difference"])
    if known.empty:
        return f"{first} and {second} have no cell in common."
    return signed_alt(known, "difference", f"{len(known)} matching cells", first, second, second)


def _hover_text(cell: Mapping) -> str:
    how = "paired: the same images" if cell["paired"] else "different images"
    return (
        f"<b>Difference {format_estimate(cell['difference'], cell['lo'], cell['hi'])}</b><br>"
        f"{cell['region']} · {how}<br>"
        f"first: {_side(cell, 'a', cell['lam'])}<br>second: {_side(cell, 'b', cell['lam_b'])}<br>"
        f"requested λ {format_value(cell['requested'], 2)}"
    )


def _side(cell: Mapping, side: str, lam: float) -> str:
    return (
        f"{format_value(cell[f'auroc_{side}'])} at {short_tap_name(cell[f'tap_{side}'])} @ λ {format_value(lam, 2)}, "
        f"depth {percent(cell[f'depth_{side}'])}, n = {cell[f'n_id_{side}']} ID, {cell[f'n_ood_{side}']} OOD"
    )
