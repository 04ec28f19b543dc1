"""Every detector of the registry on the map's images, and CFS beside them: readings, scores, costs (theory 19 to 21).

One noise draw, the map's first; one ID-train subset and the same scored images for all. Detectors that read the same
share the reading. The budget is spent from the cheapest detector on; what does not fit says what it would take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics.cfs_grid import Grid
from cfs_explore.diagnostics.falsifier import Yardsticks, beside_copies, leads, says
from cfs_explore.errors import CFSError
from cfs_explore.pipeline.detector_measuring import TEST, Measured, Measuring
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.studies import detectors as declared
from cfs_explore.studies.detectors import NETWORKS

#: Detectors that are compared with: without the first two of them there is nothing to say.
_PAIR, _DECODER = "cfs_1x2", "cfs_dec_1x1"
#: A pair of ID scores and OOD scores.
_Scores = tuple[np.ndarray, np.ndarray]


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.detectors``.

    Raises:
        CFSError: CFS(1x2) cannot be read, such as where a backbone has no decoder.
    """
    if study.spec.conditioning_offset:
        raise CFSError(
            "This map's network was conditioned on other levels than it saw (conditioning_offset), which a path "
            "through levels cannot be. Measure the detectors on the map without an offset."
        )
    measuring = Measuring(study)
    measured = measuring.measure()
    for each in measured:
        if each.detector.name in (_PAIR, _DECODER) and not each.scores:
            raise CFSError(f"There is nothing to compare with: {each.note}")
    grid = Grid.of(len(study.run.levels), study.run.taps)
    slots = {name: grid.scores(slots) for name, slots in measuring.slots().items()}
    rows, led = [], []
    for ood in study.run.ood_names:
        study.progress.advance(0, f"comparing {ood}")
        groups = study.groups(study.spec.detectors.images, ood)
        counts = {"n_train": measuring.n_train, "n_id": measuring.count(TEST), "n_ood": measuring.count(ood)}
        scored = {each: (each.scores[TEST], each.scores[ood]) for each in measured if each.scores}
        rows.append(_compared(measured, scored, (slots[TEST], slots[ood]), grid, groups).assign(**counts, ood=ood))
        del counts["n_train"]
        led.append(_leads(scored, groups).assign(**counts, ood=ood))
    return {
        "falsifier": pd.concat(rows, ignore_index=True),
        "leads": pd.concat(led, ignore_index=True),
        "detector_scores": measuring.score_table(measured),
        "detector_readings": measuring.reading_table(measured),
    }


def _compared(
    measured: Sequence[Measured],
    scored: Mapping[Measured, _Scores],
    candidates: _Scores,
    grid: Grid,
    groups: Groups | None,
) -> pd.DataFrame:
    """A row per detector, network and copy."""
    own = {each.detector.name: scores for each, scores in scored.items() if each.network == NETWORKS[0]}
    yardsticks = Yardsticks(own[_PAIR], own[_DECODER], candidates, grid.forwards, groups=groups)
    rows = [
        each.facts()
        | (yardsticks.compare(*scored[each], each.price) if each in scored else {})
        | _beside_copies(each, scored, groups)
        for each in measured
    ]
    columns = [
        c.name for c in declared.DETECTORS.tables[0].columns if c.name not in ("n_train", "n_id", "n_ood", "ood")
    ]
    return pd.DataFrame(rows, columns=columns)


def _beside_copies(each: Measured, scored: Mapping[Measured, _Scores], groups: Groups | None) -> dict[str, float]:
    """The trained network against all its untrained copies that were measured."""
    copies = [other for other in scored if other.detector.name == each.detector.name and other.network == NETWORKS[1]]
    if each.network != NETWORKS[0] or each not in scored or not copies:
        return {"copies": 0}
    own, *others = (tuple(part[None] for part in scored[one]) for one in (each, *copies))
    return beside_copies(own, others, groups)


def _leads(scored: Mapping[Measured, _Scores], groups: Groups | None) -> pd.DataFrame:
    """A row per rival."""
    trained = {each: scores for each, scores in scored.items() if each.network == NETWORKS[0]}
    kinds = {kind: [each for each in trained if each.kind == kind] for kind in ("rival", "cfs")}
    rivals, variants = (
        tuple(np.stack([trained[each][side] for each in each_kind]) for side in (0, 1)) if each_kind else None
        for each_kind in kinds.values()
    )
    columns = ["detector", "title", "trajectory", "ahead_of", "lead", "lead_lo", "lead_hi", "saturated", "says"]
    if rivals is None:
        return pd.DataFrame(columns=columns)
    found = leads(rivals, variants, groups=groups)
    return found.assign(
        detector=[each.detector.name for each in kinds["rival"]],
        title=[each.detector.title for each in kinds["rival"]],
        trajectory=[each.detector.trajectory for each in kinds["rival"]],
        ahead_of=[kinds["cfs"][k].detector.title for k in found["variant"]],
        says=says(found),
    )[columns]
