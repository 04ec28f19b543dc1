"""Short names for taps, as tick labels, and for cells."""

from __future__ import annotations

from cfs_explore.wording import format_value, short_tap_name


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
