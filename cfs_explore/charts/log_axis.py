"""Round ticks of logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence

from cfs_explore.wording import MINUS


def log_ticks(first: int, last: int, steps: Sequence[float] = (1, 2, 5)) -> dict:
    """Ticks at these steps of each decade, from 10^first to 10^last and its steps."""
    ticks = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
    return {"tickvals": ticks, "ticktext": [f"{tick:g}".replace("-", MINUS) for tick in ticks]}
