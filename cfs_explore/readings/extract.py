"""``cfs.extract``: snapshots of an array of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Level, Tap
from cfs_explore.errors import LevelError, TapError
from cfs_explore.readings.arrays import blocks, check_images, number_of_draws
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots, select_taps
from cfs_explore.wording import short_tap_name


class Snapshots(Mapping):
    """Pooled activations by tap name, full or short: ``snaps[tap]`` is float32 (level, draw, image, 2C)."""

    def __init__(self, levels: Sequence[Level], taps: Sequence[Tap], features: Mapping[str, np.ndarray]):
        self.levels = tuple(levels)
        self.taps = tuple(taps)
        self._features = dict(features)
        self._full = {short_tap_name(name): name for name in features if short_tap_name(name) not in features}

    def __getitem__(self, tap: str) -> np.ndarray:
        return self._features[self._full.get(tap, tap)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


def extract(
    backbone: Backbone,
    images: np.ndarray,
    lams: Sequence[float],
    taps: Sequence[str] | None = None,
    draws: int | None = None,
    seed: int = 0,
    noise: np.ndarray | None = None,
    *,
    ids: Sequence[str] | None = None,
    alignment: str = "logsnr",
    batch_size: int | None = None,
    precision: str = "fp32",
) -> Snapshots:
    """Snapshots of an array of images (theory 2).

    Args:
        backbone: from ``load_backbone``.
        images: float (n, *image_shape) in [-1, 1].
        lams: requested log-SNRs, one or more.
        taps: names, full or short ("up1.res1"); None means all.
        draws: noise draws per image, from 1 on; None means one, or as many as ``noise`` has.
        seed: keys the noise, with the image ids.
        noise: given noise (draws, n, *input_shape) instead.
        ids: image ids that key the noise; None derives them from the pixels. Images of bytes (x = k / 127.5 - 1) have
            the ids that a run gives them, so that the same pixels and seed give what the run gives, where the run did
            not resize them nor turn grey into colour: ids derive from the native pixels, so give those of the run then
            (``run.images(role, name)["image_id"]``).

    Returns:
        ``snaps[tap]``: float32 (level, draw, image, 2C).

    Raises:
        BackboneError: when the images do not fit the backbone. TapError: for an unknown tap. LevelError: for no level,
            or one that is no number. CFSError: for draws, noise or ids that do not fit.
    """
    images = check_images(images, backbone)
    noise = None if noise is None else np.asarray(noise, dtype=np.float32)
    draws = number_of_draws(draws, noise)
    if isinstance(lams, str) or not np.ndim(lams) or not len(lams):
        raise LevelError(f"lams must be one or more log-SNRs, such as [5.0]; got {lams!r}.")
    if isinstance(taps, str):
        raise TapError(f"taps must be a list of names, such as [{taps!r}]; got {taps!r}.")
    levels = [backbone.match(lam, alignment) for lam in lams]
    chosen = select_taps(backbone.taps(), taps)
    reader = Reader(backbone, TapSnapshots(levels, chosen), batch_size=batch_size, precision=precision)
    out = {t.name: np.empty((len(levels), draws, len(images), 2 * t.channels), dtype=np.float32) for t in chosen}
    for part, block in blocks(reader, images, draws, seed, noise, ids):
        for name, columns in reader.columns.items():
            out[name][:, :, part] = block[..., columns]
    return Snapshots(levels, chosen, out)
