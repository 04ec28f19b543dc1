"""The triage page's figure: scores of an OOD set on those of ID-test, and the threshold of a false-alarm rate."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.charts import score_histogram_chart
from cfs_explore.charts.theme import format_value
from cfs_explore.diagnostics import Alarm, Estimate, alarm, discovery_rate, false_alarms, histogram, triage
from cfs_explore.diagnostics.groups import members
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import detector_of
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind
from cfs_explore.figures.options import Option, read_number
from cfs_explore.headlines.triage import percent
from cfs_explore.store import Run
from cfs_explore.wording import counted

#: In percent.
DEFAULT_RATE = 5.0
RULES = {"alarm": "False-alarm rate", "discovery": "False discovery rate"}
RATE = Option("rate", f"{DEFAULT_RATE:g}", "expected rate in percent")
KEEPS = Option("keeps", "alarm", "what the threshold keeps: the false-alarm or the false discovery rate", tuple(RULES))


class Found(NamedTuple):
    """What a rule finds: the set, the detector, the rate as a share and by which of RULES, the scores, the rule."""

    ood: str
    detector: str
    rate: float
    by: str
    id_scores: np.ndarray
    table: pd.DataFrame
    rule: Alarm
    expected: Estimate


def find(run: Run, choices: Choices) -> Found:
    """Scores, p-values and threshold of one OOD set by the detector."""
    rate, by = read_number(RATE, choices.options, 0.1, 20) / 100, KEEPS.of(choices.options)
    detector = detector_of(run, choices.cells)
    id_scores, scores = (detector.scores(run, *which) for which in (("id_test", None), ("ood", choices.ood)))
    id_groups, groups = map(members, run.group_names(choices.ood))
    if by == "discovery":
        p_values = triage(id_scores, scores, math.inf, id_groups)["p_value"].to_numpy()
        rule = alarm(id_scores, discovery_rate(p_values, rate), groups=id_groups)
    else:
        rule = alarm(id_scores, rate, groups=id_groups)
    table = triage(id_scores, scores, rule.threshold, id_groups)
    expected = false_alarms(len(scores), rule, groups=groups)
    return Found(choices.ood, detector.name, rate, by, id_scores, table, rule, expected)


def scores(run: Run, choices: Choices, theme: str) -> Figure:
    """Histograms of both sets with the threshold."""
    found = find(run, choices)
    ood_scores = found.table["score"].to_numpy()
    positive = bool(min(found.id_scores.min(), ood_scores.min()) > 0)
    bins = histogram(found.id_scores, ood_scores, bins=40, log=positive)
    sizes = pd.Series({"n_id": found.rule.n_id, "n_ood": len(ood_scores)})
    possible = math.isfinite(found.rule.threshold)
    kept = f"{RULES[found.by].lower()} of {percent(found.rate)}"
    threshold = (
        f"threshold {format_value(found.rule.threshold)} for a {kept}" if possible else f"no threshold for a {kept}"
    )
    return Figure(
        score_histogram_chart(
            bins,
            theme,
            threshold=found.rule.threshold if possible else None,
            threshold_label="Flagged above",
            log=positive,
        ),
        bins,
        f"Scores by {found.detector} of ID-test (solid) and {found.ood} (dashed), "
        f"mean of {counted(run.draws, 'draw')}; "
        f"{counts(run, sizes, found.ood)}; {threshold}.",
        f"Score histograms of {found.rule.n_id} ID-test and {len(ood_scores)} OOD images ({found.ood}); {threshold}, "
        f"{counted(int(found.table['flagged'].sum()), 'image')} above it.",
        file_stem(run, found.ood, "triage"),
    )


KINDS = {
    "triage-scores": Kind(
        "Scores of an OOD set and ID-test, with the threshold that keeps a rate",
        scores,
        ("ood", "cells"),
        (RATE, KEEPS),
    )
}
