"""Proxy OOD images made from ID images, to rank cells without a real OOD set (theory 17).

Each kind takes uint8 (n, C, H, W), as a backbone sees images, and returns the same shape. What happens to an image
depends on (seed, kind, its id) alone, so no result depends on order or batch; ``mix`` also depends on which images it
is given together. Strengths are drawn per image, so that a kind covers a range, and follow the image's side.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

#: Standard deviation of the blur as a share of the side, of the noise as a share of the grey range; JPEG quality.
BLUR_SIGMA, NOISE_SIGMA, JPEG_QUALITY = (1 / 32, 1 / 16), (0.05, 0.15), (5, 30)
#: A narrower blur (in pixels) would leave small images as they are.
LEAST_SIGMA = 0.5
#: Contrast factor and shift of the brightness (share of the range) of a colour shift, in size.
CONTRAST, BRIGHTNESS = (0.5, 0.9), (0.05, 0.2)
#: Patches along a side that the shuffle exchanges.
PATCHES = 4


def make_proxy(kind: str, pixels: np.ndarray, ids: Sequence[str], seed: int = 0) -> np.ndarray:
    """Proxy OOD images of one kind.

    Args:
        kind: a key of ``PROXIES``.
        pixels: uint8 (n, C, H, W).
        ids: one stable id per image. seed: the run's seed.

    Returns:
        uint8 (n, C, H, W), in the order of ``pixels``, which stays as it is.
    """
    return PROXIES[kind](np.asarray(pixels), ids, seed)


def _one_by_one(
    kind: str, change: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> Callable[[np.ndarray, Sequence[str], int], np.ndarray]:
    """A proxy that alters each image (C, H, W) on its own."""

    def apply(pixels: np.ndarray, ids: Sequence[str], seed: int) -> np.ndarray:
        proxies = np.empty_like(pixels)
        for i, image_id in enumerate(ids):
            proxies[i] = change(pixels[i], np.random.default_rng(int.from_bytes(_key(seed, kind, image_id), "little")))
        return proxies

    return apply


def _key(seed: int, kind: str, image_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}|{kind}|{image_id}".encode(), digest_size=16).digest()


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # slow to import

    sigma = max(rng.uniform(*BLUR_SIGMA) * max(image.shape[1:]), LEAST_SIGMA)
    return _to_bytes(gaussian_filter(image.astype(np.float64), (0, sigma, sigma), mode="nearest"))


def _add_noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _to_bytes(image + rng.normal(0, rng.uniform(*NOISE_SIGMA) * 255, image.shape))  # saturates, as a sensor does


def _compress(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through JPEG: colour images as such, others channel by channel."""
    quality = int(rng.integers(*JPEG_QUALITY, endpoint=True))
    if len(image) == 3:
        return _through_jpeg(image.transpose(1, 2, 0), quality).transpose(2, 0, 1)
    return np.stack([_through_jpeg(channel, quality) for channel in image])


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _shift_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another contrast and brightness, each channel its own, and channels turned round; half of the grey images are
    inverted instead of the turn.
    """
    channels = len(image)
    turned = np.roll(image, rng.integers(1, channels), axis=0) if channels > 1 else image
    sign = rng.choice([-1, 1]) if channels == 1 else 1
    contrast = sign * rng.uniform(*CONTRAST, size=(channels, 1, 1))
    brightness = rng.choice([-1, 1], size=(channels, 1, 1)) * rng.uniform(*BRIGHTNESS, size=(channels, 1, 1))
    return _to_bytes(127.5 + contrast * (turned - 127.5) + 255 * brightness)


def _shuffle(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Patches of a 4 x 4 grid exchanged; what a side leaves over the grid stays in place."""
    channels, height, width = image.shape
    rows, columns = min(PATCHES, height), min(PATCHES, width)
    h, w = height // rows, width // columns
    order = rng.permutation(rows * columns)
    if (order == np.arange(len(order))).all():
        order = np.roll(order, 1)
    inner = image[:, : rows * h, : columns * w].reshape(channels, rows, h, columns, w).transpose(1, 3, 0, 2, 4)
    patches = inner.reshape(rows * columns, channels, h, w)[order].reshape(rows, columns, channels, h, w)
    shuffled = image.copy()
    shuffled[:, : rows * h, : columns * w] = patches.transpose(2, 0, 3, 1, 4).reshape(channels, rows * h, columns * w)
    return shuffled


def _flip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored along an axis or both, or, if square, turned by 90 degrees either way."""
    changes = [
        lambda x: x[:, ::-1],
        lambda x: x[:, :, ::-1],
        lambda x: x[:, ::-1, ::-1],
        lambda x: np.rot90(x, 1, (1, 2)),
        lambda x: np.rot90(x, -1, (1, 2)),
    ]
    square = image.shape[1] == image.shape[2]
    return changes[rng.integers(len(changes) if square else 3)](image)


def _mix(pixels: np.ndarray, ids: Sequence[str], seed: int) -> np.ndarray:
    """Each image's average with another: the next in the order of their keys, so that the given order is nothing.

    A single image has no other and stays as it is.
    """
    order = sorted(range(len(ids)), key=lambda i: (_key(seed, "mix", ids[i]), pixels[i].tobytes()))
    mixed = np.empty_like(pixels)
    partners = pixels[np.roll(order, -1)]
    mixed[order] = _to_bytes((pixels[order].astype(np.float64) + partners) / 2)
    return mixed


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


#: Kind -> (pixels (n, C, H, W), ids, seed) -> proxies.
PROXIES: dict[str, Callable[[np.ndarray, Sequence[str], int], np.ndarray]] = {
    "blur": _one_by_one("blur", _blur),
    "noise": _one_by_one("noise", _add_noise),
    "jpeg": _one_by_one("jpeg", _compress),
    "colour": _one_by_one("colour", _shift_colour),
    "shuffle": _one_by_one("shuffle", _shuffle),
    "flip": _one_by_one("flip", _flip),
    "mix": _mix,
}

#: Change of ``transforms`` or ``severities`` -> the kind of proxy that is like it.
_MADE_BY = {
    **{"flipped": "flip", "rotated": "flip", "inverted": "colour", "blurred": "blur", "noisy": "noise"},
    **{"faded": "colour", "brightened": "colour", "compressed": "jpeg", "pixelated": "blur"},
}


def made_by(source: object) -> str | None:
    """The kind of proxy, of a set made by this project; None for any other set.

    Args:
        source: what ``open_source`` takes.
    """
    given = source if isinstance(source, Mapping) else {}
    change = given.get("altered") or str(given.get("builtin", "")).removeprefix("digits-")
    return _MADE_BY.get(change)
