"""The stability stage: reliability over draws from the map, and the local law and drift from extra forwards."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.drift import CAUSES, drift_table
from cfs_explore.diagnostics.groups import Members, members
from cfs_explore.diagnostics.local_law import local_law
from cfs_explore.diagnostics.rank_agreement import rank_agreement
from cfs_explore.diagnostics.reliability import feature_reliability, score_reliability
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.scoring import feature_columns, mean_per_tap
from cfs_explore.store import Run
from cfs_explore.studies.stability import LOCAL_DRAWS, LOCAL_IMAGES, local_lams


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.stability``."""
    sample = study.sample("id_test", limit=LOCAL_IMAGES)
    study.pieces.each(
        [
            *(functools.partial(_spread, study, sample, level) for level in _fine_levels(study)),
            functools.partial(_drifts, study, sample),
        ]
    )
    study.pieces.alone()
    return {
        "stability": stability_table(study.run),
        "local_law": _local_law(study, sample),
        "drift": _drift(study, sample),
    }


def stability_table(run: Run) -> pd.DataFrame:
    """Reliability of snapshots and scores in every cell, for ID-test and each OOD set (theory 14)."""
    variance, columns = run.moments("id_train").variance, feature_columns(run.taps)
    order = ["level", "lam", "requested", "tap", "tap_index", "region", "depth", "resolution"]
    cells = cell_columns(run.levels, run.taps)[order]
    parts = []
    for entry in run.manifest.sets:
        if entry.role == "id_train":
            continue
        scores, moments = run.scores(entry.role, entry.name), run.moments(entry.role, entry.name)
        groups = members(run.names_of_groups(entry.role, entry.name))
        estimates = {
            "icc_features": feature_reliability(moments, variance, columns, run.draws, groups=groups),
            "icc_scores": score_reliability(scores, groups=groups),
            "spearman": rank_agreement(scores, groups=groups),
        }
        numbers = {
            name + suffix: values.ravel()
            for name, estimate in estimates.items()
            for suffix, values in zip(("", "_lo", "_hi"), estimate, strict=True)
        }
        parts.append(cells.assign(**numbers, set=entry.name, role=entry.role, n=entry.count, draws=run.draws))
    table = pd.concat(parts, ignore_index=True)
    return table[["set", "role", *table.columns.drop(["set", "role"])]]


def _local_law(study: Study, sample: Sample) -> pd.DataFrame:
    """Within-image variance at the fine levels, conditioned on the true level; ``local_law`` has the columns.

    Whitened by ID-train's variance at the map's cleanest level throughout: ID-train was not measured at the fine
    levels, and a factor that changed with the level would enter the slopes.
    """
    levels = _fine_levels(study)
    parts = [_spread(study, sample, level) for level in levels]  # kept by now
    between, within = (np.stack([part[key] for part in parts], axis=1) for key in ("between", "within"))
    return local_law(
        between, within, levels, study.run.taps, LOCAL_DRAWS, groups=_groups(study, sample), seed=study.spec.seed
    )


def _fine_levels(study: Study) -> list[Level]:
    """The levels of the local law, clean to noisy, each native level once."""
    found = {}
    for lam in local_lams(study.run.counts.highest):
        level = study.backbone.match(lam)
        found.setdefault(level.native, level)
    return sorted(found.values(), key=lambda level: -level.lam)


def _spread(study: Study, sample: Sample, level: Level) -> dict[str, np.ndarray]:
    """What each image adds to the whitened mean squares at one level: between, within, float64 (image, tap)."""

    def compute() -> dict[str, np.ndarray]:
        variance, columns = _reference_variance(study.run), feature_columns(study.run.taps)
        means, within = [], []
        for _, block in study.blocks(sample, [level], draws=LOCAL_DRAWS):
            z = block[0].astype(np.float64)  # (draw, image, feature)
            means.append(z.mean(axis=0))
            within.append(mean_per_tap(np.square(z - means[-1]).sum(axis=0) / variance, columns))
        of_image = np.concatenate(means)
        between = mean_per_tap(np.square(of_image - of_image.mean(axis=0)) / variance, columns)
        return {"between": between, "within": np.concatenate(within)}

    return study.kept(f"stability/local-{level.native:.9g}", len(sample) * LOCAL_DRAWS, compute)


def _drift(study: Study, sample: Sample) -> pd.DataFrame:
    """Drift by cause on the map's levels, first draw; ``drift_table`` has the columns.

    Against the clean image x0 under the conditioning of the cleanest level. "noise" corrupts x0 as the level does and
    keeps that conditioning; "conditioning" conditions the network on the level and keeps x0 as it is (unscaled also
    where the network's own inputs are a x0 + b e: a fixed clean image means the same pixels); "both" is what the map
    measures. Whitened by ID-train's variance at the cleanest level.
    """
    parts = _drifts(study, sample)
    squares, own = (np.stack([part[key] for part in parts], axis=2) for key in ("squares", "own"))
    return drift_table(squares, own, study.run.levels, study.run.taps, groups=_groups(study, sample))


def _drifts(study: Study, sample: Sample) -> list[dict[str, np.ndarray]]:
    """What ``_drift_at`` gives of each level."""
    cleanest = study.run.levels[0]

    def compute() -> dict[str, np.ndarray]:
        blocks = study.blocks(sample, [_clean(cleanest)], conditioning=[cleanest])
        return {"snapshots": np.concatenate([block[0, 0] for _, block in blocks])}

    reference = study.kept("stability/drift-reference", len(sample), compute)["snapshots"]
    calls = [functools.partial(_drift_at, study, sample, reference, level) for level in study.run.levels]
    return study.pieces.each(calls)


def _groups(study: Study, sample: Sample) -> Members | None:
    return members(study.run.names_of_groups("id_test")[sample.rows])


def _drift_at(study: Study, sample: Sample, reference: np.ndarray, level: Level) -> dict[str, np.ndarray]:
    """Each image's squared drift at one level, and that about the images' mean drift: (image, cause, tap) each.

    At the cleanest level the conditioning cannot drift, and noise alone is both: one forward instead of three.
    """
    cleanest = study.run.levels[0]
    if level.native == cleanest.native:
        corrupted, conditioning, causes = [level], [cleanest], [CAUSES.index("noise"), CAUSES.index("both")]
    else:
        corrupted, conditioning, causes = [level, _clean(level), level], [cleanest, level, level], [0, 1, 2]

    def compute() -> dict[str, np.ndarray]:
        variance, columns = _reference_variance(study.run), feature_columns(study.run.taps)
        moved = np.zeros((len(sample), len(CAUSES), reference.shape[1]))  # (image, cause, feature)
        for part, block in study.blocks(sample, corrupted, conditioning=conditioning):
            moved[part, causes] = (block[:, 0].astype(np.float64) - reference[part]).transpose(1, 0, 2)
        squares = mean_per_tap(np.square(moved) / variance, columns)
        return {"squares": squares, "own": mean_per_tap(np.square(moved - moved.mean(axis=0)) / variance, columns)}

    return study.kept(f"stability/drift-{level.native:.9g}", len(sample) * len(corrupted), compute)


def _clean(level: Level) -> Level:
    """A level at which an image stays as it is."""
    return dataclasses.replace(level, a=1.0, b=0.0)


def _reference_variance(run: Run) -> np.ndarray:
    """ID-train's variance at the map's cleanest level, floored, (feature,)."""
    return run.moments("id_train").at(0).variance[0]
