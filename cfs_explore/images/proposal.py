"""Which backbone suits given pictures, and what becomes of them on the way into it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..colour import COLOUR, GREY
from .survey import Survey

Shape = tuple[int, int, int]
#: This share of pictures of another kind is not worth a word.
_FEW = 0.05
#: Two shapes of a picture count as one where their aspect ratios differ by no more than this factor.
_SAME_ASPECT = 1.02


@dataclass(frozen=True)
class Pictures:
    """Pictures in brief.

    Attributes:
        colour: of most of them, "grey" or "colour".
        mixed: whether more than a few have the other kind.
        width, height: medians.
        alike: whether all have that size.
    """

    colour: str
    width: int
    height: int
    alike: bool = True
    mixed: bool = False

    @property
    def side(self) -> float:
        """The geometric mean of the sides."""
        return math.sqrt(self.width * self.height)

    @property
    def size(self) -> str:
        """'481x321', or 'about 481x321'."""
        return f"{'' if self.alike else 'about '}{self.width}x{self.height}"


def pictures_of(surveys: Sequence[Survey]) -> Pictures | None:
    """All pictures of some sets in brief; None where there are none."""
    seen = [found.images[["colour", "width", "height"]] for found in surveys if len(found)]
    if not seen:
        return None
    grey = sum(int((rows["colour"] == GREY).sum()) for rows in seen)
    sizes = [size for rows in seen for size in zip(rows["width"], rows["height"], strict=True)]
    width, height = (sorted(values)[(len(sizes) - 1) // 2] for values in zip(*sizes, strict=True))
    share = grey / len(sizes)
    colour = GREY if share > 0.5 else COLOUR
    return Pictures(colour, int(width), int(height), alike=len(set(sizes)) == 1, mixed=min(share, 1 - share) > _FEW)


def rank_inputs(inputs: Mapping[str, Shape], pictures: Pictures | None, opened: str | None = None) -> list[str]:
    """Names of backbones, the best suited first.

    By colour, then by how near the input's side is to the pictures' (as a ratio); among equals, and where no pictures
    are known yet, ``opened`` comes first, then the given order.

    Args:
        inputs: name -> image shape (C, H, W).
        pictures: that will be measured.
        opened: the backbone that the visitor is looking at.
    """

    def distance(name: str) -> tuple[bool, float]:
        if pictures is None:
            return False, 0.0
        return _colour(inputs[name]) != pictures.colour, round(abs(math.log2(pictures.side / _side(inputs[name]))), 6)

    return sorted(inputs, key=lambda name: (*distance(name), name != opened))


def reason(inputs: Mapping[str, Shape], proposed: str, pictures: Pictures | None, opened: str | None = None) -> str:
    """Why ``proposed`` comes first, worded to follow 'since'; '' where there is no reason."""
    of_opened = "it is the backbone of the open exploration"
    if pictures is None:
        return of_opened if proposed == opened else ""
    shape = inputs[proposed]
    others = [other for name, other in inputs.items() if name != proposed]
    if _colour(shape) != pictures.colour:
        return f"none here takes pictures {_in(pictures.colour)}, and it is nearest in size"
    rivals = [other for other in others if _colour(other) == _colour(shape)]
    fits = []
    if len(rivals) < len(others):
        fits.append(f"{_in(pictures.colour)} like {'most of ' * pictures.mixed}your pictures")
    if any(_side(rival) != _side(shape) for rival in rivals):
        fits.append(f"nearest to {'them' if fits else 'your pictures'} in size")
    reasons = [f"its input is {' and '.join(fits)}"] if fits else []
    if proposed == opened and any(_side(rival) == _side(shape) for rival in rivals):
        reasons.append(of_opened)
    return ", and ".join(reasons)


def conversion(pictures: Pictures, shape: Shape, policy: str = "crop") -> str:
    """What the pictures go through: 'colour to grey, 481x321 cut and scaled to 16x16'.

    Args:
        pictures: as they come.
        shape: the backbone's (C, H, W).
        policy: a key of ``RESIZE_POLICIES``.
    """
    _, height, width = shape
    changes = []
    if _colour(shape) != pictures.colour or pictures.mixed:
        what = "colour to grey" if _colour(shape) == GREY else "grey in three equal channels"
        changes.append(f"{'some ' * pictures.mixed}{what}")
    same = (pictures.width, pictures.height) == (width, height)
    if not pictures.alike or not same:
        stretch = pictures.width * height / (pictures.height * width)
        odd = not pictures.alike or max(stretch, 1 / stretch) > _SAME_ASPECT
        how = {"crop": "cut and scaled", "squash": "squashed", "pad": "scaled, with black bars,"}[policy]
        what = "those of another size" if same else pictures.size
        changes.append(f"{what} {how if odd else 'scaled'} to {width}x{height}")
    return ", ".join(changes) or "they go in as they are"


def _colour(shape: Shape) -> str:
    return GREY if shape[0] == 1 else COLOUR


def _in(colour: str) -> str:
    return {GREY: "in grey", COLOUR: "in colour"}[colour]


def _side(shape: Shape) -> float:
    return math.sqrt(shape[1] * shape[2])
