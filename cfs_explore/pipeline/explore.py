"""The whole run: a spec in, map and diagnostics out; killed at any point, it resumes to the same numbers."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from cfs_explore.backbones import load_backbone
from cfs_explore.errors import DamageError, RunError
from cfs_explore.pipeline.board import Lead
from cfs_explore.pipeline.conditions import write_conditions
from cfs_explore.pipeline.crew import Leader
from cfs_explore.pipeline.diagnose import pending, run_stages
from cfs_explore.pipeline.finish import finish
from cfs_explore.pipeline.growth import Growth
from cfs_explore.pipeline.match import as_conditioned
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.plan import Plan, make_plan
from cfs_explore.pipeline.planned import planned_measurement
from cfs_explore.pipeline.precision import choose_precision
from cfs_explore.pipeline.predict import seal_first
from cfs_explore.pipeline.progress import Progress, ProgressEvent
from cfs_explore.pipeline.set_groups import write_set_groups
from cfs_explore.pipeline.shards import SetShards, close_pairs, measure_shards, stored_moments
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.threads import on_threads
from cfs_explore.pipeline.trial import Team, note, settle
from cfs_explore.spec import OWN_FIELDS, RunSpec
from cfs_explore.store import Run, SetWork, WorkersEntry, open_run, write_aside
from cfs_explore.studies import with_forwards

#: So often is a run gone through when its files are damaged while it runs.
_ATTEMPTS = 3


def explore(
    spec: RunSpec | dict | str | Path,
    out: str | Path,
    *,
    device: str | None = None,
    threads: int | None = None,
    workers: int | None = None,
    team: Team | None = None,
    fresh: bool = False,
    report: Callable[[ProgressEvent], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    enough: Callable[[], bool] | None = None,
    on_map: Callable[[Run], None] | None = None,
) -> Run:
    """Measure a layer x noise map and its diagnostics into a run directory; resumes when ``out`` holds part of it.

    Where the spec asks for a seal, it is written before any OOD image is opened (theory 25); a run on another one's
    statistics takes that one's. ID-train is measured first, then ID-test and the OOD sets in turns, each in random
    order: so the map is there early, of a fair sample of every set, and grows.

    Args:
        spec: a RunSpec, its dict, or the path of its YAML.
        out: the run directory.
        device: torch device; CUDA where there is one, else the CPU.
        threads: of this process; None leaves them as they are. Numbers round by them.
        workers: how many processes there are, for the manifest; None: nobody counted them.
        team: helpers that may be started; how many, and the threads of each worker, is then chosen by a trial.
        fresh: take no snapshots from the cache of what other runs measured.
        report: called with each ProgressEvent.
        cancelled: asked between batches; True ends the run with RunCancelled, resumable.
        enough: asked between shards; True ends the measuring as soon as every set has some images, and makes a smaller
            exploration of them, which says how many; its diagnostics that need forwards are left for later.
        on_map: called every few seconds with the map so far, a Run whose ``auroc_map`` works; it is gone when the next
            one comes.

    Returns:
        The finished run.

    Raises:
        CFSError: a subclass that says what was wrong and what to do; what was finished is kept.
    """
    spec, out = RunSpec.parse(spec), Path(out)
    claim(spec, out)
    progress, enough = Progress(report, cancelled), enough or (lambda: False)
    with contextlib.ExitStack() as stack, Lead(out) as lead:
        stack.enter_context(on_threads(threads))
        if (out / "manifest.json").is_file():
            run = open_run(out)
            study = Study(run, progress, device=device)
            stages, before = pending(study.spec, run, _wanted(spec, run, enough)), run.manifest.workers
            several = before is not None and before.count > 1 and with_forwards(study.counts, stages)
            if team is not None and several and team.has_cores(before.count, before.threads):
                team.hire(before.count, before.threads)
                stack.enter_context(on_threads(before.threads))
            return run_stages(study, stages, lead=lead)
        progress.start("loading", 1, "backbone")
        backbone = as_conditioned(spec, load_backbone(spec.backbone.path, device=device, **spec.backbone.options()))
        progress.advance(1, backbone.name)

        def settled(measurement: Measurement, forwards: int, until: contextlib.ExitStack = stack) -> None:
            """Measure with the workers that suit, until the stack ends."""
            if team is not None and not enough():
                progress.start("loading", 1, "workers")
                ask = functools.partial(progress.advance, 0, "trying how many processes are fastest")
                found = settle(out, lead, measurement, forwards, team, ask, whole=until is stack)
                until.enter_context(on_threads(found.threads if found.count > 1 else None))
            elif workers is not None:
                note(out, WorkersEntry(count=workers, threads=threads or torch.get_num_threads()))

        def of_train(shards: SetShards) -> None:
            """ID-train for a seal, by all workers; the proxies that follow are computed here, with all threads."""
            with contextlib.ExitStack() as meanwhile:
                _measure_train(shards, lead, progress, functools.partial(settled, until=meanwhile))

        for attempt in range(_ATTEMPTS):
            try:
                seal_first(spec, out, backbone, progress, fresh=fresh, measure=of_train)
                plan = make_plan(spec, out, backbone, progress)
                run = finish(plan, _measure(plan, lead, progress, fresh, enough, on_map, settled), progress)
                break
            except DamageError:  # of a file that was whole a moment ago: what it held is made again
                if attempt + 1 == _ATTEMPTS:
                    raise
        return run_stages(Study(run, progress, backbone=backbone), _wanted(spec, run, enough), lead=lead)


def _wanted(spec: RunSpec, run: Run, enough: Callable[[], bool]) -> list[str]:
    """The stages that follow the map; without forwards where it was stopped early."""
    left = with_forwards(run.counts, spec.stages) if enough() else ()
    return [name for name in spec.stages if name not in left]


def claim(spec: RunSpec, out: Path) -> None:
    """Mark the directory as this spec's; other groups of its OOD sets, and labels, are written into what it holds.

    Raises:
        RunError: when it holds images or results of another.
    """
    path = out / "spec.yaml"
    begun = any((out / "work").glob("*/rows.parquet")) or (out / "manifest.json").exists()
    if path.is_file():
        before = RunSpec.parse(path)
        # How many images the detectors read, and what the network is conditioned on besides, is the stages' own.
        own = {field: getattr(before, field) for fields in OWN_FIELDS.values() for field in fields}
        if before.regrouped({}) == spec.regrouped({}).model_copy(update=own):
            if before.ood != spec.ood:
                write_set_groups(out, {each.name: each.set_group for each in spec.ood if each.set_group})
            if spec.conditions and spec.conditions != before.conditions:
                write_conditions(out, spec)
            return
    if begun:
        found = "with another spec" if path.is_file() else "without its spec.yaml"
        raise RunError(f"{out} holds a run {found}. Give another folder, or delete that one.")
    with write_aside(path) as partial:
        partial.write_text(spec.to_yaml(), encoding="utf-8")


def _measure(
    plan: Plan,
    lead: Lead,
    progress: Progress,
    fresh: bool,
    enough: Callable[[], bool],
    on_map: Callable[[Run], None] | None,
    settled: Callable[[Measurement, int], None],
) -> Measurement:
    """Run the forwards that are not done yet, ID-train first: the other sets are scored against it."""
    measurement = planned_measurement(plan, choose_precision(plan), progress, fresh=fresh)
    total, done = _forwards([planned.work for planned in plan.fresh], measurement)
    settled(measurement, total - done)
    progress.start("measuring", total, "forwards", done=done)
    leader = Leader(lead, measurement, progress)
    if plan.id_train in plan.fresh:
        for _ in _in_turns([SetShards(plan.id_train, measurement, None)], leader, progress):
            pass
    growth, reference = Growth(plan, measurement, on_map), stored_moments(plan.id_train.work)
    scored = [SetShards(each, measurement, reference) for each in plan.fresh if each.role != "id_train"]
    growth.look(progress.eta)
    for turn, _ in enumerate(_in_turns(scored, leader, progress), start=1):
        growth.look(progress.eta, now=turn == len(scored))  # every set is on the map as soon as it can be
        # Not before each set had a turn, in which shards that do not count any more are made again.
        if turn >= len(scored) and enough() and all(each.work.shards_done() for each in scored):
            break
    close_pairs(plan.sets[1].work, measurement, reference)
    lead.begin()
    lead.tell({})
    return measurement


def _measure_train(
    shards: SetShards, lead: Lead, progress: Progress, settled: Callable[[Measurement, int], None]
) -> None:
    """Run the forwards of ID-train that are not done yet, before anything is known of the other sets."""
    total, done = _forwards([shards.work], shards.measurement)
    settled(shards.measurement, total - done)
    progress.start("measuring", total, "forwards", done=done)
    for _ in _in_turns([shards], Leader(lead, shards.measurement, progress), progress):
        pass
    lead.begin()
    lead.tell({})


def _forwards(works: Sequence[SetWork], measurement: Measurement) -> tuple[int, int]:
    """Forwards of these sets, and those of their shards that are whole."""
    total, done, size = 0, 0, measurement.shard_size
    for work in works:
        damaged, count = set(work.damaged_shards()), work.count()
        whole = set(range(work.shards_done())) - damaged
        total += measurement.forwards(count)
        done += measurement.forwards(sum(max(0, min(size, count - index * size)) for index in whole))
    return total, done


def _in_turns(sets: Sequence[SetShards], leader: Leader, progress: Progress) -> Iterator[None]:
    """Measure a shard of each set in turn, with whoever helps; yields after each."""
    leader.open(sets)
    left = [(each, measure_shards(each, functools.partial(leader.result, each))) for each in sets]
    with contextlib.ExitStack() as stack:
        for each in sets:
            stack.callback(each.close)
        while left:
            for turn in list(left):
                each, shards = turn
                progress.doing = each.planned.images.name
                if next(shards, None) is None:
                    left.remove(turn)
                else:
                    yield
