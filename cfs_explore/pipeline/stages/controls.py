"""Is it the backbone? The same map from untrained copies and after re-encoding, and plain image statistics (theory 18).

The controls take one noise draw, the map's first. The trained side is read from the map, on the same images: averaged
over the map's draws, and once more from the first draw alone, the comparison with equal means.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import (
    STATISTICS_TOGETHER,
    Groups,
    auroc_excess,
    auroc_interval,
    best_excess,
    delong,
    statistic_scores,
    statistic_table,
)
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.groups import independent
from cfs_explore.images.reencode import reencode
from cfs_explore.images.statistics import image_statistics
from cfs_explore.pipeline.remeasured import TEST, Limits, file_of, measured_again, sample_of, stored_rows
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.studies import controls as declared

#: ID scores and OOD scores, (cells, images) each, level-major.
Rows = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class ControlMap:
    """One control measurement of the whole map.

    Attributes:
        control: "untrained" or "re-encoded".
        seed: of an untrained copy's weights; None where nothing is random.
        scores: "id_test" or an OOD set's name -> slot scores (cells, images).
    """

    control: str
    seed: int | None
    scores: dict[str, np.ndarray]

    def rows(self, ood: str) -> Rows:
        return self.scores[TEST], self.scores[ood]


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.controls``."""
    run, names = study.run, ("id_train", TEST, *study.run.ood_names)
    measured = _control_maps(study)
    found = study.pieces.each([*measured, *(functools.partial(_statistics, study, name) for name in names)])
    study.pieces.alone()
    maps, statistics = found[: len(measured)], dict(zip(names, found[len(measured) :], strict=True))
    trained_test = stored_rows(study, TEST, _limits())
    tables: dict[str, list[pd.DataFrame]] = {"controls": [], "excess": [], "best_excess": [], "image_statistics": []}
    for ood in run.ood_names:
        study.progress.advance(0, f"comparing {ood}")
        trained = {draws: (trained_test[draws], rows) for draws, rows in stored_rows(study, ood, _limits()).items()}
        sets, groups = (statistics["id_train"], statistics[TEST], statistics[ood]), _groups(study, ood)
        parts = {
            "controls": pd.concat([_map_table(study, control_map, ood) for control_map in maps]),
            "excess": _excess_table(study, maps, ood, trained),
            "best_excess": _best_table(study, maps, ood, trained, statistic_scores(*sets)),
            "image_statistics": statistic_table(*sets, groups),
        }
        for name, part in parts.items():
            tables[name].append(part.assign(ood=ood))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def _limits() -> Limits:
    return Limits(declared.CONTROL_TRAIN, declared.CONTROL_IMAGES)


def _groups(study: Study, ood: str) -> Groups | None:
    return study.groups(declared.CONTROL_IMAGES, ood)


def _statistics(study: Study, name: str) -> pd.DataFrame:
    def compute() -> dict[str, np.ndarray]:
        study.progress.advance(0, f"image statistics of {name}")
        return dict(image_statistics(sample_of(study, name, _limits()).pixels).items())

    return pd.DataFrame(study.kept(f"controls/statistics/{file_of(study, name)}", 0, compute))


def _control_maps(study: Study) -> list[Callable[[], ControlMap]]:
    """Each is measured when it is called."""

    def untrained(seed: int) -> ControlMap:
        copy = study.backbone.untrained(seed)
        scores = measured_again(study, f"controls/untrained-{seed}", _limits(), backbone=copy)
        return ControlMap("untrained", seed, scores)

    def encoded_again() -> ControlMap:
        return ControlMap("re-encoded", None, measured_again(study, "controls/re-encoded", _limits(), change=reencode))

    return [*(functools.partial(untrained, seed) for seed in declared.UNTRAINED_SEEDS), encoded_again]


def _cells(study: Study) -> pd.DataFrame:
    """What the tables say of each cell, level-major."""
    order = ["level", "lam", "requested", "tap_index", "tap", "region", "depth", "resolution"]
    return cell_columns(study.run.levels, study.run.taps)[order]


def _map_table(study: Study, control_map: ControlMap, ood: str) -> pd.DataFrame:
    rows = control_map.rows(ood)
    n_id, n_ood = (part.shape[1] for part in rows)
    groups = _groups(study, ood)
    value, var = delong(*rows, groups)
    lo, hi = auroc_interval(value, var, *independent(groups, n_id, n_ood))
    frame = _cells(study)[["level", "lam", "tap_index", "tap", "region"]]
    seed = pd.array([control_map.seed] * len(frame), dtype="Int64")
    return frame.assign(control=control_map.control, seed=seed, auroc=value, lo=lo, hi=hi, n_id=n_id, n_ood=n_ood)


def _by_control(maps: list[ControlMap], ood: str) -> dict[str, list[Rows]]:
    """Control -> the scores of its copies."""
    grouped: dict[str, list[Rows]] = {}
    for control_map in maps:
        grouped.setdefault(control_map.control, []).append(control_map.rows(ood))
    return grouped


def _excess_table(study: Study, maps: list[ControlMap], ood: str, trained: dict[int, Rows]) -> pd.DataFrame:
    """A row per control, cell, and number of draws on the trained side."""
    parts, groups = [], _groups(study, ood)
    for draws, (test, out) in trained.items():
        for control, copies in _by_control(maps, ood).items():
            facts = {"control": control, "draws": draws, "n_id": test.shape[1], "n_ood": out.shape[1]}
            excess = auroc_excess((test, out), copies, groups=groups)
            parts.append(pd.concat([_cells(study), excess], axis=1).assign(**facts))
    return pd.concat(parts, ignore_index=True)


def _best_table(
    study: Study, maps: list[ControlMap], ood: str, trained: dict[int, Rows], statistics: dict[str, Rows]
) -> pd.DataFrame:
    """A row per control and number of draws on the trained side: best cell against best cell."""
    pools = _by_control(maps, ood)
    if statistics:
        pools["statistics"] = [_stack([statistics[STATISTICS_TOGETHER]])]
        pools["best statistic"] = [_stack([v for name, v in statistics.items() if name != STATISTICS_TOGETHER])]
    inputs = np.flatnonzero(_cells(study)["region"] == "input")
    parts, groups = [], _groups(study, ood)
    for draws, (test, out) in trained.items():
        with_taps = pools | ({"input tap": [(test[inputs], out[inputs])]} if len(inputs) else {})
        facts = {"draws": draws, "n_id": test.shape[1], "n_ood": out.shape[1]}
        parts.append(best_excess((test, out), with_taps, groups=groups).assign(**facts))
    return pd.concat(parts, ignore_index=True)


def _stack(scores: list[Rows]) -> Rows:
    return np.stack([pair[0] for pair in scores]), np.stack([pair[1] for pair in scores])
