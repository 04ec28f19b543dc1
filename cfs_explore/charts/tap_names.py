"""Short names for taps, as tick labels, and for cells."""

from __future__ import annotations

import re

from cfs_explore.wording import format_value

_STAGE = re.compile(r"^(down|up)_blocks\.(\d+)(?:\.(.+))?$")
_PART = re.compile(r"^(resnets|attentions)\.(\d+)$")
_PART_NAMES = {"resnets": "res", "attentions": "attn"}
_SAMPLERS = {"downsamplers.0": "downsample", "upsamplers.0": "upsample"}


def short_tap_name(name: str) -> str:
    """'down_blocks.0.resnets.1' -> 'down0.res1'; a name that is not diffusers' is returned unchanged.

    The only attention of the middle block is 'mid.attn'; every other part keeps its number.
    """
    if name == "mid_block.attentions.0":
        return "mid.attn"
    if name.startswith("mid_block."):
        part = _short_part(name.removeprefix("mid_block."))
        return f"mid.{part}" if part else name
    stage = _STAGE.match(name)
    if stage is None:
        return name
    direction, number, rest = stage.groups()
    if rest is None:
        return f"{direction}{number}"
    part = _short_part(rest)
    return f"{direction}{number}.{part}" if part else name


def cell_name(tap: str, lam: float) -> str:
    """'down0.res1 @ λ 5.0'."""
    return f"{short_tap_name(tap)} @ λ {format_value(lam, 1)}"


def _short_part(part: str) -> str | None:
    if part in _SAMPLERS:
        return _SAMPLERS[part]
    match = _PART.match(part)
    return _PART_NAMES[match[1]] + match[2] if match else None


def tick_label(name: str, longest: int = 18) -> str:
    """The short name, its middle left out when it is longer than ``longest`` characters."""
    short = short_tap_name(name)
    if len(short) <= longest:
        return short
    head = (longest - 1) // 2
    return f"{short[:head]}…{short[-(longest - 1 - head) :]}"
