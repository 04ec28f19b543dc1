"""Figures that survive a greyscale printer: greys that differ in lightness, and scales that run one way.

Blue and brown of the diverging scale are equally light at equal distance from chance, and some of the roles' colours
are too; here every role has its own grey, and a map runs from light (low) to dark (high).
"""

from __future__ import annotations

import re

import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import hex_to_oklab, oklab_to_hex
from cfs_explore.charts.number_grid import CELL_TEXT, text_colour
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS

#: Greys of the roles; ID and OOD, and encoder and decoder, never differ by dashes or symbols alone.
ROLE_GREYS = {"id": "#111111", "ood": "#777777", "encoder": "#111111", "decoder": "#777777", "control": "#A6A6A6"}
CATEGORY_GREYS = ("#444444", "#909090")
_LIGHT, _DARK = "#F2F2F2", "#1A1A1A"
_CHOSEN = {ROLE_COLOURS[role]: grey for role, grey in ROLE_GREYS.items()} | dict(
    zip(CATEGORY_COLOURS, CATEGORY_GREYS, strict=True)
)
#: Where a text is no colour, whatever it looks like.
_WORDS = ("text", "name", "ticktext", "hovertext", "customdata", "title")
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")
_RGB = re.compile(r"rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*([\d.]+)\s*)?\)")


def to_grey(fig: go.Figure) -> go.Figure:
    """A copy of ``fig`` without a hue: roles by ``ROLE_GREYS``, scales light to dark, all else by its lightness."""
    return go.Figure(grey_spec(fig.to_dict()))


def grey_spec(spec: dict) -> dict:
    """``to_grey`` of a figure's dictionary."""
    spec = without_hue(spec)
    _recolour_cell_texts(spec)
    return spec


def _recolour_cell_texts(spec: dict) -> None:
    """What stands on the cells of a number grid, in the ink that its new grey asks for."""
    texts = [note for note in spec["layout"].get("annotations", []) if note.get("name") == CELL_TEXT]
    if not texts:
        return
    axis, cells = spec["layout"]["coloraxis"], spec["data"][0]["z"]
    for note in texts:
        value = cells[round(note["y"])][max(0, round(note["x"]))]  # a joined row's text lies off its column
        if value is not None:
            note["font"]["color"] = text_colour(value, (axis["colorscale"], axis["cmin"], axis["cmax"]), "")


def grey_of(colour: str) -> str:
    """The grey that stands for a colour ('#RRGGBB', 'rgb(...)' or 'rgba(...)'); other texts come back as they are."""
    if _HEX.fullmatch(colour):
        return _CHOSEN.get(colour.upper()) or _as_light(colour)
    match = _RGB.fullmatch(colour.strip())
    if match is None:
        return colour
    grey = grey_of("#" + "".join(f"{int(part):02X}" for part in match.groups()[:3]))
    red = int(grey[1:3], 16)
    return f"rgb({red},{red},{red})" if match[4] is None else f"rgba({red},{red},{red},{match[4]})"


def _as_clear(grey: str, colour: str) -> str:
    """A grey as transparent as the colour whose place it takes."""
    match = _RGB.fullmatch(colour.strip())
    if match is None or match[4] is None:
        return grey
    red = int(grey[1:3], 16)
    return f"rgba({red},{red},{red},{match[4]})"


def _as_light(colour: str) -> str:
    lightness = hex_to_oklab(colour)
    lightness[1:] = 0
    grey = oklab_to_hex(lightness)
    return f"#{grey[1:3] * 3}"


def without_hue(node: object, key: str = "") -> object:
    """A deep copy of a figure's dictionary, or of a part such as its template, in greys."""
    if key == "colorscale" and isinstance(node, (list, tuple)):
        return [[position, _as_clear(shade(position), colour)] for position, colour in node]
    if key in _WORDS and not isinstance(node, dict):
        return node
    if isinstance(node, dict):
        return {name: without_hue(value, name) for name, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [without_hue(value) for value in node]
    return grey_of(node) if isinstance(node, str) else node


def shade(share: float) -> str:
    """Grey at a share of a scale, 0 light to 1 dark, in equal steps of lightness."""
    light, dark = hex_to_oklab(_LIGHT), hex_to_oklab(_DARK)
    return oklab_to_hex(light + share * (dark - light))
