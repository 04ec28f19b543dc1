"""One diverging colour scale for every metric: blue = separates OOD, grey = chance, brown = worse.

The two arms run through anchor colours in OKLab (Ottosson 2020) and are resampled so that equal steps of
the metric are equal steps of colour on both sides of the neutral point. Lightness falls steadily along each
arm, so the strength survives greyscale printing, and blue against brown survives the common colour-vision
deficiencies.
"""

from __future__ import annotations

from functools import cache

import numpy as np

#: Light enough to recede on a white page, visible on it, and calm on a dark one.
NEUTRAL = "#E4E2DE"
_GOOD_ARM = (NEUTRAL, "#A9CCE3", "#5FA3D0", "#2470AE", "#123F7E")
_BAD_ARM = (NEUTRAL, "#EBC29B", "#D98F4F", "#AE5A1F", "#6E2F0B")

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def hex_to_oklab(colour: str) -> np.ndarray:
    """OKLab (L, a, b) of '#RRGGBB', shape (3,)."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return _LMS_TO_LAB @ np.cbrt(_RGB_TO_LMS @ linear)


def oklab_to_hex(lab: np.ndarray) -> str:
    """'#RRGGBB' of an OKLab colour; values outside sRGB are clipped."""
    linear = np.linalg.solve(_RGB_TO_LMS, np.linalg.solve(_LMS_TO_LAB, lab) ** 3).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * c):02X}" for c in srgb)


def _dense_arm(anchors: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Colours along the polyline of anchors and the OKLab distance run so far: shapes (m, 3), (m,)."""
    points = np.array([hex_to_oklab(colour) for colour in anchors])
    knots = np.arange(len(anchors))
    dense = np.linspace(0, knots[-1], 512)
    lab = np.column_stack([np.interp(dense, knots, channel) for channel in points.T])
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(lab, axis=0), axis=1))])
    return lab, run


@cache
def _arms() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], float]:
    good, bad = _dense_arm(_GOOD_ARM), _dense_arm(_BAD_ARM)
    # The longer arm is cut, so that +d and -d from the neutral point are equally strong.
    return good, bad, min(good[1][-1], bad[1][-1])


def diverging_colour(t: float) -> str:
    """Colour at t in [-1, 1]: -1 worst, 0 neutral, +1 best."""
    good, bad, length = _arms()
    lab, run = good if t >= 0 else bad
    return oklab_to_hex(np.array([np.interp(abs(t) * length, run, channel) for channel in lab.T]))


def colour_scale(neutral: float = 0.5, higher_is_better: bool = True, stops: int = 41) -> list[list]:
    """Plotly colour scale over the fixed range 0..1, grey at ``neutral``.

    Equal distances from ``neutral`` have equal strength; the side with more room uses its whole arm.
    """
    if not 0 < neutral < 1:
        raise ValueError(f"The 'neutral' value of colour_scale must lie strictly between 0 and 1. Got {neutral}.")
    reach = max(neutral, 1 - neutral)
    sign = 1 if higher_is_better else -1
    positions = np.union1d(np.linspace(0, 1, stops), [neutral])
    return [[float(p), diverging_colour(sign * (p - neutral) / reach)] for p in positions]
