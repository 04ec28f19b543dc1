"""Images that come as an array, read block by block with the noise that a run would give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cfs_explore.backbones.base import Backbone
from cfs_explore.corruption import array_ids, keyed_noise
from cfs_explore.errors import BackboneError, CFSError
from cfs_explore.readings.loop import Reader

#: Images whose noise is in memory at a time, and bytes of what is read of them.
_AT_ONCE, _MOST_BYTES = 256, 2**28


def blocks(
    reader: Reader,
    images: np.ndarray,
    draws: int = 1,
    seed: int = 0,
    noise: np.ndarray | None = None,
    ids: Sequence[str] | None = None,
    at_once: int | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """A reading of an array of images, in parts.

    Args:
        reader: backbone and reading.
        images: float (n, *image_shape) in [-1, 1].
        draws: noise draws per image, when ``noise`` is None.
        seed: keys the noise, with the image ids.
        noise: given noise (draws, n, *input_shape) instead.
        ids: image ids that key the noise; None derives them from the pixels.
        at_once: images of a part; None: 256.

    Yields:
        The part's slice of the images, and the readings (level, draw, image, feature).

    Raises:
        BackboneError: the images do not fit the backbone. CFSError: noise or ids of another number of images.
    """
    backbone = reader.backbone
    images = check_images(images, backbone)
    wanted = (len(images), *backbone.input_shape)
    if noise is not None and noise.shape[1:] != wanted:
        raise CFSError(f"noise must be (draws, {', '.join(map(str, wanted))}); got {noise.shape}.")
    if ids is not None and len(ids) != len(images):
        raise CFSError(f"{len(images)} images need {len(images)} ids; got {len(ids)}.")
    ids = array_ids(images) if ids is None else list(ids)
    step = at_once or _AT_ONCE
    for start in range(0, len(images), step):
        part = slice(start, start + step)
        eps = keyed_noise(ids[part], draws, backbone.input_shape, seed) if noise is None else noise[:, part]
        yield part, reader(images[part], np.asarray(eps, dtype=np.float32), [f"{seed}|{each}" for each in ids[part]])


def images_at_once(reader: Reader, draws: int) -> int:
    """Images of a part of which readings of many numbers, such as maps, take no more than 256 MiB."""
    return int(np.clip(_MOST_BYTES // (4 * len(reader.levels) * draws * max(reader.width, 1)), 1, _AT_ONCE))


def check_images(images: np.ndarray, backbone: Backbone) -> np.ndarray:
    """Images as float32, or a BackboneError that names both shapes or the range."""
    images = np.asarray(images, dtype=np.float32)
    if images.ndim != 4 or images.shape[1:] != tuple(backbone.image_shape):
        raise BackboneError(
            f"{backbone.name} takes images of shape (n, {', '.join(map(str, backbone.image_shape))}); "
            f"got {images.shape}. Resize them, or choose another backbone."
        )
    if images.size and not (float(images.min()) >= -1.001 and float(images.max()) <= 1.001):
        raise BackboneError(
            f"Images must lie in [-1, 1]; got values from {images.min():.3g} to {images.max():.3g}. "
            "For bytes: x / 127.5 - 1."
        )
    return images


def number_of_draws(draws: int | None, noise: np.ndarray | None) -> int:
    """How many draws there are; an error for none, and where the two arguments do not agree."""
    if draws is not None and (isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1):
        raise CFSError(f"draws must be a whole number from 1 on; got {draws!r}.")
    if noise is None:
        return int(draws or 1)
    given = len(noise) if noise.ndim else 0
    if given < 1:
        raise CFSError(f"noise must hold one draw or more: (draws, n, *input_shape); got {noise.shape}.")
    if draws not in (None, given) and noise.ndim == 5:
        raise CFSError(f"draws = {draws}, but noise holds {given}. Leave draws out, or give noise of that many.")
    return given
