"""Stage 3: arrays, tables and manifest out of the finished shards."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform

import pandas as pd

from cfs_explore.diagnostics import difference_warning, set_differences
from cfs_explore.locations import portable, portable_source
from cfs_explore.pipeline.duplicates import duplicate_warnings
from cfs_explore.pipeline.measure import Measurement, count_shards
from cfs_explore.pipeline.plan import Plan
from cfs_explore.pipeline.prepare import describe_conversions
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.tables import write_tables
from cfs_explore.store import Manifest, Run, SetEntry, assemble, open_run, write_json, write_table

_VERSIONED = ("cfs-explore", "torch", "diffusers", "numpy", "scikit-learn", "pillow")


def finish(plan: Plan, measurement: Measurement, progress: Progress) -> Run:
    """Assemble the run directory; the manifest comes last, its presence says that the map is finished."""
    progress.start("saving", 1, "arrays")
    entries = _entries(plan)
    works = [(entry, planned.work) for entry, planned in zip(entries, plan.sets, strict=True)]
    kept = {name: c.stop - c.start for name, c in measurement.kept.items()}
    assemble(plan.out, works, measurement.extractor.columns, kept)
    skipped = [s.work.skipped().assign(dataset=s.images.name, role=s.role) for s in plan.sets]
    write_table(plan.out / "tables" / "skipped.parquet", pd.concat(skipped, ignore_index=True))
    progress.advance(1, "")
    manifest = _manifest(plan, entries, measurement.extractor.precision)
    write_tables(plan.out, manifest, progress)
    progress.finish()
    timings = {stage: round(seconds, 2) for stage, seconds in progress.timings.items()}
    write_json(plan.out / "manifest.json", manifest.model_copy(update={"timings": timings}).model_dump(mode="json"))
    return open_run(plan.out)


def _entries(plan: Plan) -> list[SetEntry]:
    entries, start, score_start = [], 0, 0
    for planned in plan.sets:
        count, scored = planned.work.count(), planned.role != "id_train"
        entries.append(
            SetEntry(
                name=planned.images.name,
                role=planned.role,
                description=planned.images.description,
                count=count,
                start=start,
                score_start=score_start if scored else -1,
                skipped=len(planned.work.skipped()),
                thumbnails=planned.images.thumbnails,
                samples=int(planned.work.moments()["count"]),
            )
        )
        start += count
        score_start += count if scored else 0
    return entries


def _manifest(plan: Plan, entries: list[SetEntry], precision: str) -> Manifest:
    backbone, spec = plan.backbone, plan.spec
    content = _portable_spec(plan)
    measured = {t.name for t in plan.taps}
    conversions = [note for planned in plan.fresh for note in describe_conversions(planned, backbone.image_shape)]
    return Manifest(
        name=spec.name,
        description=spec.description,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        spec=content,
        versions={"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _VERSIONED},
        backbone={
            "name": backbone.name,
            "family": backbone.family,
            "path": content["backbone"]["path"],
            "schedule": spec.backbone.schedule,
            "notes": list(backbone.notes),
            "fingerprint": backbone.fingerprint,
            "parameters": backbone.parameters,
            "image_shape": backbone.image_shape,
            "input_shape": None if backbone.input_shape == backbone.image_shape else backbone.input_shape,
            "reach": backbone.reach,
        },
        precision=precision,
        device=backbone.device.type,
        draws=spec.draws,
        levels=[level.to_dict() for level in plan.levels],
        taps=[tap.to_dict() for tap in plan.taps],
        sets=entries,
        presets={policy: names for policy, names in plan.presets.items() if set(names) <= measured},
        kept={"level": plan.kept_level, "taps": plan.kept},
        warnings=plan.warnings + conversions + duplicate_warnings(plan.sets) + _differences(plan),
        timings={},
        measured=count_shards([planned.work for planned in plan.fresh]),
    )


def _differences(plan: Plan) -> list[str]:
    """OOD sets that were stored otherwise than the ID images, a sentence for each (theory 18)."""
    rows = [(s.role, s.images.name, s.work.rows(["format", "mode", "width", "height"])) for s in plan.sets]
    id_rows = pd.concat([part for role, _, part in rows if role != "ood"], ignore_index=True)
    found = [difference_warning(name, set_differences(id_rows, part)) for role, name, part in rows if role == "ood"]
    return list(filter(None, found))


def _portable_spec(plan: Plan) -> dict:
    """The spec with every path inside the run directory made relative to it."""
    content = plan.spec.model_dump(mode="json")
    for key in ("path", "vae"):
        if content["backbone"][key] is not None:
            content["backbone"][key] = portable(content["backbone"][key], plan.out)
    image_sets = [content["id"]["train"], content["id"]["test"], *content["ood"]]
    for image_set in filter(None, image_sets):
        image_set["source"] = portable_source(image_set["source"], plan.out)
    return content
