"""The built-in image sets: small, grey, offline and deterministic, for demonstrations and tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import SourceError
from .digits import draw_digits
from .drawn import Drawn
from .letters import draw_letters
from .photo_patches import draw_photo_patches
from .record import Record, Source
from .transforms import TRANSFORMS

_DIGITS_ORIGIN = "UCI Optical Recognition of Handwritten Digits (Alpaydin & Kaynak) through scikit-learn, CC BY 4.0"


@dataclass(frozen=True)
class BuiltinSet:
    """A named set.

    Attributes:
        description: one line for the app.
        origin: where it comes from, and its licence.
        defaults: every parameter and its default; others are refused.
        draw: parameters -> images.
    """

    description: str
    origin: str
    defaults: Mapping[str, object]
    draw: Callable[..., Drawn]


_DIGIT_DEFAULTS: dict[str, object] = {
    "side": 16,
    "classes": tuple(range(10)),
    "split": "all",
    "test_fraction": 1 / 3,
    "seed": 0,
}
_DRAWN_DEFAULTS: dict[str, object] = {"side": 16, "n": 400, "seed": 0}
_TRANSFORM_TEXTS = {
    "flipped": "The digits upside down (top and bottom exchanged).",
    "rotated": "The digits turned by 90 degrees, counter-clockwise.",
    "inverted": "The digits dark on light.",
    "blurred": "The digits under a Gaussian blur (sigma 1.2 pixels at 16 x 16).",
    "noisy": "The digits under Gaussian noise (sigma 0.15 of the grey range).",
}

#: Name -> set. Open one with ``open_source({"builtin": name, **parameters})``.
BUILTIN_SETS: dict[str, BuiltinSet] = {
    "digits": BuiltinSet(
        "Handwritten digits 0 to 9 (1,797 small scans).", _DIGITS_ORIGIN, _DIGIT_DEFAULTS, draw_digits
    ),
    "letters": BuiltinSet(
        "Printed letters that pass for no digit, drawn with the digits' sharpness and stroke width.",
        "drawn by this project with Pillow's bundled font Aileron (CC0)",
        _DRAWN_DEFAULTS,
        draw_letters,
    ),
    "photo-patches": BuiltinSet(
        "Grey patches of two photographs, a Chinese palace and a flower.",
        "china.jpg by danielbuechele and flower.jpg by vultilion (Flickr) through scikit-learn, CC BY 2.0",
        _DRAWN_DEFAULTS,
        draw_photo_patches,
    ),
    **{
        f"digits-{name}": BuiltinSet(
            _TRANSFORM_TEXTS[name], _DIGITS_ORIGIN, _DIGIT_DEFAULTS, partial(draw_digits, name)
        )
        for name in TRANSFORMS
    },
}


class BuiltinSource(Source):
    """A built-in set, drawn when it is opened."""

    kind = "builtin"

    def __init__(self, name: str, drawn: Drawn) -> None:
        super().__init__(f"the built-in set {name!r}")
        self.names = drawn.names
        self._drawn = drawn

    def labels(self) -> list[str]:
        return self._drawn.labels

    def _read(self, index: int) -> Record:
        pixels = self._drawn.images[index][:, :, None].copy()
        label = self._drawn.labels[index]
        group = self._drawn.groups[index] if self._drawn.groups else ""
        return Record.of(pixels, name=self.names[index], label=label, format="drawn", mode="L", group=group)


def open_builtin(spec: Mapping) -> BuiltinSource:
    """Open {'builtin': name, **parameters}.

    Raises:
        SourceError: unknown set, unknown parameter or impossible value; names what is allowed.
    """
    name = spec.get("builtin")
    if name not in BUILTIN_SETS:
        raise SourceError(
            f"{dict(spec)!r} names no built-in set: write {{'builtin': name}} with one of {', '.join(BUILTIN_SETS)}."
        )
    chosen = BUILTIN_SETS[name]
    given = {key: value for key, value in spec.items() if key != "builtin"}
    for key, value in given.items():
        if key not in chosen.defaults:
            raise SourceError(
                f"built-in set {name!r} has no parameter {key!r}; allowed are {', '.join(chosen.defaults)}."
            )
        allowed, is_valid = _PARAMETERS[key]
        if not is_valid(value):
            raise SourceError(f"built-in set {name!r}: {key} = {value!r}; allowed is {allowed}.")
    return BuiltinSource(name, chosen.draw(**{**chosen.defaults, **given}))


def is_whole(value: object, low: int, high: float = math.inf) -> bool:
    """Whether it is a whole number in these bounds, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and low <= value <= high


def _are_digits(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(is_whole(digit, 0, 9) for digit in value)
        and len(set(value)) == len(value)
    )


#: Parameter -> (what is allowed, the test of it).
_PARAMETERS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "side": ("a whole number of pixels from 4 to 256", lambda value: is_whole(value, 4, 256)),
    "n": ("a whole number from 1 to 20,000", lambda value: is_whole(value, 1, 20_000)),
    "seed": ("a whole number from 0 on", lambda value: is_whole(value, 0, 2**63 - 1)),
    "classes": ("a list of different digits from 0 to 9", _are_digits),
    "split": ("all, train or test", lambda value: value in ("all", "train", "test")),
    "test_fraction": (
        "a number between 0 and 1",
        lambda value: isinstance(value, float) and 0 < value < 1,
    ),
}
