"""The map along training: of the weights that it kept on its way, on the controls' images (theory 38).

Each step has its own statistics of ID-train, as an untrained copy has. The last step is the run's own network; its
scores are those of the map, first draw, on the same images.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.diagnostics import auroc, auroc_excess, auroc_interval, best_excess, delong
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.excess import Placed, paired_interval
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.errors import BackboneError
from cfs_explore.pipeline.match import as_conditioned
from cfs_explore.pipeline.remeasured import TEST, Limits, measured_again, stored_rows
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.pipeline.tables import preset_cells
from cfs_explore.store.milestones import Milestone, read_milestones
from cfs_explore.studies import controls as declared
from cfs_explore.studies.training import TRAINING

#: ID scores and OOD scores, (cells, images) each, level-major.
Rows = tuple[np.ndarray, np.ndarray]
_PAIR = "CFS(1x2)"
#: A network differs from itself by nothing, also where both separate all images and no variance is known.
_NOTHING_TO_COME = {"to_come": 0.0, "to_come_lo": 0.0, "to_come_hi": 0.0, "to_come_p": 1.0}
_NO_EXCESS = {"excess": 0.0, "excess_lo": 0.0, "excess_hi": 0.0, "excess_p": 1.0}


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.training``.

    Raises:
        SpecError: of the milestones' folder. BackboneError: of weights in it, before any is measured.
    """
    wanted = study.spec.backbone
    kept, last = read_milestones(wanted.path, wanted.milestones)
    for each in kept:
        _load(study, each)
    scores = study.pieces.each([functools.partial(_measure, study, each) for each in kept])
    study.pieces.alone()
    own = {name: stored_rows(study, name, _limits())[1] for name in (TEST, *study.run.ood_names)}
    steps = {each.step: found for each, found in zip(kept, scores, strict=True)} | {last: own}
    tables: dict[str, list[pd.DataFrame]] = {"training_map": [], "training_steps": []}
    for ood in study.run.ood_names:
        study.progress.advance(0, f"comparing {ood}")
        rows = {step: (found[TEST], found[ood]) for step, found in steps.items()}
        groups = study.groups(declared.CONTROL_IMAGES, ood)
        for step in rows:
            facts = {"step": step, "own": step == last, "ood": ood}
            tables["training_map"].append(_map(study, rows[step], rows[last], groups).assign(**facts))
            tables["training_steps"].append(_step(study, rows[step], rows[0], groups).assign(**facts))
    columns = {table.name: table.column_names for table in TRAINING.tables}
    return {name: pd.concat(parts, ignore_index=True)[columns[name]] for name, parts in tables.items()}


def _limits() -> Limits:
    return Limits(declared.CONTROL_TRAIN, declared.CONTROL_IMAGES)


def _load(study: Study, kept: Milestone) -> Backbone:
    """The network with these weights.

    Raises:
        BackboneError: they do not load, or are not of the run's network; naming their folder.
    """
    own, wanted = study.backbone, study.spec.backbone
    remedy = "Put weights of this backbone's own training there, or remove the folder."
    try:
        found = load_backbone(kept.place, device=str(own.device), **wanted.options())
    except BackboneError as error:
        raise BackboneError(f"backbone.milestones: {kept.folder} does not load: {error} {remedy}") from error
    found = as_conditioned(study.spec, found)
    if _architecture(found) != _architecture(own):
        raise BackboneError(
            f"backbone.milestones: {kept.folder} holds another architecture or noise schedule than {wanted.path} "
            f"({found.parameters:,} weights of the family {found.family}, not {own.parameters:,} of {own.family}). "
            f"{remedy}"
        )
    return found


def _architecture(backbone: Backbone) -> tuple:
    """What all steps of a training have in common: names and shapes of the weights, images, noise levels."""
    shapes = {name: tuple(value.shape) for name, value in backbone.module.state_dict().items()}
    return backbone.family, backbone.image_shape, backbone.input_shape, backbone.schedule, backbone.reach, shapes


