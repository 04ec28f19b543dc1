"""The axis of costs: logarithmic where they span much; and marks set beside a cost that many share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.charts.log_axis import log_ticks

#: Costs that span a larger factor are drawn on a logarithmic axis, with ticks at 1, 2, 5 up to some decades.
_LOG_FACTOR, _DECADES = 8.0, 3.2
#: Share of a strip's half width that stays empty around the true cost.
_EMPTY = 0.25
#: Names closer to each other than this are moved apart, in pixels; the marks reach over about this height.
_NAME_PX, _PLOT_PX = 16, 360
_GOLDEN = (math.sqrt(5) - 1) / 2


def cost_axis(costs: pd.Series, *, whole: bool = False) -> dict:
    """Layout of an axis with room around all costs (0 to 1 when there are none); ``whole`` numbers get such ticks."""
    low, high = (float(costs.min()), float(costs.max())) if len(costs) else (0.0, 1.0)
    if low > 0 and high > _LOG_FACTOR * low:
        ends = math.log10(low), math.log10(high)
        steps = (1, 2, 5) if ends[1] - ends[0] < _DECADES else (1,)
        shown = {"type": "log", **log_ticks(math.floor(ends[0]), math.ceil(ends[1]), steps)}
    else:
        ends, shown = (low, high), {"type": "linear"} | ({"dtick": 1} if whole else {"nticks": 7})
    room = 0.06 * (ends[1] - ends[0]) or 0.5
    return shown | {"range": [ends[0] - room, ends[1] + room]}


def on_axis(cost: float, axis: Mapping) -> float:
    """A cost as annotations and ranges want it: its logarithm on a logarithmic axis."""
    return math.log10(cost) if axis["type"] == "log" else cost


def axis_end(axis: Mapping) -> float:
    """The cost at the right end."""
    return 10 ** axis["range"][1] if axis["type"] == "log" else axis["range"][1]


def names_on(
    texts: Sequence[str], costs: Sequence[float], values: Sequence[float], axis: Mapping, span: float, *, on_line: bool
) -> list[dict]:
    """Names of marks as annotations, each on the side of its mark with more room, none over another.

    Args:
        texts, costs, values: of the marks, by rising value.
        span: of the values that the plot's height shows.
        on_line: the names stand above a line through the marks; else beside the marks.
    """
    names, (low, high), above, gap = [], axis["range"], -math.inf, 4 if on_line else 9
    for text, cost, value in zip(texts, costs, values, strict=True):
        x, height = on_axis(cost, axis), value * _PLOT_PX / span
        above = max(above + _NAME_PX, height)
        side = {"xanchor": "right", "xshift": -gap} if 2 * x > low + high else {"xanchor": "left", "xshift": gap}
        place = {"yanchor": "bottom" if on_line else "middle", "yshift": above - height + on_line, **side}
        names.append({"x": x, "y": value, **place, "text": text, "font": {"size": 11}})
    return names


def beside(costs: pd.Series, axis: Mapping, share: float) -> list[float]:
    """Costs spread to both sides of the true ones, which stay free for other marks; the same at every call.

    Args:
        share: half width of the strip as a share of the axis.
    """
    turns = (np.arange(1, len(costs) + 1) * _GOLDEN) % 1 * 2 - 1  # -1..1
    shares = np.sign(turns) * (_EMPTY + (1 - _EMPTY) * np.abs(turns))
    aside = shares * share * (axis["range"][1] - axis["range"][0])
    values = costs.to_numpy(dtype=float)
    return (values * 10**aside if axis["type"] == "log" else values + aside).tolist()
