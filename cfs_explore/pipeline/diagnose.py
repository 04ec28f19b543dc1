"""After the map: the diagnostic stages, each skippable, each kept as soon as it is done."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from cfs_explore.errors import CFSError, DamageError, FolderError, RunCancelled, SpecError
from cfs_explore.pipeline.board import Lead
from cfs_explore.pipeline.conditions import is_outdated
from cfs_explore.pipeline.progress import Progress, ProgressEvent
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.threads import on_threads
from cfs_explore.spec import OWN_FIELDS, DetectorSettings, RunSpec
from cfs_explore.store import Run, StageEntry, open_run, write_json, write_table
from cfs_explore.store.digests import file_digests
from cfs_explore.store.files import remove
from cfs_explore.studies import DIAGNOSTICS, WORDS, Diagnostic, named_stages, with_forwards
from cfs_explore.studies.detectors import allowed_forwards


class _TablesStandError(CFSError):
    """A stage that is done cannot be computed again; nothing of it is lost."""


def diagnose(
    run: Run | str | Path,
    stages: str | Sequence[str] | None = None,
    *,
    fresh: bool = False,
    device: str | None = None,
    threads: int | None = None,
    report: Callable[[ProgressEvent], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Run:
    """Compute the diagnostic tables of a finished map (theory 4 to 7); resumes where an earlier attempt stopped.

    Args:
        run: a finished run or bundle, or its directory.
        stages: a word of ``studies.WORDS``, or names of ``studies.DIAGNOSTICS``; None means those of the run's spec.
        fresh: compute stages again that are done.
        device: torch device of stages that need forwards.
        threads: of this process meanwhile; None leaves them as they are. Numbers round by them.
        report: called with each ProgressEvent.
        cancelled: asked between batches; True ends with RunCancelled, resumable.

    Returns:
        The run with its tables. A stage that the data does not allow is noted in ``manifest.stages`` with the reason.

    Raises:
        SpecError: for an unknown stage. RunError: when ``run`` is not a finished run. RunCancelled: when asked to stop.
        CFSError: stages that were done cannot be computed again; the other ones are, and the old tables stay.
    """
    run = run if isinstance(run, Run) else open_run(run)
    with on_threads(threads), Lead(run.path) as lead:
        return run_stages(Study(run, Progress(report, cancelled), device=device), stages, fresh=fresh, lead=lead)


def run_stages(
    study: Study, stages: str | Sequence[str] | None = None, *, fresh: bool = False, lead: Lead | None = None
) -> Run:
    """``diagnose`` for a study; drops the run's work in progress at the end, but for what other stages had begun.

    Args:
        study: of a finished map.
        stages, fresh: as of ``diagnose``.
        lead: opens the pieces of the stages to other workers; None: to nobody.
    """
    if isinstance(stages, str):
        stages = named_stages(stages) if stages in WORDS else [stages]
    names = study.spec.stages if stages is None else list(stages)
    unknown = sorted(set(names) - set(DIAGNOSTICS))
    if unknown:
        raise SpecError(f"There is no stage {', '.join(unknown)}. The stages are {', '.join(DIAGNOSTICS)}.")
    kept = study.run.path / "work" / "diagnose"
    begun = [name for name in DIAGNOSTICS if (kept / name).is_dir()]
    wanted = [name for name in DIAGNOSTICS if name in names and (fresh or not _is_done(study, name))]
    for name in wanted if fresh else ():
        remove(kept / name)
    if lead is not None:
        _open(study, wanted, lead)
    failed: dict[str, CFSError] = {}
    for name in wanted:
        try:
            study.run = _run_stage(study, name)
        except _TablesStandError as error:  # the other stages go on
            failed[name] = error
    study.progress.finish()
    if lead is not None:
        lead.end()
    left = [kept / name for name in begun if name not in names and not _is_done(study, name)]
    _remove_all_but(study.run.path / "work", left + [kept / name for name in failed])
    if failed:
        raise CFSError(" ".join(f"{DIAGNOSTICS[name].title}: {error}" for name, error in failed.items()))
    return study.run


def _open(study: Study, stages: Sequence[str], lead: Lead) -> None:
    """Share the pieces of these stages with other workers, as far as they have any."""
    shared = with_forwards(study.counts, stages)
    if not shared:
        lead.end()
        return
    lead.begin()
    study.pieces.share(lead.leases, leads=True)
    lead.tell({"stages": shared, "fingerprint": study.run.manifest.backbone.fingerprint})


def _remove_all_but(folder: Path, kept: Sequence[Path]) -> None:
    """Delete a folder, but for these folders in it."""
    if folder in kept:
        return
    if not any(folder in each.parents for each in kept):
        remove(folder)
        return
    for each in folder.iterdir():
        _remove_all_but(each, kept)


def _is_done(study: Study, name: str) -> bool:
    """Whether a stage has its tables, made as the spec now says."""
    manifest = study.run.manifest
    entry = manifest.stages.get(name)
    if entry is None or entry.state == "skipped":
        return False
    if name == "conditioning":
        return not is_outdated(study.spec, manifest.spec)
    if name != "detectors":
        return True
    made = DetectorSettings(**manifest.spec.get("detectors", {}))
    return _spent(study, study.spec.detectors) == _spent(study, made)


def _own(spec: RunSpec, stage: str) -> dict[str, object]:
    """Fields of the spec that only this stage reads: they may change when the map is measured."""
    return spec.model_dump(mode="json", include=set(OWN_FIELDS.get(stage, ())))


def _spent(study: Study, settings: DetectorSettings) -> DetectorSettings:
    """The same with the budget in forwards: a default and a number may come to the same."""
    return settings.model_copy(update={"budget": allowed_forwards(study.run.counts._replace(budget=settings.budget))})


def compute_of(diagnostic: Diagnostic) -> Callable[[Study], dict[str, pd.DataFrame]]:
    """What computes its tables, loaded now."""
    module, function = diagnostic.compute.split(":")
    return getattr(importlib.import_module(module), function)


def _run_stage(study: Study, name: str) -> Run:
    """One stage: its tables, then its entry in the manifest."""
    run, stage = study.run, DIAGNOSTICS[name]
    forwards = stage.forwards(study.counts)
    study.pieces.begin()
    study.progress.start(stage.title.lower(), forwards, "forwards" if forwards else "")
    since = time.monotonic()
    try:
        tables, entry = compute_of(stage)(study), {"state": "done"}
    except (RunCancelled, DamageError, FolderError):
        raise
    except CFSError as error:  # what the data does not allow; the other stages go on
        if name in run.manifest.stages and run.manifest.stages[name].state == "done":
            raise _TablesStandError(f"{error} The tables that were made before are still there.") from error
        tables, entry = {}, {"state": "skipped", "why": str(error)}
    made = StageEntry(**entry, seconds=round(time.monotonic() - since, 2))
    _write_stage(run, name, tables, made, _own(study.spec, name))
    return open_run(run.path)


def _write_stage(
    run: Run, name: str, tables: Mapping[str, pd.DataFrame], entry: StageEntry, settings: Mapping[str, object]
) -> None:
    """Replace the tables of a stage, then say so; in between the manifest says that the stage is not done.

    Args:
        settings: of the spec that only this stage reads, as it read them.
    """
    files = {f"tables/{table}.parquet": tables.get(table) for table in DIAGNOSTICS[name].table_names}
    before = {
        "stages": {other: stage for other, stage in run.manifest.stages.items() if other != name},
        "files": {file: digest for file, digest in run.manifest.files.items() if file not in files},
    }
    manifest = run.manifest.model_copy(update=before)
    if manifest != run.manifest:
        write_json(run.path / "manifest.json", manifest.model_dump(mode="json"))
    for file, table in files.items():
        if table is None:
            remove(run.path / file)
        else:
            write_table(run.path / file, table)
    after = {
        "spec": {**manifest.spec, **settings},
        "stages": manifest.stages | {name: entry},
        "files": manifest.files | file_digests(run.path, files),
    }
    write_json(run.path / "manifest.json", manifest.model_copy(update=after).model_dump(mode="json"))


def pending(spec: RunSpec, run: Run, stages: Sequence[str]) -> list[str]:
    """Those of ``stages`` that have not been tried on this run, or with other labels or prompts than ``spec`` names."""
    again = ["conditioning"] if is_outdated(spec, run.manifest.spec) else []
    return [name for name in stages if name not in run.manifest.stages or name in again]
