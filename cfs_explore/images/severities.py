"""The project's own corruptions in five severities, weak to strong, so that AUROC can be read over severity.

They are not those of ImageNet-C or CIFAR-10-C, whose images are sets of their own. Severity 5 of ``blurred`` and of
``noisy`` is the change of that name without a severity. Strengths follow the image's side.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cfs_explore.errors import SourceError

from .transforms import NOISE_SIGMA, SIDE_BLUR, blurred, noisy

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """A change with a strength.

    Attributes:
        strengths: of the five severities, weak to strong.
        unit: what a strength is, in words.
        change: (one uint8 image (H, W) or (H, W, C), strength, row in the data, seed) -> the image, of the same shape.
    """

    strengths: tuple[float, float, float, float, float]
    unit: str
    change: Callable[[np.ndarray, float, int, int], np.ndarray]


def corruption(change: str, severity: int) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """The change of one image at a severity, given its row in the data and the seed.

    Raises:
        SourceError: this change has no severities, or not this one; names those that there are.
    """
    if change not in CORRUPTIONS:
        raise SourceError(f"altered: {change!r} has no severity; those that have are {', '.join(CORRUPTIONS)}.")
    if severity not in SEVERITIES:
        raise SourceError(f"altered: severity = {severity!r}; allowed is a whole number from 1 to 5.")
    found = CORRUPTIONS[change]
    strength = found.strengths[severity - 1]
    return lambda image, row, seed: found.change(image, strength, row, seed)


def _blur(image: np.ndarray, strength: float, row: int, seed: int) -> np.ndarray:
    return blurred(image, strength * len(image))


def _add_noise(image: np.ndarray, strength: float, row: int, seed: int) -> np.ndarray:
    """The same noise at every severity, only larger: severities differ in nothing but strength."""
    return noisy(image, strength, row, seed)


def _fade(image: np.ndarray, strength: float, row: int, seed: int) -> np.ndarray:
    """Less contrast about the image's own mean grey."""
    return _to_bytes(image.mean() + strength * (image - image.mean()))


def _brighten(image: np.ndarray, strength: float, row: int, seed: int) -> np.ndarray:
    return _to_bytes(image + strength * 255)  # saturates, as a sensor does


def _compress(image: np.ndarray, strength: float, row: int, seed: int) -> np.ndarray:
    """Through JPEG: colour images as such, others channel by channel."""
    if image.ndim == 3 and image.shape[2] != 3:
        return np.stack([_through_jpeg(image[..., c], int(strength)) for c in range(image.shape[2])], axis=-1)
    return _through_jpeg(image, int(strength))


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _pixelate(image: np.ndarray, strength: float, row: int, seed: int) -> np.ndarray:
    """Averaged to a smaller size and back by the nearest pixel, channel by channel."""
    height, width = image.shape[:2]
    small = tuple(max(1, round(side * strength)) for side in (width, height))

    def one(channel: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(channel)).resize(small, Image.Resampling.BOX)
        return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST))

    return one(image) if image.ndim == 2 else np.stack([one(image[..., c]) for c in range(image.shape[2])], axis=-1)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


#: Change -> its strengths.
CORRUPTIONS: dict[str, Corruption] = {
    "noisy": Corruption(
        (0.02, 0.04, 0.07, 0.1, NOISE_SIGMA), "standard deviation of the noise as a share of the grey range", _add_noise
    ),
    "blurred": Corruption(
        (0.015, 0.025, 0.04, 0.055, SIDE_BLUR), "standard deviation of the blur as a share of the side", _blur
    ),
    "faded": Corruption((0.85, 0.7, 0.55, 0.4, 0.25), "share of the contrast that is left", _fade),
    "brightened": Corruption((0.05, 0.1, 0.15, 0.2, 0.3), "share of the grey range that is added", _brighten),
    "compressed": Corruption((60, 40, 25, 15, 8), "JPEG quality", _compress),
    "pixelated": Corruption((0.8, 0.65, 0.5, 0.35, 0.25), "share of the side's pixels that are left", _pixelate),
}
