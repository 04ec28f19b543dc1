"""What makes the diagonal scores separate (theory 10 to 13)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    CELL,
    DELONG,
    DRAWS,
    LAM,
    LEVEL,
    OOD,
    PAIRED,
    SHARE,
    SIZES,
    TAP,
    auroc,
    interval,
    number,
    text,
    whole,
)
from cfs_explore.studies.diagnostic import Diagnostic, Page, Table

#: A cell whose snapshots were kept, and the OOD set.
_KEPT = (OOD, TAP, LEVEL, LAM)
_CONSERVATIVE = "holds for any correlation of the features"

_SEPARATION = Table(
    "separation",
    "a cell and OOD set",
    (
        *CELL,
        *interval("delta", "Delta: mean score of OOD minus that of ID-test (10)", "score", "Welch's t over images"),
        *interval("mean_shift", "Part of `delta` that comes from shifted feature means (10)", "score", _CONSERVATIVE),
        *interval(
            "variance_change", "Part of `delta` that comes from changed feature variances (10)", "score", _CONSERVATIVE
        ),
        number("var_id", "Variance over ID-test images of the score averaged over draws", "score squared"),
        number("var_ood", "Variance over OOD images of the score averaged over draws", "score squared"),
        number("predicted", "Normal prediction of the AUROC (13)", SHARE),
        number("bound", "Cantelli's lower bound of the AUROC (12); NaN unless `delta` > 0", SHARE),
        *auroc("the cell's slot score, averaged over draws (3)"),
        number(
            "participation_ratio",
            "How many features would carry `delta` if they shared it equally (section 5)",
            "features",
        ),
        whole("d", "Features of the tap: 2 per channel (2)", "features"),
        number("d_eff", "Effective dimension of ID-test's features (11)", "features"),
        number("var_gauss", "Variance of a single-draw ID score if features were Gaussian (11)", "score squared"),
        *interval(
            "var_ratio",
            "Measured variance of single-draw ID scores / `var_gauss` (11)",
            "ratio",
            "over images, on the logarithm",
        ),
        *SIZES,
        DRAWS,
        OOD,
    ),
)
TOP_CHANNELS = Table(
    "top_channels",
    "a number of features at a kept cell, and OOD set",
    (
        *_KEPT,
        whole("k", "Features that the score is restricted to, those with the largest c_j (10)", "features"),
        *interval(
            "auroc",
            "AUROC of that score, ranked on one half of the images and judged on the other; mean over splits",
            SHARE,
            DELONG,
            ("lo", "hi"),
        ),
        *SIZES,
    ),
)
CELL_HEADS = Table(
    "cell_heads",
    "a head at a kept cell, and OOD set",
    (
        *_KEPT,
        text("head", "Name of the head, fitted on the cell's snapshots of ID-train (section 2)"),
        *auroc("the head's score on first-draw snapshots"),
        *interval("difference", "`auroc` minus that of the head `diag`; NaN for `diag` itself", "-1 to 1", PAIRED),
        text("note", "Why the head could not be fitted; else empty"),
        *SIZES,
    ),
)

PAGE = Page("separation", "Separation", ":material/align_horizontal_left:", "What makes the scores separate")
SEPARATION = Diagnostic(
    "separation",
    "Separation",
    "What makes the scores separate: mean shift or variance, in which channels, and what other heads find.",
    (_SEPARATION, TOP_CHANNELS, CELL_HEADS),
    page=PAGE,
    place=20,
)
