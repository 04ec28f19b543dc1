"""Everything that is decided before the forwards: levels, sets, taps, and whether stored statistics serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import ROLES, Level, Tap
from cfs_explore.errors import TapError
from cfs_explore.pipeline import match, reuse
from cfs_explore.pipeline.conditions import conditioned
from cfs_explore.pipeline.prepare import PlannedSet, plan_sets, prepare_sets
from cfs_explore.pipeline.presets import find_presets
from cfs_explore.pipeline.progress import Progress
from cfs_explore.readings.snapshots import select_taps
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run
from cfs_explore.store.milestones import read_milestones
from cfs_explore.store.seal import note_opened
from cfs_explore.taps.policies import POLICIES


@dataclass
class Plan:
    """A run about to be measured.

    Attributes:
        spec: as asked for.
        out: the run directory.
        backbone: loaded.
        levels: matched, from clean to noisy, each native level once.
        taps: to measure, in execution order.
        presets: policy -> [encoder tap, decoder tap].
        kept: taps whose snapshots at level ``kept_level`` are stored.
        without: roles that they are not stored of, because the earlier run has none of them.
        sets: in row order.
        adopted: those of ``sets`` whose statistics come from an earlier run.
        warnings: for the reader of the map.
    """

    spec: RunSpec
    out: Path
    backbone: Backbone
    levels: list[Level] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)
    presets: dict[str, list[str]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    kept_level: int = 0
    without: list[str] = field(default_factory=list)
    sets: list[PlannedSet] = field(default_factory=list)
    adopted: list[PlannedSet] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def id_train(self) -> PlannedSet:
        return self.sets[0]

    @property
    def fresh(self) -> list[PlannedSet]:
        """The sets that need forwards."""
        return [s for s in self.sets if s not in self.adopted]


def make_plan(
    spec: RunSpec, out: Path, backbone: Backbone, progress: Progress, *, roles: Sequence[str] = ROLES
) -> Plan:
    """Prepare the images and decide what to measure.

    Args:
        spec, out, backbone, progress: of the run.
        roles: of the sets whose images may be opened; a plan without the others has them unprepared.

    Raises:
        CFSError: for images, taps, levels, labels, prompts or milestones that cannot be used.
    """
    _check_tap_names(spec, backbone)
    conditioned(spec, backbone)  # a label that there is not is refused before any image is read, and so is this folder
    if spec.backbone.milestones is not None:
        read_milestones(spec.backbone.path, spec.backbone.milestones)
    plan = Plan(spec, out, backbone)
    base = reuse.base_run(spec)
    resolved = reuse.with_images(spec, base)
    if match.is_relative(spec):
        if base is not None:
            plan.warnings.append(
                f"Levels by {spec.alignment} rest on the images, so those of {base.name} are measured again."
            )
        plan.sets = plan_sets(resolved, out)
        _prepare(plan, resolved, base, progress, roles)
        _set_levels(plan, *match.match_relative_levels(spec, backbone, plan.id_train, out / "work"))
    else:
        _set_levels(plan, *match.match_levels(spec, backbone))
        if base is not None and _adopt(plan, base):
            resolved = spec
        else:
            plan.sets = plan_sets(resolved, out)
        _prepare(plan, resolved, base, progress, roles)
    if not plan.taps:
        relative = match.is_relative(spec)
        probed = plan.levels[plan.kept_level] if relative else backbone.match(spec.keep_level, spec.alignment)
        plan.presets = find_presets(backbone, probed, plan.id_train, spec.seed)
        _resolve_taps(plan)
    return plan


def _prepare(plan: Plan, resolved: RunSpec, base: Run | None, progress: Progress, roles: Sequence[str]) -> None:
    """Prepare the images of these roles; when OOD images are first opened is written down before (theory 25)."""
    sets = [planned for planned in plan.fresh if planned.role in roles]
    note_opened(plan.out, {planned.images.name: planned.work.folder for planned in sets if planned.role == "ood"})
    prepare_sets(resolved, sets, plan.backbone, progress, id_seed=reuse.id_seed(base))


def _set_levels(plan: Plan, levels: list[Level], warnings: list[str]) -> None:
    plan.levels = levels
    plan.kept_level = int(np.argmin([abs(level.requested - plan.spec.keep_level) for level in levels]))
    plan.warnings += warnings


def _check_tap_names(spec: RunSpec, backbone: Backbone) -> None:
    """A misspelt tap is refused before any image is read."""
    measured = backbone.taps()
    if isinstance(spec.taps, list):
        measured = select_taps(measured, spec.taps)
    if isinstance(spec.keep, list):
        select_taps(measured, spec.keep)


def _resolve_taps(plan: Plan) -> None:
    """Turn the spec's choices into tap names; kept taps are always among the measured ones."""
    spec, every = plan.spec, plan.backbone.taps()
    plan.taps = list(every) if spec.taps == "all" else select_taps(every, _named(spec.taps, plan.presets))
    measured = [t.name for t in plan.taps]
    if spec.keep == "none":
        plan.kept = []
    elif isinstance(spec.keep, list):
        kept = {name: select_taps(plan.taps, [name])[0].name for name in spec.keep}  # an error for one not measured
        plan.kept = list(dict.fromkeys(kept.values()))
    else:
        plan.kept = [name for name in plan.presets.get(spec.keep, []) if name in measured]


def _named(choice: str | list[str], presets: dict[str, list[str]]) -> list[str]:
    if isinstance(choice, list):
        return choice
    if choice in POLICIES and choice not in presets:
        raise TapError(f"The policy {choice} finds no encoder and decoder blocks in this backbone; name the taps.")
    return presets[choice]


def _adopt(plan: Plan, base: Run) -> bool:
    """Take the ID statistics of ``base`` over, or note why they do not serve."""
    reasons = reuse.unknown_taps(base, plan)
    if not reasons:
        plan.presets = dict(base.manifest.presets)
        _resolve_taps(plan)
        reasons = reuse.obstacles(base, plan)
    if reasons:
        plan.presets, plan.taps, plan.kept = {}, [], []
        plan.warnings.append(
            f"The stored statistics of {base.name} do not serve ({'; '.join(reasons)}), so its images are measured "
            "again."
        )
        return False
    missing = reuse.missing_snapshots(base, plan) if plan.kept else ""
    if missing:
        plan.kept = []
        plan.warnings.append(f"{missing}, so none are kept here; only the diagonal head is scored.")
    plan.without = list(base.manifest.kept.get("without", [])) if plan.kept else []
    plan.sets = plan_sets(plan.spec, plan.out)
    plan.sets[:2] = [s.described_as(base.entry(s.role)) for s in plan.sets[:2]]
    plan.adopted = plan.sets[:2]
    for planned in plan.adopted:
        reuse.adopt(base, planned, plan)
    return True
