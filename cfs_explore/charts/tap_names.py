"""Short names for taps, as tick labels along an axis, and for cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cfs_explore.wording import format_value, short_tap_name

#: Pixels from one tilted label to the next; as many labels as fit into a map beside its panel are drawn.
_APART_PX, _MOST_LABELS = 13, 36


def cell_name(tap: str, lam: float) -> str:
    """'down0.res1 @ λ 5.0'."""
    return f"{short_tap_name(tap)} @ λ {format_value(lam, 1)}"


def tick_label(name: str, longest: int = 18) -> str:
    """The short name, its middle left out when it is longer than ``longest`` characters."""
    short = short_tap_name(name)
    if len(short) <= longest:
        return short
    head = (longest - 1) // 2
    return f"{short[:head]}…{short[-(longest - 1 - head) :]}"


def tap_ticks(labels: Sequence[str], places: Sequence[float]) -> dict:
    """Of an axis of taps: tilted labels at their places; of many, every n-th."""
    every = _every(len(labels))
    return {"tickvals": list(places)[::every], "ticktext": list(labels)[::every], "tickangle": -45}


def taps_px(places: Sequence[float], margin: Mapping[str, float]) -> int:
    """The width in pixels, margins l and r included, below which labels of ``tap_ticks`` would run into each other."""
    columns = places[-1] - places[0] + 1
    return round(_APART_PX * columns / _every(len(places)) + margin["l"] + margin["r"])


def _every(taps: int) -> int:
    return -(-taps // _MOST_LABELS)
