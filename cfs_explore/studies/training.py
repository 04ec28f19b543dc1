"""How the map comes into being with training: the weights that it kept on its way (theory 38)."""

from __future__ import annotations

from cfs_explore.studies import controls
from cfs_explore.studies.columns import (
    CELL,
    DELONG,
    LAM,
    LEVEL,
    OOD,
    PAIRED,
    REGION,
    SHARE,
    SIZES,
    TAP,
    TAP_INDEX,
    auroc,
    interval,
    number,
    truth,
    whole,
)
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Page, Table


def _forwards(counts: Counts) -> int:
    """Of every kept step on the controls' images; the run's own network is read from the map."""
    images = counts.measured(controls.CONTROL_TRAIN, controls.CONTROL_IMAGES)
    return counts.milestones * images * counts.levels


_STEP = (
    whole("step", "Steps of the training after which the weights were taken; 0 for the first weights", "steps"),
    truth("own", "Whether they are the run's own network, the last of them"),
)
_HALVES = "best on one half of the images and judged on the other; mean over splits (30)"

_MAP = Table(
    "training_map",
    "a cell at a step of the training and OOD set, on one noise draw",
    (
        *_STEP,
        *CELL,
        *auroc("the cell's slot score (3)"),
        *interval("to_come", "AUROC of the run's own network minus `auroc` (38)", "-1 to 1", PAIRED),
        number("to_come_p", "Two-sided p of no difference", SHARE),
        *SIZES,
        OOD,
    ),
)
_STEPS = Table(
    "training_steps",
    "a step of the training and OOD set, on one noise draw",
    (
        *_STEP,
        *auroc(
            "CFS(1x2), at the cells of the run's own network (4); NaN without the published taps",
            name="pair",
            ends=None,
        ),
        *interval(
            "best", f"AUROC of the step's cell that is {_HALVES}; NaN below four images in a class", SHARE, DELONG
        ),
        number("highest", "Largest AUROC of the step's cells on all images, biased upwards", SHARE),
        LEVEL._replace(meaning="Level of the cell of `highest`, from 0, the cleanest first"),
        LAM,
        TAP_INDEX._replace(meaning="Tap of the cell of `highest`, from 0"),
        TAP,
        REGION,
        *interval("mean", "Mean AUROC over all cells (38)", SHARE, DELONG),
        *interval("excess", "`mean` minus that of step 0 (38)", "-1 to 1", PAIRED),
        number("excess_p", "Two-sided p of no excess", SHARE),
        *interval("best_excess", "`best` minus that of step 0, each side's own best cell (38)", "-1 to 1", PAIRED),
        number("best_excess_p", "Two-sided p of no excess of the best cell", SHARE),
        *SIZES,
        OOD,
    ),
)

PAGE = Page("training", "Training", ":material/timeline:", "Along training", "Learn")
TRAINING = Diagnostic(
    "training",
    "Training",
    "How the map, its best cell and the excess over the first weights come into being with training.",
    (_MAP, _STEPS),
    page=PAGE,
    place=97,
    forwards=_forwards,
    reads=ALL_SETS,
    applies=lambda counts: counts.milestones > 0,
    lacking="It needs the weights that the backbone's training kept on its way, and none are beside it: "
    "`cfs-explore train` with `milestones: true` keeps them, or the spec names their folder under "
    "`backbone: {milestones: FOLDER}`.",
)
