"""The complementarity stage: what encoder and decoder know apart from each other (theory 4), without forwards."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import Groups, complementarity, pair_gain
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.store import Run
from cfs_explore.studies.complementarity import COMPLEMENTARITY


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.complementarity``: the preset pairs, and every pair of taps, at every level."""
    run = study.run
    in_distribution = run.mean_scores("id_test")
    tables: dict[str, list[pd.DataFrame]] = {"complementarity": [], "pair_gain": []}
    for ood in run.ood_names:
        scores = run.mean_scores("ood", ood)
        if run.manifest.presets:
            tables["complementarity"].append(_preset_pairs(run, in_distribution, scores, ood))
        for k, level in enumerate(run.levels):
            pairs = pair_gain(in_distribution[k], scores[k], run.taps)
            tables["pair_gain"].append(pairs.assign(ood=ood, level=k, lam=level.lam))
        study.progress.advance(0, ood)
    return {table.name: _joined(tables[table.name], table.column_names) for table in COMPLEMENTARITY.tables}


def _preset_pairs(run: Run, in_distribution: np.ndarray, scores: np.ndarray, ood: str) -> pd.DataFrame:
    """Rows of one OOD set: every preset at every level."""
    names = [tap.name for tap in run.taps]
    keys = [(k, preset, *taps) for preset, taps in run.manifest.presets.items() for k in range(len(run.levels))]
    levels = [key[0] for key in keys]
    encoders, decoders = ([names.index(key[side]) for key in keys] for side in (2, 3))
    sides = [part[levels, taps] for part in (in_distribution, scores) for taps in (encoders, decoders)]
    rows = complementarity(*sides, groups=Groups.of(*run.group_names(ood)))
    labels = pd.DataFrame(keys, columns=["level", "preset", "encoder", "decoder"])
    labels["lam"] = [run.levels[k].lam for k in levels]
    return pd.concat([labels.iloc[rows["pair"]].reset_index(drop=True), rows], axis=1).assign(ood=ood)


def _joined(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The parts with these columns in this order; without parts, no rows."""
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
