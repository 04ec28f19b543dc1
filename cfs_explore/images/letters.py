"""Letters drawn to look like the digits in everything but shape.

The digits were scanned, cut to their bounding box, scaled into a 32 x 32 bitmap and counted in blocks of
4 x 4 pixels: 8 x 8 values from 0 to 16. The letters go the same way, so that sharpness, contrast and stroke
width tell little.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .drawn import Drawn, scale_grey

#: Left out because they look like a digit: O o Q D (0), I i l j (1), Z z (2), S s (5), b G (6), B (8) and
#: g q (9); and m, which 8 x 8 pixels do not resolve.
LETTERS = "ACEFHJKLMNPRTUVWXYacdefhknprtuvwxy"
_BITMAP = 32
_OVERSAMPLING = 4
_FONT_SIZE = 120
_CANVAS = 2 * _FONT_SIZE


def draw_letters(*, side: int, n: int, seed: int) -> Drawn:
    """``n`` letters (each of ``LETTERS`` about equally often), light on dark, image i keyed by (seed, i)."""
    drawn = []
    for i in range(n):
        letter = LETTERS[i % len(LETTERS)]
        image = scale_grey(_draw_small(letter, np.random.default_rng([seed, i])), side)
        drawn.append((f"letters/{letter}/{i:05d}", letter, image))
    return Drawn.of(drawn)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    """Pillow's bundled font (Aileron)."""
    return ImageFont.load_default(size=_FONT_SIZE)


def _draw_small(letter: str, rng: np.random.Generator) -> np.ndarray:
    """One letter as uint8 (8, 8): random weight, slant, size, offset and blur."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    weight = int(rng.integers(3, 6))
    ImageDraw.Draw(canvas).text(
        (_CANVAS / 2, _CANVAS / 2), letter, fill=255, font=_font(), anchor="mm", stroke_width=weight
    )
    canvas = canvas.rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC)
    glyph = canvas.crop(canvas.getbbox())
    # Every digit fills the height of its bitmap, and seldom more than three quarters of the width.
    full = _BITMAP * _OVERSAMPLING
    height = full * rng.uniform(0.94, 1.0)
    width = min(glyph.width / glyph.height * height, full * rng.uniform(0.6, 0.72))
    glyph = glyph.resize((round(width), round(height)), Image.Resampling.BICUBIC)
    left = (full - glyph.width) / 2 + rng.uniform(-0.06, 0.06) * full
    page = Image.new("L", (full, full))
    page.paste(glyph, (round(left), round(rng.uniform(0, full - glyph.height))))
    page = page.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.5) * _OVERSAMPLING))
    bitmap = np.asarray(page.resize((_BITMAP, _BITMAP), Image.Resampling.BOX)) > 127
    counts = bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3))  # (row, column), 0..16
    return np.rint(counts * (255 / 16)).astype(np.uint8)
