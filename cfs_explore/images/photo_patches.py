"""Random patches of scikit-learn's two sample photographs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePath

import numpy as np
from PIL import Image

from .drawn import Drawn, scale_grey

#: Smallest and largest side of a patch, in pixels of the photograph.
PATCH_SIDES = (24, 96)


def draw_photo_patches(*, side: int, n: int, seed: int) -> Drawn:
    """``n`` grey square patches (Rec. 601 luma) of random size and place, patch i keyed by (seed, i)."""
    photos = _load()
    drawn = []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        title = sorted(photos)[rng.integers(len(photos))]
        photo = photos[title]
        cut = int(rng.integers(PATCH_SIDES[0], PATCH_SIDES[1] + 1))
        top, left = (int(rng.integers(length - cut + 1)) for length in photo.shape)
        patch = scale_grey(photo[top : top + cut, left : left + cut], side)
        drawn.append((f"photo-patches/{title}/{i:05d}", title, patch))
    return Drawn.of(drawn)


@lru_cache(maxsize=1)
def _load() -> dict[str, np.ndarray]:
    """Title -> uint8 (H, W)."""
    from sklearn.datasets import load_sample_images  # slow to import

    data = load_sample_images()
    return {
        PurePath(file).stem: np.asarray(Image.fromarray(photo).convert("L"))
        for file, photo in zip(data.filenames, data.images, strict=True)
    }
