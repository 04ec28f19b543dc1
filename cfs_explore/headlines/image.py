"""What the page of one image says in one sentence."""

from __future__ import annotations

from cfs_explore.wording import format_value, p_text

#: An image that is in the top 1 % in so many cells that at most this share of ID images is in as many stands out.
_UNUSUAL = 0.05


def image_headline(name: str, count: int, cells: int, p_value: float, percentiles: dict[str, float]) -> str:
    """Markdown: does the image stand out among ID-test, over all cells and by the presets?

    Args:
        name: of the image, safe in Markdown.
        count, cells, p_value: cells in which it is in the top 1 %, of how many, and how rare that many is
            (``diagnostics.exceedance``).
        percentiles: preset -> percentile within ID-test.
    """
    top = f"it is in the top 1 % of ID-test in **{f'{count:,}' if count else 'none'} of {cells:,}** cells"
    p = f"({p_text(p_value)})"
    if p_value <= _UNUSUAL:
        text = f"**{name}** **stands out**: {top}, unusual for an ID image {p}."
    elif count:
        text = f"**{name}** looks **ordinary**: {top}, not unusual for an ID image {p}."
    else:
        text = f"**{name}** looks **ordinary**: {top}."
    if not percentiles:
        return text
    first, *others = (f"{preset} puts it at percentile **{format_value(v, 1)}**" for preset, v in percentiles.items())
    return f"{text} {', '.join([first, *(other.replace(' puts it', '') for other in others)])}."
