"""The triage page's figure: scores of an OOD set on those of ID-test, and the threshold of a false-alarm rate."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.charts import score_histogram_chart
from cfs_explore.detectors.stored import Measured, Stored, measured_detectors
from cfs_explore.diagnostics import Alarm, Estimate, alarm, discovery_rate, false_alarms, histogram, triage
from cfs_explore.diagnostics.groups import members
from cfs_explore.figures.choices import Choices, default_cells
from cfs_explore.figures.detector import detector_of, justified
from cfs_explore.figures.figure import Figure, file_stem, set_counts
from cfs_explore.figures.needs import Kind
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value, percent

RULES = {"alarm": "False-alarm rate", "discovery": "False discovery rate"}
_RATES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0)
RATE = Control(
    "triage_rate",
    "Expected rate in percent",
    {rate: f"{rate:g} %" for rate in _RATES},
    5.0,
    drawn="slider",
    width=320,
    between=(0.1, 20.0),
    former=("rate",),
)
KEEPS = Control(
    "triage_by",
    "The threshold keeps",
    {rule: f"the {words.lower()}" for rule, words in RULES.items()},
    drawn="radio",
    former=("keeps",),
)


class Found(NamedTuple):
    """What a rule finds: the set, the detector, the rate as a share and by which of RULES, the scores, the rule.

    Attributes:
        rows: positions in the set of the table's images; all of them, but for a detector that measured a sample.
    """

    ood: str
    detector: str
    rate: float
    by: str
    id_scores: np.ndarray
    table: pd.DataFrame
    rule: Alarm
    expected: Estimate
    rows: np.ndarray


def find(run: Run, choices: Choices) -> Found:
    """Scores, p-values and threshold of one OOD set by the detector; the best justified one where none is given."""
    rate, by = RATE.number(choices.options) / 100, KEEPS.of(choices.options)
    detector = _detector(run, choices)
    sets = ("id_test", None), ("ood", choices.ood)
    id_scores, scores = (detector.scores(run, *which) for which in sets)
    id_rows, rows = (detector.rows(run, *which) for which in sets)
    names = zip(run.group_names(choices.ood), (id_rows, rows), strict=True)
    id_groups, groups = (members(of_set[kept]) for of_set, kept in names)
    if by == "discovery":
        p_values = triage(id_scores, scores, math.inf, id_groups)["p_value"].to_numpy()
        rule = alarm(id_scores, discovery_rate(p_values, rate), groups=id_groups)
    else:
        rule = alarm(id_scores, rate, groups=id_groups)
    table = triage(id_scores, scores, rule.threshold, id_groups)
    expected = false_alarms(len(scores), rule, groups=groups)
    return Found(choices.ood, detector.name, rate, by, id_scores, table, rule, expected, rows)


def _detector(run: Run, choices: Choices) -> Stored:
    """The one that is chosen, or else the best that the run can justify."""
    if choices.measured:
        return Measured(measured_detectors(run)[choices.measured], choices.measured)
    return detector_of(run, scoring_cells(run, choices))


def scoring_cells(run: Run, choices: Choices) -> tuple[int, ...]:
    """The cells of the detector that scores the images; of another detector that was measured, none."""
    if choices.measured:
        return ()
    given = choices.cells_given or list(choices.cells) != default_cells(run)
    return choices.cells if given else justified(run, choices.ood).cells


def scores(run: Run, choices: Choices, theme: str) -> Figure:
    """Histograms of both sets with the threshold."""
    found = find(run, choices)
    ood_scores = found.table["score"].to_numpy()
    positive = bool(min(found.id_scores.min(), ood_scores.min()) > 0)
    bins = histogram(found.id_scores, ood_scores, bins=40, log=positive)
    possible = math.isfinite(found.rule.threshold)
    noise = "with the noise that it prescribes" if choices.measured else f"mean of {counted(run.draws, 'noise draw')}"
    kept = f"{RULES[found.by].lower()} of {percent(found.rate, None)}"
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
        f"{noise}; {_sizes(run, found)}; {threshold}.",
        f"Score histograms of {found.rule.n_id:,} ID-test and {len(ood_scores):,} OOD images ({found.ood}); "
        f"{threshold}, {counted(int(found.table['flagged'].sum()), 'image')} above it.",
        file_stem(run, found.ood, "triage"),
    )


def _sizes(run: Run, found: Found) -> str:
    """How many images there are, and that it is a sample where it is one."""
    whole = run.entry("ood", found.ood).count
    if len(found.rows) == whole and len(found.id_scores) == run.id_test.count:
        return set_counts(run, found.ood)
    return (
        f"n = {len(found.id_scores):,} of {run.id_test.count:,} ID, {len(found.rows):,} of {whole:,} OOD, a sample "
        "spread over both sets"
    )


KINDS = {
    "triage-scores": Kind(
        "Scores of an OOD set and of ID-test, with the threshold for an error rate",
        scores,
        ("ood", "cells", "cells_given", "measured"),
        (RATE, KEEPS),
    )
}
