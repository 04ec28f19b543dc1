"""The ablation stage: levels x taps x shift of lam, five draws, as far as the map has them."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level
from cfs_explore.diagnostics.ablation import ablation_table, nested_levels
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.store import Run, evenly_spaced
from cfs_explore.studies.ablation import (
    ABLATION_IMAGES,
    ABLATION_LEVELS,
    ABLATION_SHIFTS,
    ABLATION_TRAIN,
    ablation_shifts,
)
from cfs_explore.taps.policies import structural_order


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The table of ``studies.ablation``.

    A shift moves every level by that much log-SNR, to the nearest one that the backbone has, and fits the statistics
    again there, on at most ``ABLATION_TRAIN`` ID-train images. All shifts rest on the same images, so that nothing
    but lam differs: where the map's own statistics rest on more ID-train images than that, shift 0 is measured and
    fitted again too, instead of being taken from the map. Splits are the map's: statistics of ID-train, scores of
    ID-test and of the OOD set, at most ``ABLATION_IMAGES`` images each, evenly spaced.
    Without the published taps in the map the sets of taps are "all" alone.
    """
    run = study.run
    lams, kept = [level.lam for level in run.levels], run.manifest.kept["level"]
    chosen = list(nested_levels(lams, kept, ABLATION_LEVELS).values())[-1]
    level_sets = nested_levels([lams[k] for k in chosen], chosen.index(kept), ABLATION_LEVELS)
    shifted = study.pieces.each([functools.partial(_shifted, study, shift, chosen) for shift in ABLATION_SHIFTS])
    study.pieces.alone()
    groups = {ood: study.groups(ABLATION_IMAGES, ood) for ood in run.ood_names}
    parts = []
    for shift, (levels, scores, n_train) in zip(ABLATION_SHIFTS, shifted, strict=True):
        achieved = {k: ", ".join(f"{levels[i].lam:.2f}" for i in members) for k, members in level_sets.items()}
        for ood in run.ood_names:
            table = ablation_table(scores["id_test", None], scores["ood", ood], level_sets, tap_sets(run), groups[ood])
            parts.append(table.assign(ood=ood, shift=shift, lams=table["levels"].map(achieved), n_train=n_train))
    table = pd.concat(parts, ignore_index=True)
    return {"ablation": table[["ood", "shift", "lams", *table.columns.drop(["ood", "shift", "lams"])]]}


def tap_sets(run: Run) -> dict[str, list[int]]:
    """Name -> positions of taps, in the order of their number."""
    positions = {tap.name: t for t, tap in enumerate(run.taps)}
    everything = {"all": list(range(len(run.taps)))}
    if "sparse_ed" not in run.manifest.presets:
        return everything
    encoder, decoder = (positions[name] for name in run.manifest.presets["sparse_ed"])
    sets = {"decoder": [decoder], "encoder": [encoder], "pair": [encoder, decoder]}
    more = [_next_candidate(run, region, sets["pair"]) for region in ("encoder", "decoder")]
    if None not in more:
        sets["four"] = [*sets["pair"], *(positions[name] for name in more)]
    return sets | everything


def _next_candidate(run: Run, region: str, taken: list[int]) -> str | None:
    """The best tap of a side by position that is not taken yet; None where the map has no other."""
    names = {run.taps[t].name for t in taken}
    return next((tap.name for tap in structural_order(run.taps, region) if tap.name not in names), None)


def _shifted(study: Study, shift: float, chosen: list[int]) -> tuple[list[Level], dict[tuple, np.ndarray], int]:
    """Levels, scores (image, draw, level, tap) by (role, name), and the number of ID-train images behind them."""
    run, draws = study.run, study.run.draws
    sets = [("id_test", None), *(("ood", name) for name in run.ood_names)]
    if shift not in ablation_shifts(run.counts.train):
        rows = {key: evenly_spaced(run.entry(*key).count, ABLATION_IMAGES) for key in sets}
        stored = {key: run.scores(*key)[rows[key]][:, :, chosen] for key in sets}
        return [run.levels[k] for k in chosen], stored, run.counts.train
    levels = [study.backbone.match(run.levels[k].lam + shift) for k in chosen]
    folder, train = f"ablation/{shift:+g}", study.sample("id_train", limit=ABLATION_TRAIN)
    reference = study.statistics(f"{folder}/statistics", train, levels, draws=draws)

    def scored(role: str, name: str | None) -> np.ndarray:
        sample = study.sample(role, name, limit=ABLATION_IMAGES)
        return study.scores(f"{folder}/{role}-{name or ''}", sample, levels, reference, draws=draws)

    scores = study.pieces.each([functools.partial(scored, *key) for key in sets])
    return levels, dict(zip(sets, scores, strict=True)), len(train)
