"""The map of what the trained backbone adds to a control: AUROC(trained) - AUROC(control) (theory 18)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_grid import MAP_COLUMNS
from cfs_explore.charts.signed_map import signed_alt, signed_map_chart
from cfs_explore.wording import format_estimate, format_value

#: The colours' reach in both directions: the same for every set and control, so that maps can be compared.
REACH = 0.5


def excess_map_chart(excess: pd.DataFrame, theme: str = "light") -> go.Figure:
    """Heatmap of the excess over taps (execution order) and levels (clean on top), centred on 0.

    Blue: the trained backbone does better. Brown: the control does. A ring: the 95 % interval includes 0.

    Args:
        excess: one OOD set and control: the columns of a map (``map_grid.MAP_COLUMNS``) and excess, lo, hi, trained,
            control_auroc, seed_sd.
    """
    require_columns(
        excess, (*MAP_COLUMNS, "excess", "lo", "hi", "trained", "control_auroc", "seed_sd"), "map of the excess"
    )
    hovers = [_hover_text(cell) for cell in excess.to_dict("records")]
    return signed_map_chart(excess, "excess", hovers, "Excess AUROC", REACH, theme)


def excess_alt(excess: pd.DataFrame, control: str) -> str:
    """The map in words; ``control`` as in 'untrained copies'."""
    known = excess.dropna(subset=["excess"])
    trained = "the trained backbone"
    return signed_alt(known, "excess", f"{len(known):,} cells", control, trained, "The trained backbone")


def _hover_text(cell: Mapping) -> str:
    where = f"{cell['tap']}<br>{cell['region']} · λ {format_value(cell['lam'], 2)}"
    if not math.isfinite(cell["excess"]):
        return f"<b>not measured</b><br>{where}"
    spread = f", SD over seeds {format_value(cell['seed_sd'])}" if math.isfinite(cell["seed_sd"]) else ""
    return (
        f"<b>Excess {format_estimate(cell['excess'], cell['lo'], cell['hi'])}</b><br>"
        f"trained {format_value(cell['trained'])}, control {format_value(cell['control_auroc'])}{spread}<br>{where}<br>"
        f"n = {format_value(cell['n_id'], 0)} ID, {format_value(cell['n_ood'], 0)} OOD"
    )
