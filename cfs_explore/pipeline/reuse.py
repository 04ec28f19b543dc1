"""Stored statistics of an earlier run instead of new forwards on its ID images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cfs_explore.contracts import Tap
from cfs_explore.images.prepare import COLUMNS
from cfs_explore.locations import absolute, absolute_source, locate_run
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.scoring import feature_columns
from cfs_explore.spec import IdSpec, RunSpec
from cfs_explore.store import Run, SetWork, write_table
from cfs_explore.store.files import remove

if TYPE_CHECKING:
    from cfs_explore.pipeline.plan import Plan


def base_run(spec: RunSpec) -> Run | None:
    """The run whose ID statistics the spec asks for."""
    return Run(locate_run(spec.id.run)) if spec.id.run else None


def with_images(spec: RunSpec, base: Run | None) -> RunSpec:
    """The spec with ID images in the place of another run's statistics."""
    return spec if base is None else spec.model_copy(update={"id": id_images(base)})


def unknown_taps(base: Run, plan: Plan) -> list[str]:
    """Why the tap choices of ``base`` do not hold for this plan; empty when they do."""
    if base.manifest.backbone.fingerprint != plan.backbone.fingerprint:
        return ["it used another backbone"]
    policy = plan.spec.taps
    if policy in ("sparse_ed", "sparse_ed_id") and policy not in base.manifest.presets:
        return [f"it did not measure the taps of {policy}"]
    return []


def obstacles(base: Run, plan: Plan) -> list[str]:
    """Why the stored statistics of ``base`` do not serve this plan, whose taps are chosen; empty when they do."""
    reasons = []
    stored = {level.native for level in base.levels}
    missing = [f"{level.requested:g}" for level in plan.levels if level.native not in stored]
    if missing:
        reasons.append(f"it has no statistics at lam = {', '.join(missing)}")
    absent = sorted({t.name for t in plan.taps} - {t.name for t in base.taps})
    if absent:
        reasons.append(f"it did not measure {', '.join(absent[:3])}")
    if base.draws < plan.spec.draws:
        reasons.append(f"it has {base.draws} draws, not {plan.spec.draws}")
    if base.manifest.spec.get("conditioning_offset", 0.0) != plan.spec.conditioning_offset:
        reasons.append("its backbone was conditioned on other levels")
    return reasons + _other_fittings(base, plan.spec)


def missing_snapshots(base: Run, plan: Plan) -> str:
    """Why ``base`` has no snapshots that the plan wants to keep; "" where it has them, of some roles at least."""
    held = base.manifest.kept
    if not held["taps"]:
        return f"{base.name} keeps no snapshots"
    same_level = base.levels[held["level"]].native == plan.levels[plan.kept_level].native
    return (
        "" if same_level and set(plan.kept) <= set(held["taps"]) else f"{base.name} kept the snapshots of other cells"
    )


def _other_fittings(base: Run, spec: RunSpec) -> list[str]:
    """That the ID images of ``base`` would be resized otherwise here; a set's own way of resizing holds in both."""
    before, id_sets = RunSpec(**base.manifest.spec), id_images(base)
    reasons = []
    for image_set in filter(None, (id_sets.train, id_sets.test)):
        was, now = before.fitting(image_set), spec.fitting(image_set)
        if was != now and _was_resized(base, image_set.centre_crop):
            was, now = (" and ".join(a[key] for key in was if was[key] != now[key]) for a in (was, now))
            reasons.append(f"its images were resized by {was}, not {now}")
    return reasons[:1]


def _was_resized(base: Run, side: int | None) -> bool:
    """Whether any ID image had another size than the backbone takes, once the middle ``side`` pixels were cut out."""
    _, height, width = base.manifest.backbone.image_shape
    if side is not None:
        return (side, side) != (height, width)
    sizes = [base.images(role, columns=("width", "height")) for role in ("id_train", "id_test")]
    return any(((s["width"] != width) | (s["height"] != height)).any() for s in sizes)


def id_images(base: Run) -> IdSpec:
    """Where the ID images of ``base`` came from, so that they can be measured again."""
    origin = _origin(base)
    content = origin.manifest.spec["id"]

    def here(image_set: dict | None) -> dict | None:
        return image_set and {**image_set, "source": absolute_source(image_set["source"], origin.path)}

    return IdSpec(**{k: here(v) if k in ("train", "test") else v for k, v in content.items()})


def id_seed(base: Run | None) -> int | None:
    """The seed by which the ID images of ``base`` were drawn and split; None without another run."""
    return None if base is None else _origin(base).manifest.spec["seed"]


def _origin(base: Run) -> Run:
    """The run that measured the ID images of ``base``."""
    while base.manifest.spec["id"].get("run"):
        base = Run(locate_run(absolute(base.manifest.spec["id"]["run"], base.path)))
    return base


def adopt(base: Run, planned: PlannedSet, plan: Plan) -> None:
    """Copy one ID set of ``base`` into a work folder, cut to the levels, taps and draws of the plan.

    Snapshots that ``base`` has none of (``plan.without``) are zeros, as in a run that was made smaller. A set that was
    copied from ``base`` as it is now stays; one that was measured, or copied from another state of it, is replaced.
    """
    work, entry = planned.work, base.entry(planned.role)
    if _is_adopted(base, work):
        return
    remove(work.folder)
    native = [level.native for level in base.levels]
    k = np.array([native.index(level.native) for level in plan.levels])
    names = [t.name for t in base.taps]
    t = np.array([names.index(tap.name) for tap in plan.taps])
    columns = feature_columns(base.taps)
    f = np.concatenate([np.arange(columns[tap.name].start, columns[tap.name].stop) for tap in plan.taps])
    moments = {"base": np.array(base.digest)} | base.moments(planned.role).at(k, f).to_arrays()
    if planned.role == "id_test":
        squares, pairs = base.pair_squares()
        moments |= {"pair_squares": squares[k][:, t], "pairs": np.int64(pairs)}
    arrays = {"rows": np.arange(entry.count)}
    arrays |= {
        f"kept.{tap.name}": _snapshots(base, tap, planned.role, plan) for tap in plan.taps if tap.name in plan.kept
    }
    if entry.score_start >= 0:
        arrays["scores"] = base.scores(planned.role)[:, : plan.spec.draws][:, :, k][..., t]
    write_table(work.rows_path, base.images(planned.role, columns=COLUMNS))
    work.note_prepared()
    work.finish_shard(0, arrays, moments)


def _is_adopted(base: Run, work: SetWork) -> bool:
    """Whether a work folder holds a whole copy out of ``base`` as it is now."""
    damaged = work.damaged_shards()  # first: it forgets damaged moments
    moments = work.moments()
    return moments is not None and str(moments.get("base", "")) == base.digest and not damaged and work.is_whole()


def _snapshots(base: Run, tap: Tap, role: str, plan: Plan) -> np.ndarray:
    """float16 (image, 2C)."""
    if role in plan.without:
        return np.zeros((base.entry(role).count, 2 * tap.channels), dtype=np.float16)
    return base.snapshots(tap.name, role).astype(np.float16)
