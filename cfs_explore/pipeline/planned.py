"""What is measured on every set of a planned run: the reader, its blocks and shards."""

from __future__ import annotations

from cfs_explore.pipeline.match import conditioning_levels
from cfs_explore.pipeline.measure import Measurement, open_cache, shard_size
from cfs_explore.pipeline.plan import Plan
from cfs_explore.pipeline.progress import Progress
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots


def planned_measurement(plan: Plan, precision: str, progress: Progress, *, fresh: bool) -> Measurement:
    """The measurement of a plan whose taps and levels are chosen.

    Args:
        plan: of the run.
        precision: of the forwards.
        progress: advanced by every forward.
        fresh: take no snapshots from the cache.
    """
    spec = plan.spec

    def after_batch(count: int) -> None:
        progress.advance(count, progress.doing)

    def after_reuse(count: int) -> None:
        progress.advance(count, f"{progress.doing} (measured before)", reused=True)

    reader = Reader(
        plan.backbone,
        TapSnapshots(plan.levels, plan.taps),
        batch_size=spec.batch_size,
        precision=precision,
        after_batch=after_batch,
        conditioning=conditioning_levels(spec, plan.backbone, plan.levels),
    )
    kept = {tap: reader.columns[tap] for tap in plan.kept}
    size = spec.shard_size or shard_size(reader, spec.draws)
    reuse = {"cache": open_cache(), "fresh": fresh, "after_reuse": after_reuse}
    return Measurement(reader, spec.draws, spec.seed, size, plan.kept_level, kept, **reuse)
