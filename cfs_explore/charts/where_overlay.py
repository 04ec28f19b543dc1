"""How a score map lies over its picture: colours, lines, and the two in one PNG (theory 22, 23).

OOD-like positions are blue and framed by solid lines, ID-like ones brown, framed by dotted lines; what says little is
transparent. Figures and galleries take both from here.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from cfs_explore.charts.colour_scale import diverging_colour
from cfs_explore.contracts import DEVIATION, SCORE

#: What scales are called: A_p, two-sided around 0; B_p, about 1 on ID images and shown where it is larger.
TITLES = {SCORE: "Adds to the score", DEVIATION: "Deviation from ID-train"}
#: Finer maps answer neither mouse nor click: a point for each position would be slow.
MOST_POINTS = 4096
#: What a position that says nothing has, and the least value at which the colours end: an ID image stays calm.
_CENTRE = {SCORE: 0.0, DEVIATION: 1.0}
_LEAST = {SCORE: 2.0, DEVIATION: 3.0}
#: Share of the positions within the scale: a single extreme one would leave all others clear.
_HELD = 0.99
#: Of the way from the centre to the colours' end: where the lines run. ID-like deviations are below the centre.
LINE_AT = 0.25
#: Near the centre, where a map is transparent, its hue is still to be told.
_PALEST = 0.35
_STOPS = 41
#: Lines are dark with a light seam, as pictures are light or dark.
INK, SEAM = "#111111", "#FFFFFF"
#: A PNG's longer side, at least; dots of a dotted line and gaps between them, in its pixels.
_SIDE_PX, _DOT_PX = 160, 4


def reach(maps: Sequence[np.ndarray], part: str = SCORE) -> float:
    """Where the colours end: a round number that holds nearly all positions of these maps, which share one scale."""
    values = np.concatenate([of.ravel() for of in maps])
    largest = float(np.quantile(np.abs(values) if part == SCORE else values, _HELD))
    if largest <= _LEAST[part]:
        return _LEAST[part]
    tens = 10.0 ** math.floor(math.log10(largest))
    return next(step * tens for step in (1, 2, 5, 10) if step * tens >= largest * (1 - 1e-9))


def line_values(part: str, end: float) -> tuple[float, float]:
    """Values at which the solid and the dotted lines run."""
    centre = _CENTRE[part]
    out = centre + LINE_AT * (end - centre)
    return out, (-out if part == SCORE else centre)


def limits(part: str, end: float) -> tuple[float, float]:
    """The values at both ends of the colours; those beyond have the colour of the end."""
    return (-end, end) if part == SCORE else (_CENTRE[part], end)


def scale(part: str, strength: float) -> list[tuple[float, tuple[int, int, int, float]]]:
    """Red, green, blue (0 to 255) and opacity (0 to 1) at shares of the way from one limit to the other."""
    found = []
    for share in np.linspace(0, 1, _STOPS):
        t = 2 * share - 1 if part == SCORE else share
        shown = math.copysign(_PALEST + (1 - _PALEST) * abs(t), t)
        colour = diverging_colour(shown)  # as on the maps of cells: blue is a higher score
        found.append((float(share), (*(int(colour[k : k + 2], 16) for k in (1, 3, 5)), strength * math.sqrt(abs(t)))))
    return found


def css(colour: tuple[int, int, int, float]) -> str:
    """A colour of ``scale`` as CSS and plotly write it."""
    return "rgba({},{},{},{:.3f})".format(*colour)


def rgb(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) of a picture (C, H, W) with one channel or three."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))


def overlay_png(pixels: np.ndarray, values: np.ndarray, part: str, end: float, strength: float = 0.8) -> bytes:
    """A picture with its map over it: the picture's pixels stay squares, the map is bilinear.

    Args:
        pixels: uint8 (C, H, W), the picture.
        values: the map, (h, w).
        part: of the scales, "score" or "deviation".
        end: where the colours end, of ``reach``.
        strength: opacity at the end, 0 to 1.
    """
    factor = max(1, math.ceil(_SIDE_PX / max(pixels.shape[1:])))
    picture = rgb(pixels).repeat(factor, axis=0).repeat(factor, axis=1).astype(np.float32)
    size = picture.shape[1::-1]
    shown = np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    low, high = limits(part, end)
    shares, stops = zip(*scale(part, strength), strict=True)
    at = np.clip((shown - low) / (high - low), 0, 1)
    *colour, opacity = (np.interp(at, shares, channel) for channel in np.array(stops).T)
    mixed = picture + opacity[..., None] * (np.stack(colour, axis=-1) - picture)
    solid, dotted = line_values(part, end)
    _draw(mixed, shown > solid, dots=False)
    _draw(mixed, shown < dotted, dots=True)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(mixed).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _draw(picture: np.ndarray, inside: np.ndarray, *, dots: bool) -> None:
    """A line along the inner edge of a region, and its seam within; in place."""
    within = _shrunk(_shrunk(inside))
    edge, seam = inside & ~within, within & ~_shrunk(within)
    if dots:
        rows, columns = np.indices(inside.shape)
        drawn = (rows + columns) // _DOT_PX % 2 == 0
        edge, seam = edge & drawn, seam & drawn
    picture[edge], picture[seam] = _channels(INK), _channels(SEAM)


def _shrunk(inside: np.ndarray) -> np.ndarray:
    """A region without the pixels at its edge; the picture's own edge is none."""
    padded = np.pad(inside, 1, mode="edge")
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & inside


def _channels(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))
