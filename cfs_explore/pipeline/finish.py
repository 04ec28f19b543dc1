"""Stage 3: arrays, tables and manifest out of the finished shards."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Sequence

import pandas as pd

from cfs_explore.contracts import ROLES
from cfs_explore.diagnostics import DIFFERENCE_COLUMNS, difference_warning, set_differences
from cfs_explore.locations import portable, portable_source
from cfs_explore.pipeline.duplicates import duplicate_warnings
from cfs_explore.pipeline.grouping import group_count, group_notes
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.plan import Plan
from cfs_explore.pipeline.prepare import PlannedSet, describe_conversions
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.shards import count_shards
from cfs_explore.pipeline.tables import write_tables
from cfs_explore.pipeline.trial import chosen
from cfs_explore.store import (
    Manifest,
    Part,
    Run,
    SetEntry,
    assemble,
    left_out_warning,
    open_run,
    write_json,
    write_table,
)
from cfs_explore.store.digests import file_digests
from cfs_explore.store.growing import forget_growing_maps
from cfs_explore.store.seal import opened_times

_VERSIONED = ("cfs-explore", "torch", "diffusers", "numpy", "scikit-learn", "pillow")


def finish(plan: Plan, measurement: Measurement, progress: Progress) -> Run:
    """Assemble the run directory of what is measured; the manifest comes last: it says that the map is finished."""
    progress.start("saving", 1, "arrays")
    parts = measured_parts(plan)
    kept = {name: c.stop - c.start for name, c in measurement.kept.items()}
    assemble(plan.out, parts, measurement.reader.columns, kept)
    skipped = [s.work.skipped().assign(dataset=s.images.name, role=s.role) for s in plan.sets]
    write_table(plan.out / "tables" / "skipped.parquet", pd.concat(skipped, ignore_index=True))
    progress.advance(1, "")
    entries = [part.entry for part in parts]
    warnings = plan.warnings + _unmeasured(plan) + _conversions(plan) + duplicate_warnings(plan.sets)
    warnings += _differences(plan) + _groups(plan)
    manifest = make_manifest(plan, entries, measurement.reader.precision, warnings)
    write_tables(plan.out, manifest, progress)
    progress.finish()
    timings = {stage: round(seconds, 2) for stage, seconds in progress.timings.items()}
    fields = {"timings": timings, "seconds_per_forward": progress.seconds_per_unit.get("measuring")}
    fields |= {"files": file_digests(plan.out), "workers": chosen(plan.out)}
    write_json(plan.out / "manifest.json", manifest.model_copy(update=fields).model_dump(mode="json"))
    forget_growing_maps(plan.out)
    return open_run(plan.out)


def measured_parts(plan: Plan, most: int | None = None, roles: Sequence[str] = ROLES) -> list[Part]:
    """Every set of these roles with its finished shards, or the first of them that hold at least ``most`` images."""
    parts, start, score_start = [], 0, 0
    opened = opened_times(plan.out)
    for planned in (each for each in plan.sets if each.role in roles):
        shards, count = _measured(planned, most)
        scored = planned.role != "id_train"
        entry = SetEntry(
            name=planned.images.name,
            role=planned.role,
            description=planned.images.description,
            count=count,
            start=start,
            score_start=score_start if scored else -1,
            skipped=len(planned.work.skipped()),
            thumbnails=planned.images.thumbnails,
            samples=_samples(planned, shards) or count * plan.spec.draws,
            groups=group_count(planned.work.rows(["group"]).iloc[planned.work.measured(shards)]),
            opened=opened.get(planned.images.name) if planned.role == "ood" else None,
        )
        parts.append(Part(entry, planned.work, shards))
        start += count
        score_start += count if scored else 0
    return parts


def _measured(planned: PlannedSet, most: int | None) -> tuple[int, int]:
    """Shards that count, and the images in them."""
    shards = count = 0
    for shard in planned.work.shards("rows"):
        if most is not None and count >= most:
            break
        shards, count = shards + 1, count + len(shard["rows"])
    return shards, count


def _samples(planned: PlannedSet, shards: int) -> int | None:
    """Samples behind a set's moments: a reused set may have more draws than the run; None where shards are left out."""
    moments = planned.work.moments()
    return int(moments["count"]) if moments is not None and int(moments["shards"]) == shards else None


def make_manifest(plan: Plan, entries: list[SetEntry], precision: str, warnings: list[str]) -> Manifest:
    """The description of a run with these sets."""
    backbone, spec = plan.backbone, plan.spec
    content = _portable_spec(plan)
    measured = {t.name for t in plan.taps}
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
        kept={"level": plan.kept_level, "taps": plan.kept} | ({"without": plan.without} if plan.without else {}),
        warnings=warnings,
        timings={},
        measured=count_shards([planned.work for planned in plan.fresh]),
    )


def _conversions(plan: Plan) -> list[str]:
    """What was done to the images."""
    shape = plan.backbone.image_shape
    return [note for planned in plan.fresh for note in describe_conversions(planned, shape, plan.spec)]


def _unmeasured(plan: Plan) -> list[str]:
    """Sets of which only a part was measured, since the run was stopped early."""
    counts = [(s.images.name, len(s.work.measured()), s.work.count()) for s in plan.fresh]
    return [left_out_warning(name, count, total) for name, count, total in counts if count < total]


def _differences(plan: Plan) -> list[str]:
    """OOD sets that were stored otherwise than the ID images, a sentence for each (theory 18)."""
    rows = [(s.role, s.images.name, s.measured_rows(DIFFERENCE_COLUMNS)) for s in plan.sets]
    id_rows = pd.concat([part for role, _, part in rows if role != "ood"], ignore_index=True)
    found = [difference_warning(name, set_differences(id_rows, part)) for role, name, part in rows if role == "ood"]
    return list(filter(None, found))


def _groups(plan: Plan) -> list[str]:
    """Images that belong together (theory 28)."""
    rows = [(s.images.name, s.measured_rows(["image_id", "group"])) for s in plan.sets if s.role != "id_train"]
    return group_notes(rows[0], rows[1:])


def _portable_spec(plan: Plan) -> dict:
    """The spec with every path inside the run directory made relative to it."""
    content = plan.spec.model_dump(mode="json")
    for key in ("path", "vae", "milestones"):
        if content["backbone"][key] is not None:
            content["backbone"][key] = portable(content["backbone"][key], plan.out)
    image_sets = [content["id"]["train"], content["id"]["test"], *content["ood"]]
    for image_set in filter(None, image_sets):
        image_set["source"] = portable_source(image_set["source"], plan.out)
        if image_set["masks"] is not None:
            image_set["masks"] = portable(image_set["masks"], plan.out)
    return content
