"""Words around numbers and names."""

from __future__ import annotations

from collections.abc import Sequence


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
