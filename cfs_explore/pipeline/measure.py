"""Stage 2: the forwards. Shard by shard, images become moments, slot scores and kept snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cfs_explore.corruption import keyed_noise
from cfs_explore.extraction import Extractor
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.scoring import Moments, pair_squares, slot_scores
from cfs_explore.store import SetWork

#: Bytes of snapshots in memory at a time, about.
SHARD_BYTES = 48_000_000


@dataclass(frozen=True)
class Measurement:
    """What is measured on every set of a run.

    Attributes:
        extractor: backbone, levels and taps.
        draws, seed: of the keyed noise.
        shard_size: images per atomic step.
        kept_level: index of the level whose snapshots are stored.
        kept: tap -> slice of the feature axis.
    """

    extractor: Extractor
    draws: int
    seed: int
    shard_size: int
    kept_level: int
    kept: Mapping[str, slice]

    def forwards(self, images: int) -> int:
        return images * self.draws * len(self.extractor.levels)


def shard_size(extractor: Extractor, draws: int) -> int:
    """Images whose snapshots take about ``SHARD_BYTES``."""
    per_image = len(extractor.levels) * draws * extractor.width * 4
    return int(np.clip(SHARD_BYTES // per_image, 1, 512))


def measure_set(planned: PlannedSet, measurement: Measurement, reference: Moments | None) -> None:
    """Measure the shards of a set that are not done yet.

    Args:
        planned: a prepared set.
        measurement: what to measure.
        reference: moments of ID-train to score against; None for ID-train itself.
    """
    work, size = planned.work, measurement.shard_size
    ids = work.rows(["image_id"])["image_id"].tolist()
    inputs = work.inputs()
    moments = stored_moments(work)
    for index in range(work.shards_done(), -(-len(ids) // size)):
        part = slice(index * size, (index + 1) * size)
        x0 = inputs[part].astype(np.float32) / 127.5 - 1.0
        noise = keyed_noise(ids[part], measurement.draws, measurement.extractor.backbone.input_shape, measurement.seed)
        block = measurement.extractor(x0, noise)  # (level, draw, image, feature)
        arrays = {
            f"kept.{tap}": block[measurement.kept_level, 0, :, columns].astype(np.float16)
            for tap, columns in measurement.kept.items()
        }
        if reference is None:
            arrays["images"] = np.int64(len(x0))
        else:
            arrays["scores"] = slot_scores(block, reference, measurement.extractor.columns)
        of_shard = Moments.of(block)
        moments = of_shard if moments is None else moments.merge(of_shard)
        sums = moments.to_arrays()
        if planned.role == "id_test":
            squares, pairs = pair_squares(block, reference, measurement.extractor.columns)
            stored = work.moments() or {"pair_squares": 0.0, "pairs": 0}
            sums |= {"pair_squares": stored["pair_squares"] + squares, "pairs": np.int64(stored["pairs"] + pairs)}
        work.finish_shard(index, arrays, sums)


def stored_moments(work: SetWork) -> Moments | None:
    """Moments of the finished shards of a set."""
    stored = work.moments()
    return None if stored is None else Moments.from_arrays(stored)
