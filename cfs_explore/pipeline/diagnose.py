"""After the map: the diagnostic stages, each skippable, each kept as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cfs_explore.errors import CFSError, RunCancelled, SpecError
from cfs_explore.pipeline.progress import Progress, ProgressEvent
from cfs_explore.pipeline.stages import COMPUTE, Study
from cfs_explore.stages import STAGES
from cfs_explore.store import Run, StageEntry, open_run, write_json, write_table
from cfs_explore.store.files import remove


def diagnose(
    run: Run | str | Path,
    stages: Sequence[str] | None = None,
    *,
    fresh: bool = False,
    device: str | None = None,
    report: Callable[[ProgressEvent], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Run:
    """Compute the diagnostic tables of a finished map (theory 4 to 7); resumes where an earlier attempt stopped.

    Args:
        run: a finished run or bundle, or its directory.
        stages: names out of ``stages.STAGES``; None means those that the run's spec asks for.
        fresh: compute stages again that are done.
        device: torch device of stages that need forwards.
        report: called with each ProgressEvent.
        cancelled: asked between batches; True ends with RunCancelled, resumable.

    Returns:
        The run with its tables. A stage that the data does not allow is noted in ``manifest.stages`` with the reason.

    Raises:
        SpecError: for an unknown stage. RunError: when ``run`` is not a finished run. RunCancelled: when asked to stop.
    """
    run = run if isinstance(run, Run) else open_run(run)
    return run_stages(Study(run, Progress(report, cancelled), device=device), stages, fresh=fresh)


def run_stages(study: Study, stages: Sequence[str] | None = None, *, fresh: bool = False) -> Run:
    """``diagnose`` for a study; drops the run's work in progress at the end."""
    names = study.spec.stages if stages is None else list(stages)
    unknown = sorted(set(names) - set(STAGES))
    if unknown:
        raise SpecError(f"There is no stage {', '.join(unknown)}. The stages are {', '.join(STAGES)}.")
    for name in STAGES:
        entry = study.run.manifest.stages.get(name)
        if name in names and (fresh or entry is None or entry.state == "skipped"):
            study.run = _run_stage(study, name, fresh)
    study.progress.finish()
    remove(study.run.path / "work")
    return study.run


def _run_stage(study: Study, name: str, fresh: bool) -> Run:
    """One stage: its tables, then its entry in the manifest."""
    run, stage = study.run, STAGES[name]
    forwards = stage.forwards(run.counts)
    if fresh:
        remove(run.path / "work" / "diagnose" / name)
    study.progress.start(stage.title.lower(), forwards, "forwards" if forwards else "")
    since = time.monotonic()
    try:
        tables, entry = COMPUTE[name](study), {"state": "done"}
    except RunCancelled:
        raise
    except CFSError as error:  # what the data does not allow; the other stages go on
        tables, entry = {}, {"state": "skipped", "why": str(error)}
    for table in stage.tables:
        if table in tables:
            write_table(run.path / "tables" / f"{table}.parquet", tables[table])
        else:
            remove(run.path / "tables" / f"{table}.parquet")
    entry = StageEntry(**entry, seconds=round(time.monotonic() - since, 2))
    manifest = run.manifest.model_copy(update={"stages": run.manifest.stages | {name: entry}})
    write_json(run.path / "manifest.json", manifest.model_dump(mode="json"))
    return open_run(run.path)


def pending(run: Run, stages: Sequence[str]) -> list[str]:
    """Those of ``stages`` that have not been tried on this run."""
    return [name for name in stages if name not in run.manifest.stages]
