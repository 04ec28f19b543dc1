"""The whole run: a spec in, map and diagnostics out; killed at any point, it resumes to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cfs_explore.backbones import load_backbone
from cfs_explore.errors import RunError
from cfs_explore.extraction import Extractor
from cfs_explore.pipeline.diagnose import pending, run_stages
from cfs_explore.pipeline.finish import finish
from cfs_explore.pipeline.match import as_conditioned, told_levels
from cfs_explore.pipeline.measure import Measurement, measure_set, open_cache, shard_size, stored_moments
from cfs_explore.pipeline.plan import Plan, make_plan
from cfs_explore.pipeline.precision import choose_precision
from cfs_explore.pipeline.progress import Progress, ProgressEvent
from cfs_explore.pipeline.stages import Study
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run, open_run, write_aside


def explore(
    spec: RunSpec | dict | str | Path,
    out: str | Path,
    *,
    device: str | None = None,
    fresh: bool = False,
    report: Callable[[ProgressEvent], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Run:
    """Measure a layer x noise map and its diagnostics into a run directory; resumes when ``out`` holds part of it.

    Args:
        spec: a RunSpec, its dict, or the path of its YAML.
        out: the run directory.
        device: torch device; CUDA where there is one, else the CPU.
        fresh: take no snapshots from the cache of what other runs measured.
        report: called with each ProgressEvent.
        cancelled: asked between batches; True ends the run with RunCancelled, resumable.

    Returns:
        The finished run.

    Raises:
        CFSError: a subclass that says what was wrong and what to do; what was finished is kept.
    """
    spec, out = RunSpec.parse(spec), Path(out)
    claim(spec, out)
    progress = Progress(report, cancelled)
    if (out / "manifest.json").is_file():
        run = open_run(out)
        return run_stages(Study(run, progress, device=device), pending(run, spec.stages))
    progress.start("loading", 1, "backbone")
    backbone = as_conditioned(spec, load_backbone(spec.backbone.path, device=device, **spec.backbone.options()))
    progress.advance(1, backbone.name)
    plan = make_plan(spec, out, backbone, progress)
    measurement = _measure(plan, progress, fresh)
    run = finish(plan, measurement, progress)
    return run_stages(Study(run, progress, backbone=backbone))


def claim(spec: RunSpec, out: Path) -> None:
    """Mark the directory as this spec's.

    Raises:
        RunError: when it holds images or results of another.
    """
    path = out / "spec.yaml"
    begun = any((out / "work").glob("*/rows.parquet")) or (out / "manifest.json").exists()
    if path.is_file() and RunSpec.parse(path) == spec:
        return
    if begun:
        found = "with another spec" if path.is_file() else "without its spec.yaml"
        raise RunError(f"{out} holds a run {found}. Give another folder, or delete that one.")
    with write_aside(path) as partial:
        partial.write_text(spec.to_yaml(), encoding="utf-8")


def _measure(plan: Plan, progress: Progress, fresh: bool) -> Measurement:
    """Run the forwards that are not done yet, ID-train first: the other sets are scored against it."""
    spec, name = plan.spec, ""

    def after_batch(count: int) -> None:
        progress.advance(count, name)

    def after_reuse(count: int) -> None:
        progress.advance(count, f"{name} (measured before)", reused=True)

    extractor = Extractor(
        plan.backbone,
        plan.levels,
        plan.taps,
        batch_size=spec.batch_size,
        precision=choose_precision(plan),
        after_batch=after_batch,
        conditioning=told_levels(spec, plan.backbone, plan.levels),
    )
    kept = {tap: extractor.columns[tap] for tap in plan.kept}
    size = spec.shard_size or shard_size(extractor, spec.draws)
    reuse = {"cache": open_cache(), "fresh": fresh, "after_reuse": after_reuse}
    measurement = Measurement(extractor, spec.draws, spec.seed, size, plan.kept_level, kept, **reuse)
    counts = [(s.work.count(), s.work.shards_done() * size) for s in plan.fresh]
    total = sum(measurement.forwards(n) for n, _ in counts)
    done = sum(measurement.forwards(min(n, finished)) for n, finished in counts)
    progress.start("measuring", total, "forwards", done=done)
    for planned in plan.fresh:
        name = planned.images.name
        reference = None if planned.role == "id_train" else stored_moments(plan.id_train.work)
        measure_set(planned, measurement, reference)
    return measurement
