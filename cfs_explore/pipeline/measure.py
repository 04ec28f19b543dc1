"""Stage 2: the forwards. What is measured of images, from the network or from the cache, and how many at a time."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.locations import runs_root
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.readings.transfer import pinned
from cfs_explore.settings import read_settings
from cfs_explore.store.block_cache import BlockCache

#: Bytes of snapshots in memory at a time, about.
BLOCK_BYTES = 48_000_000
#: Forwards of a shard, about: few enough for a map that grows while one watches, enough to fill some batches.
SHARD_FORWARDS = {"cpu": 512, "cuda": 8192}

#: Part of every key in the cache; another number makes all older blocks strangers.
_KEY_VERSION = 1


@dataclass(frozen=True)
class Prepared:
    """A shard whose forwards may begin.

    Attributes:
        forwards: that it takes.
        key: in the cache; None without one.
        batch_size: that the key stands for.
        block: the snapshots, where the cache has them.
        x0: float32 (n, *image_shape), and noise (draw, n, *input_shape), where it has not; pinned for a GPU.
    """

    forwards: int
    key: str | None
    batch_size: int
    block: np.ndarray | None = None
    x0: np.ndarray | torch.Tensor | None = None
    noise: np.ndarray | torch.Tensor | None = None


@dataclass(frozen=True)
class Measurement:
    """What is measured on every set of a run.

    Attributes:
        reader: of the taps' snapshots.
        draws, seed: of the keyed noise.
        shard_size: images per atomic step.
        kept_level: index of the level whose snapshots are stored.
        kept: tap -> slice of the feature axis.
        cache: blocks of earlier runs; None measures everything.
        fresh: put blocks into the cache and take none out of it.
        after_reuse: called with the number of forwards that a block from the cache has saved; may raise
            ``RunCancelled``.
    """

    reader: Reader
    draws: int
    seed: int
    shard_size: int
    kept_level: int
    kept: Mapping[str, slice]
    cache: BlockCache | None = None
    fresh: bool = False
    after_reuse: Callable[[int], None] = lambda forwards: None

    def forwards(self, images: int) -> int:
        return images * self.draws * len(self.reader.levels)

    def prepare(self, ids: Sequence[str], pixels: np.ndarray) -> Prepared:
        """All that comes before the forwards of a shard: a look into the cache, or inputs and noise.

        Args:
            ids: of the images.
            pixels: uint8 (n, C, H, W).
        """
        key = None if self.cache is None else self._key(ids, pixels)
        facts = (self.forwards(len(ids)), key, self.reader.batch_size)
        if key is not None and not self.fresh:
            shape = (len(self.reader.levels), self.draws, len(ids), self.reader.width)
            block = self.cache.get(key, shape)
            if block is not None:
                return Prepared(*facts, block=block)
        backbone = self.reader.backbone
        arrays = to_signed(pixels), keyed_noise(ids, self.draws, backbone.input_shape, self.seed)
        x0, noise = (pinned(each, backbone.device) for each in arrays)
        return Prepared(*facts, x0=x0, noise=noise)

    def block(self, prepared: Prepared) -> tuple[np.ndarray, bool]:
        """Snapshots of a shard, float32 (level, draw, image, feature), and whether they came from the cache."""
        if prepared.block is not None:
            self.after_reuse(prepared.forwards)
            return prepared.block, True
        block = self.reader(prepared.x0, prepared.noise)
        same_size = self.reader.batch_size == prepared.batch_size  # it shrinks when memory runs out
        if prepared.key is not None and same_size:
            self.cache.put(prepared.key, block)
        return block, False

    def _key(self, ids: Sequence[str], pixels: np.ndarray) -> str:
        """Digest of everything that decides the bits of a shard's snapshots."""
        digest = hashlib.blake2b(self._origin, digest_size=16)
        digest.update(json.dumps([self.reader.batch_size, list(ids), list(pixels.shape)]).encode())
        digest.update(np.ascontiguousarray(pixels))
        return digest.hexdigest()

    @functools.cached_property
    def _origin(self) -> bytes:
        """What the blocks of this run have in common."""
        reader = self.reader
        backbone, device = reader.backbone, reader.backbone.device
        facts = {
            "version": _KEY_VERSION,
            "fingerprint": backbone.fingerprint,
            "precision": reader.precision,
            "device": _kind(device),
            "threads": torch.get_num_threads() if device.type == "cpu" else None,  # others do not round by them
            "torch": torch.__version__,
            "levels": [[level.native, level.a, level.b] for level in reader.levels],
            "told": [level.native for level in reader.conditioning],
            "taps": list(reader.columns),
            "draws": self.draws,
            "seed": self.seed,
        }
        return json.dumps(facts).encode() + _answer(reader)


def _kind(device: torch.device) -> str:
    """What devices have in common that give the same bits: of GPUs, their model, whatever their number."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _answer(reader: Reader) -> bytes:
    """The snapshots of one fixed image at the first level.

    They distinguish what has the same fingerprint, such as networks of equal weights with other numbers of heads, and
    they change with the code of the noise, the pooling and the arithmetic.
    """
    backbone = reader.backbone
    x0 = np.linspace(-1.0, 1.0, int(np.prod(backbone.image_shape)), dtype=np.float32)
    alone = Reader(
        backbone,
        TapSnapshots(reader.levels[:1], reader.reading.taps),
        batch_size=1,
        precision=reader.precision,
        conditioning=reader.conditioning[:1],
    )
    return alone(x0.reshape(1, *backbone.image_shape), keyed_noise(["fixed"], 1, backbone.input_shape)).tobytes()


def open_cache() -> BlockCache | None:
    """The cache of this installation, beside its runs; None where it is off."""
    limit = read_settings().cache_bytes
    return BlockCache(runs_root() / ".cache", limit) if limit else None


def block_size(reader: Reader, draws: int) -> int:
    """Images whose snapshots take about ``BLOCK_BYTES``."""
    per_image = len(reader.levels) * draws * reader.width * 4
    return int(np.clip(BLOCK_BYTES // per_image, 1, 512))


def shard_size(reader: Reader, draws: int) -> int:
    """Images of a shard: about ``SHARD_FORWARDS``, at most a block."""
    forwards = SHARD_FORWARDS.get(reader.backbone.device.type, SHARD_FORWARDS["cpu"])
    return min(max(1, forwards // (len(reader.levels) * draws)), block_size(reader, draws))
