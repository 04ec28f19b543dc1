"""scikit-learn's handwritten digits, as they are and transformed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..contracts import pixel_id
from .drawn import Drawn, scale_grey
from .transforms import TRANSFORMS


def draw_digits(
    transform: str = "", *, side: int, classes: Sequence[int], split: str, test_fraction: float, seed: int
) -> Drawn:
    """The 1,797 digits of 8 x 8 pixels and 17 grey levels, scaled to 0..255 and to ``side`` (bicubic).

    Args:
        transform: a key of ``TRANSFORMS``, done to each image, whose group is then the id of the digit that it was made
            from; "" for none.
        classes: which digits.
        split: all, train or test. Each class is split on its own, by ``seed`` and the class alone: the other
            chosen classes change nothing, and train and test never share a row of the data.
        test_fraction: share of each class that is test, 0..1.
    """
    small, targets = _load()
    prefix = f"digits-{transform}" if transform else "digits"
    images, names, labels, originals = [], [], [], []
    for digit in sorted(classes):
        for row in _split_rows(np.flatnonzero(targets == digit), int(digit), split, test_fraction, seed):
            original = scale_grey(small[row], side)
            images.append(TRANSFORMS[transform](original, int(row), seed) if transform else original)
            originals.append(pixel_id(original[:, :, None]))
            names.append(f"{prefix}/{digit}/{row:04d}")
            labels.append(str(digit))
    pixels = np.stack(images) if images else np.empty((0, side, side), np.uint8)
    return Drawn(pixels, names, labels, originals if transform else None)


@lru_cache(maxsize=1)
def _load() -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 8, 8) uint8 and digits (1797,)."""
    from sklearn.datasets import load_digits  # slow to import

    data = load_digits()
    return np.rint(data.images * (255 / 16)).astype(np.uint8), data.target


def _split_rows(rows: np.ndarray, digit: int, split: str, test_fraction: float, seed: int) -> np.ndarray:
    if split == "all":
        return rows
    shuffled = np.random.default_rng([seed, digit]).permutation(rows)
    n_test = round(len(rows) * test_fraction)
    return np.sort(shuffled[:n_test] if split == "test" else shuffled[n_test:])
