"""What the map of one backbone is worth on another, as a coloured table (theory 26)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import diverging_colour
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.number_grid import number_grid_chart
from cfs_explore.wording import format_estimate, format_value

#: Sources that are no backbone -> what they are called.
REFERENCES = {"fixed": "Fixed cell", "random": "Random cell"}
_LEAST_REACH = 0.2
_LOST = [[step / 20, diverging_colour(-0.9 * step / 20)] for step in range(21)]
_RANKS = [[step / 20, diverging_colour(1.8 * step / 20 - 0.9)] for step in range(21)]
_LINE_LETTERS = 16


def transfer_matrix_chart(rows: pd.DataFrame, names: Sequence[str], number: str, theme: str = "light") -> go.Figure:
    """A row per source of the choice, a column per backbone on which it is judged.

    Args:
        rows: means over sets: source, target, spearman and loss with _lo, _hi, _sets_lo, _sets_hi, cells.
        names: of the explorations, in their order.
        number: "loss" or "spearman".
    """
    ends = ("", "_lo", "_hi", "_sets_lo", "_sets_hi")
    require_columns(rows, ("source", "target", *(f"{number}{end}" for end in ends)), "table of transfer")
    by_pair = {(row["source"], row["target"]): row for row in rows.to_dict("records")}
    known = [row[number] for row in by_pair.values() if math.isfinite(row[number])]
    sources = [*names, *(key for key in REFERENCES if number == "loss" and key in set(rows["source"]))]
    table = [[by_pair.get((source, target)) for target in names] for source in sources]
    scale = (_LOST, 0.0, max([_LEAST_REACH, *known])) if number == "loss" else (_RANKS, -1.0, 1.0)
    return number_grid_chart(
        [[math.nan if row is None else row[number] for row in line] for line in table],
        [[_text(row, number) for row in line] for line in table],
        [[_hover(row, number) for row in line] for line in table],
        ([REFERENCES.get(source, source) for source in sources], [_broken(name) for name in names]),
        scale,
        theme,
    )


def _broken(name: str) -> str:
    """A name on two lines, where it is long."""
    if len(name) <= _LINE_LETTERS or " " not in name:
        return name
    cut = min((place for place, letter in enumerate(name) if letter == " "), key=lambda k: abs(k - len(name) / 2))
    return f"{name[:cut]}<br>{name[cut + 1 :]}"


def _text(row: Mapping | None, number: str) -> str:
    if row is None:
        return "own"
    value, lo, hi = (format_value(row[f"{number}{end}"]) for end in ("", "_lo", "_hi"))
    return f"<b>{value}</b><br>[{lo}, {hi}]"


def _hover(row: Mapping | None, number: str) -> str:
    if row is None:
        return "The backbone's own map"
    source = REFERENCES.get(row["source"], f"Map of {row['source']}")
    word = {"loss": "AUROC lost", "spearman": "Spearman"}[number]
    value = format_estimate(*(row[f"{number}{end}"] for end in ("", "_lo", "_hi")))
    sets = ", ".join(format_value(row[f"{number}_sets{end}"]) for end in ("_lo", "_hi"))
    return f"{source}, on {row['target']}<br>{word} {value}<br>for other sets [{sets}]<br>{row['cells']:,} cells"
