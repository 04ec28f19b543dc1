"""The alignment stage: the map again where other alignments put its levels, and how much that changes (theory 1).

Every variant, the run's own alignment too, is measured on the same images with one noise draw, and its statistics are
fitted again at its own levels: nothing but the levels differs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level
from cfs_explore.diagnostics import aligned_lams, auroc_interval, delong, has_aligned, sensitivity
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.groups import independent
from cfs_explore.errors import RunError
from cfs_explore.levels import ALIGNMENTS, MAIN_LAM, RELATIVE_ALIGNMENTS
from cfs_explore.pipeline.match import reference_curve
from cfs_explore.pipeline.stages.levels import alignment_curves
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.studies.alignment import VARIANT_IMAGES, VARIANT_SHIFTS, VARIANT_TRAIN

#: A level further than this from where its variant wants it counts as out of reach, in log-SNR.
MISS = 0.25


@dataclass(frozen=True)
class Variant:
    """The map's levels, moved.

    Attributes:
        name: of an alignment, or "lam - 0.5".
        levels: one for each of the run's, by position.
        reachable: whether the backbone has each where the variant wants it.
    """

    name: str
    levels: list[Level]
    reachable: list[bool]


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.alignment``."""
    every = variants(study)
    found = study.pieces.each([functools.partial(_measure, study, k, variant) for k, variant in enumerate(every)])
    study.pieces.alone()
    scores = {variant.name: of_variant for variant, of_variant in zip(every, found, strict=True)}
    tables: dict[str, list[pd.DataFrame]] = {"alignment_levels": [], "alignment_maps": [], "sensitivity": []}
    for variant in every:
        tables["alignment_levels"].append(_level_table(study, variant))
        for ood in study.run.ood_names:
            study.progress.advance(0, f"{variant.name}: {ood}")
            tables["alignment_maps"].append(_map(study, variant, ood, scores[variant.name]))
            row = _row(study, variant, every[0], ood, scores)
            tables["sensitivity"].append(pd.DataFrame([row]))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def variants(study: Study) -> list[Variant]:
    """The run's own alignment first, then the shifts, then the other alignments that are possible.

    Raises:
        RunError: when the reference is not there, or has no alignment curve.
    """
    run, backbone = study.run, study.backbone
    requested = [level.requested for level in run.levels]
    own = study.spec.alignment
    # A level of the map is where it is wanted, except one beyond the ends.
    low, high = backbone.reach
    inside = [low - MISS <= lam <= high + MISS for lam in requested]
    found = [Variant(own, run.levels, inside)]
    for shift in VARIANT_SHIFTS:
        wanted = [level.lam + shift for level in run.levels]
        levels = [backbone.match(lam) for lam in wanted]
        reachable = [abs(level.lam - lam) <= MISS for level, lam in zip(levels, wanted, strict=True)]
        found.append(Variant(f"lam {'+' if shift > 0 else '-'} {abs(shift):g}", levels, reachable))
    for name in ALIGNMENTS:
        if name == own or (name in RELATIVE_ALIGNMENTS and study.spec.reference is None):
            continue
        if name in RELATIVE_ALIGNMENTS:
            found.append(_relative(study, name, requested))
        else:
            found.append(Variant(name, [backbone.match(lam, name) for lam in requested], inside))
    return found


def _relative(study: Study, name: str, requested: list[float]) -> Variant:
    reference, curve = reference_curve(study.spec), _own_curve(study)
    levels = [study.backbone.match(lam) for lam in aligned_lams(curve, reference, requested, name)]
    return Variant(name, levels, has_aligned(curve, reference, requested, name))


def _own_curve(study: Study) -> pd.DataFrame:
    """The run's alignment curve: stored by the levels stage, or measured now."""
    try:
        return study.run.table("alignment_curves")
    except RunError:
        return alignment_curves(study, counted=False)


def _measure(study: Study, position: int, variant: Variant) -> dict[str, np.ndarray]:
    """ "id_test" or an OOD set's name -> slot scores (n, 1, level, tap) at the variant's levels."""
    folder = f"alignment/{position}"
    train = study.sample("id_train", limit=VARIANT_TRAIN)
    reference = study.statistics(f"{folder}/id_train", train, variant.levels)
    sets = {"id_test": ("id_test", None)} | {name: ("ood", name) for name in study.run.ood_names}

    def scored(k: int, which: tuple[str, str | None]) -> np.ndarray:
        sample = study.sample(*which, limit=VARIANT_IMAGES)
        return study.scores(f"{folder}/scored-{k:02d}", sample, variant.levels, reference)

    scores = study.pieces.each([functools.partial(scored, k, which) for k, which in enumerate(sets.values())])
    return dict(zip(sets, scores, strict=True))


def _level_table(study: Study, variant: Variant) -> pd.DataFrame:
    frame = pd.DataFrame([level.to_dict() for level in variant.levels])
    frame["requested"] = [level.requested for level in study.run.levels]
    frame = frame.assign(variant=variant.name, index=range(len(frame)), reachable=variant.reachable)
    return frame[["variant", "index", "requested", "lam", "native", "a", "b", "reachable"]]


def _map(study: Study, variant: Variant, ood: str, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [cell_rows(scores[name]) for name in ("id_test", ood)]
    n_id, n_ood = (part.shape[1] for part in rows)
    groups = study.groups(VARIANT_IMAGES, ood)
    value, var = delong(*rows, groups)
    lo, hi = auroc_interval(value, var, *independent(groups, n_id, n_ood))
    cells = pd.DataFrame(
        [
            {"variant": variant.name, "ood": ood, "index": k, "requested": asked.requested, "lam": level.lam}
            | {"tap": tap.name}
            for k, (asked, level) in enumerate(zip(study.run.levels, variant.levels, strict=True))
            for tap in study.run.taps
        ]
    )
    return cells.assign(auroc=value, lo=lo, hi=hi, n_id=n_id, n_ood=n_ood)


def _row(
    study: Study, variant: Variant, baseline: Variant, ood: str, scores: dict[str, dict[str, np.ndarray]]
) -> dict[str, float | str]:
    """One row of ``sensitivity``."""
    run = study.run
    maps = [(scores[side.name]["id_test"], scores[side.name][ood]) for side in (variant, baseline)]
    names = [tap.name for tap in run.taps]
    row = sensitivity(
        *maps,
        depths=[tap.depth for tap in run.taps],
        reachable=variant.reachable,
        pair=tuple(names.index(name) for name in run.manifest.presets.get("sparse_ed", [])) or None,
        main=min(range(len(run.levels)), key=lambda k: abs(run.levels[k].requested - MAIN_LAM)),
        groups=study.groups(VARIANT_IMAGES, ood),
        seed=study.spec.seed,
    )
    for side, levels in (("best", variant.levels), ("baseline", baseline.levels)):
        k = row.pop(f"{side}_level")
        places = {"requested": run.levels[k].requested, "lam": levels[k].lam, "tap": names[row[f"{side}_tap"]]}
        row |= {f"{side}_{key}": value for key, value in places.items()}
    return {"variant": variant.name, "baseline": baseline.name, "ood": ood} | row
