"""What a built-in set is made of, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True, eq=False)
class Drawn:
    """Images (n, side, side) uint8 grey, with n names, n labels and n groups, or none of these; sorted by name."""

    images: np.ndarray
    names: list[str]
    labels: list[str]
    groups: list[str] | None = None

    @classmethod
    def of(cls, drawn: Iterable[tuple[str, str, np.ndarray]]) -> Drawn:
        """Of at least one (name, label, image), in any order."""
        names, labels, images = zip(*sorted(drawn, key=lambda entry: entry[0]), strict=True)
        return cls(np.stack(images), list(names), list(labels))


def scale_grey(image: np.ndarray, side: int) -> np.ndarray:
    """uint8 (H, W) -> uint8 (side, side), bicubic, filtered before it shrinks."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