def _measure(study: Study, kept: Milestone) -> dict[str, np.ndarray]:
    """ "id_test" or an OOD set's name -> slot scores (cells, images)."""
    return measured_again(study, f"training/{kept.step}", _limits(), backbone=_load(study, kept))


def _map(study: Study, rows: Rows, own: Rows, groups: Groups | None) -> pd.DataFrame:
    """A row per cell: its AUROC, and what the run's own network has above it."""
    n_id, n_ood = (part.shape[1] for part in rows)
    value, var = delong(*rows, groups)
    lo, hi = auroc_interval(value, var, *independent(groups, n_id, n_ood))
    cells = cell_columns(study.run.levels, study.run.taps)
    ahead = auroc_excess(own, [rows], groups=groups)
    names = {"excess": "to_come", "lo": "to_come_lo", "hi": "to_come_hi", "p": "to_come_p"}
    ahead = ahead[list(names)].rename(columns=names)
    if rows is own:
        ahead = ahead.assign(**_NOTHING_TO_COME)
    cells = pd.concat([cells, ahead], axis=1)
    return cells.assign(auroc=value, lo=lo, hi=hi, n_id=n_id, n_ood=n_ood)


def _step(study: Study, rows: Rows, first: Rows, groups: Groups | None) -> pd.DataFrame:
    """One row: a step beside the first weights, on the same images."""
    best = best_excess(rows, {"step 0": [first]}, groups=groups).iloc[0]
    cells = cell_columns(study.run.levels, study.run.taps)
    highest = delong(*rows, groups).auroc
    top = int(highest.argmax())
    columns = {"highest": float(highest[top]), **cells.loc[top, ["level", "lam", "tap_index", "tap", "region"]]}
    columns |= _named("pair", _pair(study, rows, groups))
    columns |= _named("best", best[["trained", "trained_lo", "trained_hi"]])
    columns |= _named("best_excess", best[["excess", "lo", "hi"]]) | {"best_excess_p": best["p"]}
    columns |= _mean(rows, first, groups)
    if rows is first:
        known = {f"best_{name}": value for name, value in _NO_EXCESS.items() if np.isfinite(best["excess"])}
        columns |= _NO_EXCESS | known
    return pd.DataFrame([columns | {"n_id": rows[0].shape[1], "n_ood": rows[1].shape[1]}])


def _named(name: str, values: object) -> dict[str, float]:
    """A value and the limits of its interval, under the columns of this name."""
    return dict(zip((name, f"{name}_lo", f"{name}_hi"), map(float, values), strict=True))


def _pair(study: Study, rows: Rows, groups: Groups | None) -> tuple[float, float, float]:
    """AUROC of CFS(1x2), the mean of its cells' scores (4)."""
    cells = preset_cells(study.run).get(_PAIR)
    if cells is None:
        return (np.nan,) * 3
    numbers = [cell.number(len(study.run.taps)) for cell in cells]
    return tuple(auroc(*(part[numbers].mean(axis=0) for part in rows), groups=groups))


def _mean(rows: Rows, first: Rows, groups: Groups | None) -> dict[str, float]:
    """Mean AUROC over cells, and what it is above that of the first weights: both are linear in placements (38)."""
    own, other = (_over_cells(Placed.of(*part, groups)) for part in (rows, first))
    lo, hi = auroc_interval(*own.judged, *own.independent)
    value, excess = own.judged.auroc[0], own.judged.auroc[0] - other.judged.auroc[0]
    low, high, p = paired_interval(own.judged, other.judged, own.minus(other).judged.var, *own.independent)
    limits = _named("mean", (value, lo[0], hi[0])) | _named("excess", (excess, low[0], high[0]))
    return limits | {"excess_p": float(p[0])}


def _over_cells(placed: Placed) -> Placed:
    """One score whose AUROC is the mean over cells."""
    return placed._replace(id=placed.id.mean(axis=0, keepdims=True), ood=placed.ood.mean(axis=0, keepdims=True))
