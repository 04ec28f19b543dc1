"""The shards of a set: which rows each holds, what is stored of it, and which of them still count."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cfs_explore.pipeline.ahead import Ahead
from cfs_explore.pipeline.measure import Measurement, Prepared, block_size
from cfs_explore.pipeline.pixels import SourcePixels, open_pixels
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.scoring import Moments, pair_squares, slot_scores
from cfs_explore.store import SetWork

#: The arrays of a shard's moments (``Moments.to_arrays``).
MOMENTS = ("count", "mean", "m2", "m2_within")


def measuring_order(count: int, seed: int) -> np.ndarray:
    """The rows of a set as they are measured: shuffled, so that those measured so far stand for the whole set."""
    return np.random.default_rng(seed).permutation(count)


class SetShards:
    """The shards of one set: pure pieces of work, which any worker that has the same measurement computes alike.

    Args:
        planned: a prepared set.
        measurement: what to measure.
        reference: moments of ID-train to score against; None for ID-train itself.
    """

    def __init__(self, planned: PlannedSet, measurement: Measurement, reference: Moments | None):
        self.planned, self.work = planned, planned.work
        self.measurement, self.reference = measurement, reference
        self._open = contextlib.ExitStack()
        self._ahead = Ahead(self._prepared, measurement.reader.backbone.device)
        self._last: int | None = None  # the shard that was asked for before

    def close(self) -> None:
        """Close the source of the images, where they are read from it; no shard is computed any more."""
        self._ahead.close()
        self._open.close()

    @property
    def count(self) -> int:
        return -(-len(self._ids) // self.measurement.shard_size)

    @functools.cached_property
    def done(self) -> list[bool]:
        """For each shard that was finished before, whether its file is whole; those that do not count any more are
        forgotten when this is first asked."""
        return shards_to_keep(self.work, self.measurement, self.reference)

    def forwards(self, index: int) -> int:
        """Of one shard."""
        return self.measurement.forwards(len(self._rows(index)))

    def compute(self, index: int) -> dict[str, np.ndarray]:
        """All that a shard gives: what is stored of it, its "moments.*", whether it is "reused", and its "block" of
        snapshots where they are wanted for pairs."""
        rows, block, reused = self.snapshots(index)
        arrays = self.stored(rows, block) | {"reused": np.int64(reused)}
        arrays |= {f"moments.{name}": values for name, values in Moments.of(block).to_arrays().items()}
        return arrays | ({"block": block} if self.planned.role == "id_test" else {})

    def snapshots(self, index: int) -> tuple[np.ndarray, np.ndarray, bool]:
        """Rows of a shard, float32 (level, draw, image, feature), and whether the cache had them."""
        step = (
            1 if self._last is None else index - self._last
        )  # as far as to the last one it is to the next, since other workers take others
        then = index + step if step > 0 and index + step < self.count else None
        self._last = index
        return self._rows(index), *self.measurement.block(self._ahead.get(index, then))

    def stored(self, rows: np.ndarray, block: np.ndarray) -> dict[str, np.ndarray]:
        """What is stored of a shard's snapshots (level, draw, image, feature)."""
        measurement = self.measurement
        arrays = {"rows": rows} | {
            f"kept.{tap}": block[measurement.kept_level, 0, :, columns].astype(np.float16)
            for tap, columns in measurement.kept.items()
        }
        if self.reference is not None:
            arrays["scores"] = slot_scores(block, self.reference, measurement.reader.columns)
        return arrays

    def _prepared(self, index: int) -> Prepared:
        rows = self._rows(index)
        return self.measurement.prepare(self._ids[rows].tolist(), self._pixels[rows])

    def _rows(self, index: int) -> np.ndarray:
        size = self.measurement.shard_size
        return np.sort(self._order[index * size : (index + 1) * size])

    @functools.cached_property
    def _ids(self) -> np.ndarray:
        return self.work.rows(["image_id"])["image_id"].to_numpy()

    @functools.cached_property
    def _pixels(self) -> np.ndarray | SourcePixels:
        return self._open.enter_context(open_pixels(self.planned))

    @functools.cached_property
    def _order(self) -> np.ndarray:
        return measuring_order(len(self._ids), self.measurement.seed)


