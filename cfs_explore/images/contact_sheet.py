"""A few images of a set at a glance: thumbnails drawn at random, alone or on one picture."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ..errors import ImageError
from .parts import sampled
from .preprocess import thumbnail
from .record import Source

_SIDE, _GAP, _TEXT = 96, 8, 16
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


class Thumbnail(NamedTuple):
    """One image, small: its name and label in the source, and PNG bytes."""

    name: str
    label: str
    png: bytes


def thumbnails(source: Source, n: int = 48, seed: int = 0, side: int = 64) -> list[Thumbnail]:
    """Up to ``n`` images drawn by ``seed``, in the source's order, at most ``side`` pixels wide and high.

    Images that cannot be read are left out.
    """
    drawn = source if n >= len(source) else sampled(source, n, seed)
    return [Thumbnail(each.name, each.label, thumbnail(each.pixels, side)) for each in drawn.readable()]


def contact_sheet(source: Source, n: int = 48, seed: int = 0) -> bytes:
    """One PNG of up to ``n`` images with their names beneath, about as wide as high.

    Raises:
        ImageError: none of the drawn images can be read.
    """
    small = thumbnails(source, n, seed, _SIDE)
    if not small:
        raise ImageError(f"{source.location}: none of {min(n, len(source))} images drawn from it can be read.")
    columns = min(len(small), math.ceil(math.sqrt(len(small) * (_SIDE + _TEXT) / _SIDE)))
    rows = math.ceil(len(small) / columns)
    width, height = columns * (_SIDE + _GAP) + _GAP, rows * (_SIDE + _TEXT + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for position, each in enumerate(small):
        row, column = divmod(position, columns)
        left, top = _GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _TEXT + _GAP)
        picture = _enlarged(Image.open(io.BytesIO(each.png)).convert("RGB"))
        sheet.paste(picture, (left + (_SIDE - picture.width) // 2, top + (_SIDE - picture.height) // 2))
        draw.text((left, top + _SIDE + 1), _fitting(each.name, draw, font), _INK, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _enlarged(picture: Image.Image) -> Image.Image:
    """Small pictures by a whole factor and unsmoothed, so that their pixels can be seen."""
    factor = max(1, _SIDE // max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _fitting(name: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> str:
    """The end of a name, as much as a cell is wide."""
    text = "".join(c if c.isprintable() else "?" for c in name)[-40:]
    cut = text != name
    while text and draw.textlength(("..." if cut else "") + text, font) > _SIDE:
        text, cut = text[1:], True
    return ("..." if cut else "") + text
