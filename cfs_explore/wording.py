"""Words around numbers and names: the one way in which texts write numbers.

2,000 · 0.873 [0.861, 0.884] · −10.1 (a true minus) · 1 draw, 3 warnings · 5 % · p = 0.003, p < 0.001
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

MINUS = "\u2212"
MISSING = "n/a"
#: Magnitudes that ``format_digits`` writes out; others are written with a power of ten.
_WRITTEN_OUT = 1e-4, 1e9
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TAP_STAGE = re.compile(r"^(down|up)_blocks\.(\d+)(?:\.(.+))?$")
_AT_LEVEL = re.compile(r"^(.+) (@|around) (-?[\d.e+-]+)$")
_TAP_PART = re.compile(r"^(resnets|attentions)\.(\d+)$")
_TAP_PART_NAMES = {"resnets": "res", "attentions": "attn"}
_SAMPLERS = {"downsamplers.0": "downsample", "upsamplers.0": "upsample"}


def format_value(value: float, decimals: int = 3) -> str:
    """'0.873', '2,000.5', with a true minus sign; 'n/a' when missing. Zero has no sign."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", MINUS)


def format_signed(value: float, decimals: int = 3) -> str:
    """'+0.012', '−0.012': a difference."""
    text = format_value(value, decimals)
    return text if text[0] in (MINUS, MISSING[0]) else f"+{text}"


def format_digits(value: float, digits: int = 3, *, zeros: bool = False) -> str:
    """'0.0123', '1,230', '12': so many digits that count; 'n/a' when missing.

    Args:
        zeros: keep those at the end, '12.0', as where numbers stand side by side.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    rounded = float(f"{mantissa}e{power}")
    ending = str if zeros else _trimmed
    if rounded and not _WRITTEN_OUT[0] <= abs(rounded) < _WRITTEN_OUT[1]:
        return f"{ending(mantissa)} × 10{str(int(power)).translate(_SUPERSCRIPTS)}".replace("-", MINUS)
    return ending(format_value(rounded, max(0, digits - 1 - int(power))))


def format_estimate(value: float, lo: float | None = None, hi: float | None = None) -> str:
    """'0.873 [0.861, 0.884]'; without a finite interval '0.873'."""
    if lo is None or hi is None or not (math.isfinite(lo) and math.isfinite(hi)):
        return format_value(value)
    return f"{format_value(value)} [{format_value(lo)}, {format_value(hi)}]"


def table_number(value: float) -> str:
    """'0.873', '-0.012' in a table for a terminal, where a minus is a hyphen; zero has no sign; '' when missing."""
    text = f"{value:.3f}"
    return "" if math.isnan(value) else text.removeprefix("-") if float(text) == 0 else text


def percent(share: float, decimals: int | None = 0) -> str:
    """A share as '5 %', '4.8 %'; with None decimals two digits that count: '0.24 %'."""
    value = 100 * share if share is not None else math.nan
    return f"{format_digits(value, 2) if decimals is None else format_value(value, decimals)} %"


def p_text(p: float) -> str:
    """'p = 0.012', 'p < 0.001'."""
    return "p < 0.001" if p < 0.001 else f"p = {format_value(p)}"


def true_minus(text: str) -> str:
    """A text made elsewhere, with true minus signs before its numbers: 'up1 @ −1.2'."""
    return re.sub(r"(?<![\w.)-])-(?=\d)", MINUS, text)


def counted(count: int, noun: str) -> str:
    """'1 image', '0 images', '1,234 images'; the plural is the noun with an s."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def part_of(count: int, total: int, noun: str) -> str:
    """'5 of 12 images were', '1 of 12 images was', 'all 12 images were', 'the only image was'; count is 1 or more."""
    if total == 1:
        return f"the only {noun} was"
    share = f"all {total:,}" if count == total else f"{count:,} of {total:,}"
    return f"{share} {noun}s {'was' if count == 1 else 'were'}"


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'; each name once, one at least."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


def _trimmed(text: str) -> str:
    """Without zeros at the end of the decimals."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def short_tap_name(name: str) -> str:
    """'down_blocks.0.resnets.1' -> 'down0.res1'; a name that is not diffusers' is returned unchanged.

    The only attention of the middle block is 'mid.attn'; every other part keeps its number.
    """
    if name == "mid_block.attentions.0":
        return "mid.attn"
    if name.startswith("mid_block."):
        part = _short_part(name.removeprefix("mid_block."))
        return f"mid.{part}" if part else name
    stage = _TAP_STAGE.match(name)
    if stage is None:
        return name
    direction, number, rest = stage.groups()
    if rest is None:
        return f"{direction}{number}"
    part = _short_part(rest)
    return f"{direction}{number}.{part}" if part else name


def detector_name(name: str) -> str:
    """A detector of the table of costs as on the map: 'up_blocks.2.resnets.0 @ 0.997' -> 'up2.res0 @ λ 1.0'.

    A preset keeps its name: 'CFS(1x2) sparse_ed @ λ 1.0'; what names no level is returned unchanged.
    """
    found = _AT_LEVEL.match(name)
    if found is None:
        return name
    tap, at, level = found.groups()
    return f"{short_tap_name(tap)} {at} λ {format_value(float(level), 1)}"


def _short_part(part: str) -> str | None:
    if part in _SAMPLERS:
        return _SAMPLERS[part]
    match = _TAP_PART.match(part)
    return _TAP_PART_NAMES[match[1]] + match[2] if match else None
