"""Where the levels stand on a backbone, what they look like, and what a forward to each tap costs (theory 1)."""

from __future__ import annotations

import math

from cfs_explore.studies.columns import DEPTH, IMAGES, LAM, POSITION, Column, number, text, whole
from cfs_explore.studies.diagnostic import CURVE_LOWEST, Counts, Diagnostic, Page, Table

#: ID-train images of the alignment curves, and their step in log-SNR.
ALIGNMENT_IMAGES, CURVE_STEP = 64, 0.5
#: Pictures of corrupted images: of ID-test, and of each OOD set.
PICTURES, OOD_PICTURES = 4, 1


def curve_lams(lowest: float, highest: float) -> list[float]:
    """Log-SNRs of the alignment curves, clean to noisy, ends included."""
    lowest = max(lowest, min(CURVE_LOWEST, highest))
    steps = math.ceil((highest - lowest) / CURVE_STEP - 1e-9)
    return [highest - CURVE_STEP * i for i in range(steps)] + [lowest]


def _forwards(counts: Counts) -> int:
    return min(counts.train, ALIGNMENT_IMAGES) * len(curve_lams(counts.lowest, counts.highest))


_ALIGNMENT_CURVES = Table(
    "alignment_curves",
    "a level of the fine grid, clean to noisy, on ID-train images and one noise draw",
    (
        LAM,
        number("native", "The level in the backbone's own terms: timestep, sigma or time"),
        number(
            "score_norm",
            "Mean |eps_hat|^2 / mean |e|^2: 0 for a network that predicts nothing, 1 for a perfect one (section 1)",
            "ratio",
        ),
        number("score_norm_se", "Standard error of `score_norm` over images", "ratio"),
        number("perceptual", "Mean 1 - SSIM(x0, x_lam / a) between decoded images (section 1)", "0 to 2"),
        number("perceptual_se", "Standard error of `perceptual` over images", "0 to 2"),
        whole("n", "ID-train images", IMAGES),
    ),
)
LEVEL_PICTURES = Table(
    "level_pictures",
    "an image at a level of the map; none of sets whose pictures the run may not hold",
    (
        text("role", "Role of the set: id_test or ood"),
        text("dataset", "Name of the image set"),
        text("image_id", "Of images.parquet"),
        whole("level", "Level of the run, from 0; -1 is the clean image", POSITION),
        Column("png", "x", "PNG file: the decoded x_lam / sqrt(a^2 + b^2), clipped to [-1, 1]"),
    ),
)
_COST = Table(
    "cost",
    "a tap; the last row, whose `tap` is empty, is the whole forward",
    (
        text("tap", "Name of the tap after which the forward stops; empty for the whole one"),
        DEPTH,
        number("ms", "Time per image of a forward up to the tap, pooling included, median over repeats", "ms"),
        number("ms_lo", "10th percentile of that time over repeats", "ms"),
        number("ms_hi", "90th percentile of that time over repeats", "ms"),
        whole("repeats", "Times that each was measured", "repeats"),
        whole("batch", "Images of a batch", IMAGES),
        text("device", "Kind of the device: cpu, cuda or mps"),
    ),
)

PAGE = Page("protocol", "Protocol", ":material/balance:", "Protocol", "Trust")
LEVELS = Diagnostic(
    "levels",
    "Levels and cost",
    "Where the levels stand on this backbone, what they look like, and what a forward to each tap costs.",
    (_ALIGNMENT_CURVES, LEVEL_PICTURES, _COST),
    page=PAGE,
    place=70,
    forwards=_forwards,
    reads=("id_train",),
    shows=True,
)
