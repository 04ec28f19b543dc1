"""Predictions from ID-train alone, sealed before any OOD image is opened (theory 25).

What is measured for a seal is what the run needs anyway, but for the proxies: the run goes on from it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.errors import RunError
from cfs_explore.pipeline import reuse
from cfs_explore.pipeline.finish import make_manifest, measured_parts
from cfs_explore.pipeline.match import as_conditioned
from cfs_explore.pipeline.plan import Plan, make_plan
from cfs_explore.pipeline.planned import planned_measurement
from cfs_explore.pipeline.precision import noted_precision
from cfs_explore.pipeline.progress import Progress, ProgressEvent
from cfs_explore.pipeline.sealing import inherit, resampled_seal, stored_seal
from cfs_explore.pipeline.shards import SetShards, measure_shards, stored_moments
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.prediction import proxy_numbers
from cfs_explore.scoring import Moments
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run, SetWork, open_run
from cfs_explore.store.files import remove
from cfs_explore.store.seal import Seal, has_seal, read_seal, write_seal
from cfs_explore.studies.prediction import PROXIES, PROXY_IMAGES


def predict(
    out: str | Path,
    *,
    device: str | None = None,
    again: bool = False,
    report: Callable[[ProgressEvent], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Seal:
    """Seal what a run directory predicts of its cells; a run that is not measured yet goes on from here.

    A finished run that holds the table ``proxies`` needs no forward, and no image.

    Args:
        out: a directory with spec.yaml (``pipeline.claim``), or a finished run or bundle.
        device: torch device.
        again: make another seal where there is one, which is kept beside it.
        report: called with each ProgressEvent.
        cancelled: asked between batches.

    Raises:
        RunError: it has a seal, and ``again`` is not asked for. CFSError: of its images or backbone.
    """
    out = Path(out)
    if has_seal(out) and not again:
        before = read_seal(out)
        raise RunError(
            f"{out} has a seal of {before.created[:19]} (digest {before.digest}), which stands. `cfs-explore predict "
            f"{out} --again` makes another one, which judges only what is measured after it; the first is kept in "
            "seals/."
        )
    progress = Progress(report, cancelled)
    if (out / "manifest.json").is_file():
        run, worked = open_run(out), (out / "work").exists()
        seal = stored_seal(run) if run.has_table("proxies") else _predict(Study(run, progress, device=device))
        write_seal(out, seal)
        if not worked:
            remove(out / "work")
        return seal
    spec = RunSpec.parse(out / "spec.yaml")
    backbone = as_conditioned(spec, load_backbone(spec.backbone.path, device=device, **spec.backbone.options()))

    def alone(shards: SetShards) -> None:
        progress.start("measuring", shards.measurement.forwards(shards.work.count()), "forwards")
        progress.doing = shards.planned.images.name
        with contextlib.closing(shards):
            for _ in measure_shards(shards):
                pass

    return _seal_new(spec, out, backbone, progress, fresh=False, measure=alone)


def seal_first(
    spec: RunSpec,
    out: Path,
    backbone: Backbone,
    progress: Progress,
    *,
    fresh: bool,
    measure: Callable[[SetShards], None],
) -> None:
    """Before a run opens its OOD images: take the seal of the run whose statistics it has, or make one where asked.

    Args:
        spec, out, backbone, progress, fresh: of the run.
        measure: measures the shards of ID-train that are left, and says so.
    """
    base = reuse.base_run(spec)
    if base is not None:
        inherit(base, out)
    if spec.seal and not has_seal(out):
        _seal_new(spec, out, backbone, progress, fresh=fresh, measure=measure)


def _seal_new(
    spec: RunSpec,
    out: Path,
    backbone: Backbone,
    progress: Progress,
    *,
    fresh: bool,
    measure: Callable[[SetShards], None],
) -> Seal:
    """Measure ID-train and its proxies, and seal what they predict; arguments as of ``seal_first``."""
    plan = make_plan(spec, out, backbone, progress, roles=("id_train",))
    precision = noted_precision(out) or ("fp32" if spec.precision == "auto" else spec.precision)
    measurement = planned_measurement(plan, precision, progress, fresh=fresh)
    if plan.id_train in plan.fresh:
        measure(SetShards(plan.id_train, measurement, None))
    seal = _predict(Study(_TrainRun(plan, precision), progress, backbone=backbone))
    write_seal(out, seal)
    return seal


def _predict(study: Study) -> Seal:
    """The seal of a study's run, from ID-train's images alone."""
    run = study.run
    images = min(run.entry("id_train").count, PROXY_IMAGES)
    progress = study.progress
    progress.start("predicting", (len(PROXIES) + 1) * images * len(run.levels), "forwards")
    proxies, resampled, train = proxy_numbers(study)
    progress.finish()
    return resampled_seal(run, proxies, resampled, None if train is None else train.count)


class _TrainRun(Run):
    """A run of which only ID-train is measured: what a study reads of it, out of its work folder."""

    def __init__(self, plan: Plan, precision: str):
        part = measured_parts(plan, roles=("id_train",))[0]
        super().__init__(plan.out, make_manifest(plan, [part.entry], precision, []))
        self._work: SetWork = plan.id_train.work

    def images(self, role: str, name: str | None = None, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        self.entry(role, name)
        return self._work.rows(columns)

    def moments(self, role: str, name: str | None = None) -> Moments:
        self.entry(role, name)
        return stored_moments(self._work)

    def names_of_groups(self, role: str, name: str | None = None) -> np.ndarray:
        names = self.images(role, name, columns=["group"])["group"]
        return np.array([each if isinstance(each, str) else None for each in names], object)