def measure_shards(shards: SetShards, result: Callable[[int], dict[str, np.ndarray]] | None = None) -> Iterator[int]:
    """Measure the shards of a set that are not done yet, in order; yields the number of each when it is done.

    Args:
        shards: of a prepared set.
        result: gives what ``shards.compute`` gives of a shard, if not that itself.
    """
    work, size, result = shards.work, shards.measurement.shard_size, result or shards.compute
    measurement, reference = shards.measurement, shards.reference
    _mend(shards)
    moments = stored_moments(work)
    for index in range(len(shards.done), shards.count):
        arrays = result(index)
        of_shard = Moments.from_arrays({name: arrays.pop(f"moments.{name}") for name in MOMENTS})
        moments = of_shard if moments is None else moments.merge(of_shard)
        before, reused, block = work.moments() or {}, int(arrays.pop("reused")), arrays.pop("block", None)
        sums = moments.to_arrays() | {"size": np.int64(size), "reused": np.int64(before.get("reused", 0) + reused)}
        sums["reference"] = np.array(_digest_of(reference))
        if block is not None:
            last = index + 1 == shards.count
            sums |= _pair_sums(work, before, measurement, reference, index + 1, block, last=last)
        work.finish_shard(index, arrays, sums)
        if int(sums.get("paired", index + 1)) == index + 1:
            work.drop_blocks()
        yield index


def shards_to_keep(work: SetWork, measurement: Measurement, reference: Moments | None) -> list[bool]:
    """For each finished shard of a set, whether its file is whole; those that do not count any more are forgotten.

    Args:
        work: of the set.
        measurement: under way.
        reference: that its scores must rest on; None for ID-train.
    """
    damaged = set(work.damaged_shards())
    sums = work.moments()
    if sums is None:
        return []
    ours = int(sums.get("size", 0)) == measurement.shard_size  # another version's shards hold other rows
    if not ours or str(sums.get("reference", "")) != _digest_of(reference):
        work.forget_shards()
        return []
    return [index not in damaged for index in range(work.shards_done())]


def _digest_of(reference: Moments | None) -> str:
    """Of the statistics that scores rest on; "" without any."""
    if reference is None:
        return ""
    digest = hashlib.blake2b(str(reference.count).encode(), digest_size=16)
    for values in (reference.mean, reference.m2):
        digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()


def _mend(shards: SetShards) -> None:
    """Measure damaged shards again, and snapshots that wait for pairs: the moments have them already."""
    work, done = shards.work, shards.done
    for index in (index for index, whole in enumerate(done) if not whole):
        rows, block, _ = shards.snapshots(index)
        work.mend_shard(index, shards.stored(rows, block))
    if shards.planned.role == "id_test" and done:
        for index in range(int(work.moments().get("paired", 0)), len(done)):
            if not work.has_block(index):
                work.keep_block(index, shards.snapshots(index)[1])


def close_pairs(work: SetWork, measurement: Measurement, reference: Moments) -> None:
    """Count the pairs of ID-test's shards that wait for others, where no others will come."""
    sums, done = work.moments(), work.shards_done()
    if int(sums.get("paired", done)) < done:
        work.write_moments(sums | _pair_sums(work, sums, measurement, reference, done, None, last=True))
        work.drop_blocks()


def _pair_sums(
    work: SetWork,
    before: Mapping[str, np.ndarray],
    measurement: Measurement,
    reference: Moments,
    done: int,
    block: np.ndarray | None,
    *,
    last: bool,
) -> dict[str, np.ndarray]:
    """Pair sums (theory 11) after ``done`` shards, the last of which has the snapshots ``block``.

    Pairs are counted within blocks of some shards, since small groups of images have few pairs: the snapshots of
    shards wait on the disk until their block is full.

    Args:
        before: the moments so far; "paired" shards are counted.
        block: float32 (level, draw, image, feature); None: it waits on the disk, too.
        last: no shard follows.
    """
    sums = {key: before.get(key, 0) for key in ("pair_squares", "pairs", "paired")}
    waiting, size = list(range(int(sums["paired"]), done)), measurement.shard_size
    full = (len(waiting) + 1) * size > block_size(measurement.reader, measurement.draws)
    if last or full:
        parts = [*work.blocks(waiting if block is None else waiting[:-1]), *([] if block is None else [block])]
        squares, pairs = pair_squares(np.concatenate(parts, axis=2), reference, measurement.reader.columns)
        sums = {"pair_squares": sums["pair_squares"] + squares, "pairs": sums["pairs"] + pairs, "paired": done}
    elif block is not None:
        work.keep_block(done - 1, block)
    return {key: np.asarray(value) for key, value in sums.items()}


def stored_moments(work: SetWork) -> Moments | None:
    """Moments of the finished shards of a set."""
    stored = work.moments()
    return None if stored is None else Moments.from_arrays(stored)


def count_shards(works: Sequence[SetWork]) -> dict[str, int]:
    """How many shards these sets have, and how many of them came from the cache."""
    return {
        "shards": sum(work.shards_done() for work in works),
        "reused": sum(int((work.moments() or {}).get("reused", 0)) for work in works),
    }
