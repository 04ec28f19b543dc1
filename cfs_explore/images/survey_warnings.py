"""What would spoil a map and can be seen in the pictures alone, each with what to do about it."""

from __future__ import annotations

import numpy as np

from ..wording import counted
from .preprocess import kept_share
from .proposal import Shape, pictures_of
from .survey import Survey

#: Below this many images, confidence intervals are too wide to say much.
FEW_IMAGES = 20
#: Sides of pictures and input that are farther apart than this factor.
_FAR = 4.0
#: Less than this share of a picture left is worth a warning, of the median picture.
MOSTLY_CUT = 0.5
#: Luma that varies by less than this in a picture, 0..255: one flat colour.
_FLAT = 0.5
#: Names that a sentence lists.
_LISTED = 3


def set_warnings(found: Survey, count: int, input_shape: Shape | None = None, resize: str = "crop") -> list[str]:
    """Sentences about one set; none where all is well.

    Args:
        found: what was seen of the set, maybe of a sample.
        count: images that will be measured.
        input_shape: (C, H, W) of the backbone; None: sizes are not judged.
        resize: how they are brought to it, a key of ``RESIZE_POLICIES``.
    """
    if not len(found):
        return [unreadable_warning(found)]
    warnings = [lost_warning(found), few_warning(count), alike_warning(found)]
    if input_shape is not None:
        warnings += [size_warning(found, input_shape), cut_warning(found, input_shape) if resize == "crop" else ""]
    return list(filter(None, warnings))


def unreadable_warning(found: Survey) -> str:
    """A set of which nothing could be read."""
    first = ": ".join(found.unusable.iloc[-1]) if len(found.unusable) else "there are none"
    return f"None of the pictures that were looked at can be read ({first}). Give others."


def lost_warning(found: Survey) -> str:
    """Some pictures cannot be read."""
    lost = [name.rsplit("/", 1)[-1] for name in found.unreadable]
    if not lost:
        return ""
    shown = ", ".join(lost[:_LISTED]) + ", ..." * (len(lost) > _LISTED)
    total = counted(len(lost) + len(found), "picture")
    subject = f"{len(lost):,} of {total}{' that were looked at' * found.is_sample}"
    return f"{subject} cannot be read and {'is' if len(lost) == 1 else 'are'} left out: {shown}."


def few_warning(count: int) -> str:
    """Too few pictures for intervals."""
    if count == 1:
        return (
            "A single picture: the map can only say where it ranks among the ID images, without an interval that "
            f"means anything. Give {FEW_IMAGES} or more of its kind."
        )
    if count < FEW_IMAGES:
        return f"Fewer than {FEW_IMAGES} pictures: the intervals will be wide. Add more of their kind."
    return ""


def alike_warning(found: Survey) -> str:
    """Pictures that are all the same, or flat."""
    n, seen = len(found), " that were looked at" * found.is_sample
    if n > 1 and found.images["content_id"].nunique() == 1:
        return f"All {n:,} pictures{seen} are the same, pixel by pixel: they say no more than one. Give different ones."
    flat = int((found.images["contrast"] < _FLAT).sum())
    if 2 * flat > n:
        every = f"Every picture{' that was looked at' * found.is_sample} is"
        subject = every if flat == n else f"{flat:,} of {n:,} pictures{seen} are"
        return (
            f"{subject} of one flat colour: nothing sets them apart. Look at the files: a range of "
            "values or a transparency that was misread does that."
        )
    return ""


def size_warning(found: Survey, input_shape: Shape) -> str:
    """Pictures far larger or smaller than the backbone's input."""
    pictures = pictures_of([found])
    if pictures is None:
        return ""
    _, height, width = input_shape
    ratio = pictures.side / (height * width) ** 0.5
    size, target = pictures.size, f"{width}x{height}"
    if ratio > _FAR:
        return (
            f"The pictures are far larger than the input ({size} to {target}): their detail is lost. Give cut-outs of "
            "the part that matters, or use a backbone with a larger input."
        )
    if ratio < 1 / _FAR:
        return (
            f"The pictures are far smaller than the input ({size} to {target}): blown up, they are smooth, and that "
            "alone can tell them from ID images. Use a backbone with a smaller input."
        )
    return ""


def cut_warning(found: Survey, input_shape: Shape) -> str:
    """Pictures of which the resize cuts the larger part away."""
    width, height = (found.images[side].to_numpy() for side in ("width", "height"))
    kept = float(np.median(kept_share(width, height, input_shape)))
    if kept >= MOSTLY_CUT:
        return ""
    seen = " that were looked at" * found.is_sample
    return (
        f"Most of each picture is cut away: to fit {input_shape[2]}x{input_shape[1]}, the resize crop keeps the middle "
        f"{100 * kept:.0f} % of it (median over the pictures{seen}). Choose another under Resizing (More) that keeps "
        "all of it: pad adds black bars, squash distorts."
    )
