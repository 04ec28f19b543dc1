"""The shards of a set: which rows each holds, what is stored of it, and which of them still count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cfs_explore.pipeline.measure import Measurement, block_size
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.scoring import Moments, pair_squares, slot_scores
from cfs_explore.store import SetWork


def measuring_order(count: int, seed: int) -> np.ndarray:
    """The rows of a set as they are measured: shuffled, so that those measured so far stand for the whole set."""
    return np.random.default_rng(seed).permutation(count)


def measure_shards(planned: PlannedSet, measurement: Measurement, reference: Moments | None) -> Iterator[int]:
    """Measure the shards of a set that are not done yet; yields the number of each when it is done.

    Args:
        planned: a prepared set.
        measurement: what to measure.
        reference: moments of ID-train to score against; None for ID-train itself.
    """
    work, size = planned.work, measurement.shard_size
    ids = work.rows(["image_id"])["image_id"].to_numpy()
    inputs, order = work.inputs(), measuring_order(len(ids), measurement.seed)

    def snapshots(index: int) -> tuple[np.ndarray, np.ndarray, bool]:
        """Rows of a shard, float32 (level, draw, image, feature), and whether the cache had them."""
        rows = np.sort(order[index * size : (index + 1) * size])
        return rows, *measurement.block(ids[rows].tolist(), inputs[rows])

    done = shards_to_keep(work, measurement, reference)
    _mend(planned, done, measurement, reference, snapshots)
    moments = stored_moments(work)
    for index in range(len(done), -(-len(ids) // size)):
        rows, block, reused = snapshots(index)
        arrays = _shard_arrays(rows, block, measurement, reference)
        of_shard = Moments.of(block)
        moments = of_shard if moments is None else moments.merge(of_shard)
        before = work.moments() or {}
        sums = moments.to_arrays() | {"size": np.int64(size), "reused": np.int64(before.get("reused", 0) + reused)}
        sums["reference"] = np.array(_digest_of(reference))
        if planned.role == "id_test":
            last = (index + 1) * size >= len(ids)
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


def _shard_arrays(
    rows: np.ndarray, block: np.ndarray, measurement: Measurement, reference: Moments | None
) -> dict[str, np.ndarray]:
    """What is stored of a shard's snapshots (level, draw, image, feature)."""
    arrays = {"rows": rows} | {
        f"kept.{tap}": block[measurement.kept_level, 0, :, columns].astype(np.float16)
        for tap, columns in measurement.kept.items()
    }
    if reference is not None:
        arrays["scores"] = slot_scores(block, reference, measurement.reader.columns)
    return arrays


def _mend(
    planned: PlannedSet,
    done: Sequence[bool],
    measurement: Measurement,
    reference: Moments | None,
    snapshots: Callable[[int], tuple[np.ndarray, np.ndarray, bool]],
) -> None:
    """Measure damaged shards again, and snapshots that wait for pairs: the moments have them already."""
    work = planned.work
    for index in (index for index, whole in enumerate(done) if not whole):
        rows, block, _ = snapshots(index)
        work.mend_shard(index, _shard_arrays(rows, block, measurement, reference))
    if planned.role == "id_test" and done:
        for index in range(int(work.moments().get("paired", 0)), len(done)):
            if not work.has_block(index):
                work.keep_block(index, snapshots(index)[1])


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
