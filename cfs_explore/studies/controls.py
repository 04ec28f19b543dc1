"""What the trained backbone adds to controls (theory 18)."""

from __future__ import annotations

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
    text,
    whole,
)
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Page, Table

#: Images of a set that a control measures again at most: ID-train, and each scored set.
CONTROL_TRAIN, CONTROL_IMAGES = 2_000, 500
#: Random initialisations of the untrained control: enough to estimate their spread (theory 18, 29).
UNTRAINED_SEEDS = (0, 1, 2, 3, 4)


def _forwards(counts: Counts) -> int:
    return (len(UNTRAINED_SEEDS) + 1) * counts.measured(CONTROL_TRAIN, CONTROL_IMAGES) * counts.levels


_CONTROL = text(
    "control", "`untrained` (copies with random weights) or `re-encoded` (images through JPEG and resize) (18)"
)
_DRAWS = whole(
    "draws", "Noise draws averaged on the trained side: 1, as the controls have, or all of the map's", "draws"
)
_COPIES = f"{PAIRED}, with the spread of the copies (29)"
_P = number("p", "Two-sided p of no excess", SHARE)

_CONTROLS = Table(
    "controls",
    "a cell of a control's map (each untrained copy apart) and OOD set, on one noise draw",
    (
        LEVEL,
        LAM,
        TAP_INDEX,
        TAP,
        REGION,
        _CONTROL,
        whole("seed", "Of the untrained copy's weights; missing for `re-encoded`", gaps=True),
        *auroc("the control's slot score (3)"),
        *SIZES,
        OOD,
    ),
)
_EXCESS = Table(
    "excess",
    "a cell, control, number of draws on the trained side, and OOD set",
    (
        *CELL,
        number("trained", "AUROC of the trained backbone's score, on the control's images", SHARE),
        number("control_auroc", "AUROC of the control, mean over its copies", SHARE),
        number("seed_sd", "Standard deviation of the control's AUROC over copies; NaN for one (29)"),
        *interval("excess", "`trained` minus `control_auroc` (18)", "-1 to 1", _COPIES, ("lo", "hi")),
        _P,
        _CONTROL,
        _DRAWS,
        *SIZES,
        OOD,
    ),
)
_HALVES = "best on one half of the images and judged on the other; mean over splits (30)"
_BEST_EXCESS = Table(
    "best_excess",
    "a control, number of draws on the trained side, and OOD set; NaN below four images (or groups) in a class",
    (
        text(
            "control",
            "`untrained`, `re-encoded`, `statistics` (all image statistics together), `best statistic` (of "
            "single ones) or `input tap` (the taps of the region input) (18)",
        ),
        *interval("trained", f"AUROC of the trained backbone's cell that is {_HALVES}", SHARE, DELONG),
        *interval(
            "auroc",
            f"AUROC of the control's cell that is {_HALVES}, and over copies; on all images where it has one cell",
            SHARE,
            f"{DELONG}, with the spread of the copies (29)",
        ),
        *interval("excess", "`trained` minus `auroc` (18)", "-1 to 1", _COPIES, ("lo", "hi")),
        _P,
        _DRAWS,
        *SIZES,
        OOD,
    ),
)
_IMAGE_STATISTICS = Table(
    "image_statistics",
    "a statistic of plain pixels and OOD set",
    (
        text(
            "statistic",
            "`mean`, `contrast`, `colourfulness`, `sharpness`, `complexity`, `blockiness`, or `all` together (18)",
        ),
        *auroc("the statistic under the diagonal head (3)"),
        text("note", "Why there is no number: it is constant over all images; else empty"),
        *SIZES,
        OOD,
    ),
)

PAGE = Page("controls", "Controls", ":material/fact_check:", "Controls", "Trust")
CONTROLS = Diagnostic(
    "controls",
    "Controls",
    "What the trained backbone gains over untrained copies, re-encoded images and plain pixel statistics.",
    (_CONTROLS, _EXCESS, _BEST_EXCESS, _IMAGE_STATISTICS),
    page=PAGE,
    place=50,
    forwards=_forwards,
    reads=ALL_SETS,
)
