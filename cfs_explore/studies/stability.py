"""How much of a snapshot survives the noise (theory 14 to 16)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    CELL,
    DRAWS,
    IMAGES,
    LAM,
    LEVEL,
    LOG_SNR,
    REQUESTED,
    TAP_FACTS,
    interval,
    number,
    text,
    truth,
    whole,
)
from cfs_explore.studies.diagnostic import Counts, Diagnostic, Page, Table

#: ID-test images, draws and log-SNRs (as far as the backbone reaches) of the local law (theory 15).
LOCAL_IMAGES, LOCAL_DRAWS, LOCAL_STEP, LOCAL_LOWEST = 128, 5, 1.0, 0.0


def local_lams(highest: float) -> list[float]:
    """Log-SNRs of the local law, clean to noisy, from the highest reachable one down."""
    top = int(highest - LOCAL_LOWEST)
    return [highest, *(LOCAL_LOWEST + LOCAL_STEP * i for i in range(top, -1, -1) if LOCAL_LOWEST + i < highest - 0.25)]


def _forwards(counts: Counts) -> int:
    n, fine = min(counts.test, LOCAL_IMAGES), len(local_lams(counts.highest))
    return n * (fine * LOCAL_DRAWS + 3 * counts.levels - 1)


_BOOTSTRAP, _V = "bootstrap over images", "variances of ID-train"
_N_ID = whole("n_id", "ID-test images that were read again", IMAGES)

_STABILITY = Table(
    "stability",
    "a cell and set (ID-test, or an OOD set); with one draw there is nothing to compare, and the numbers are NaN",
    (
        text("set", "Name of the image set"),
        text("role", "Role of the set: id_test or ood"),
        *CELL,
        *interval(
            "icc_features",
            "Reliability ICC(1) of the whitened snapshots over draws (14)",
            "at most 1",
            "F distribution",
        ),
        *interval(
            "icc_scores", "Reliability ICC(1) of the score over draws (14)", "at most 1", "jackknife over images"
        ),
        *interval(
            "spearman", "Mean rank correlation of the scores of two draws (section 6)", "-1 to 1", "influence function"
        ),
        whole("n", "Images of the set", IMAGES),
        DRAWS,
    ),
)
_LOCAL_LAW = Table(
    "local_law",
    "a tap at a level of the fine grid; `slope`, `slope_lam` and `radius` are the same in all rows of a tap",
    (
        LAM,
        number("b", "Factor of the noise, b (1)"),
        number("b_over_a", "Noise against signal, b / a (1)"),
        *TAP_FACTS,
        *interval(
            "within", "W: variance of an image's whitened snapshot over draws, mean over features (15)", _V, _BOOTSTRAP
        ),
        *interval("icc", "Reliability ICC(1) of the whitened snapshots (14)", "at most 1", "jackknife over images"),
        *interval(
            "local_slope",
            "Slope of ln W against ln b^2 from the next cleaner level (15); NaN at the cleanest",
            "",
            _BOOTSTRAP,
        ),
        _N_ID,
        whole("draws", "Noise draws of each image", "draws"),
        *interval(
            "slope",
            "Slope of ln W against ln b^2 over the small-noise levels, least squares; the law says 1 (15)",
            "",
            _BOOTSTRAP,
        ),
        number("slope_lam", "Log-SNR of the noisiest level that `slope` rests on", LOG_SNR),
        *interval(
            "radius",
            "Stability radius: the largest b / a up to which all local slopes lie in 0.8 to 1.2 and all "
            "ICC reach 0.9 (15); 0 where the cleanest level does not",
            "b / a",
            _BOOTSTRAP,
        ),
        truth("radius_end", "Whether `radius` is the noisiest level that was measured"),
    ),
)
_DRIFT = Table(
    "drift",
    "a cause, tap and level of the map, on one noise draw",
    (
        LEVEL,
        LAM,
        REQUESTED,
        *TAP_FACTS,
        text("cause", "What changes against the clean image: `noise`, `conditioning` or `both` (16)"),
        *interval(
            "drift",
            "Mean squared distance of a snapshot from that of the clean image, mean over features (16)",
            _V,
            "normal on the logarithm, over images",
            ("lo", "hi"),
        ),
        *interval(
            "own",
            "Part of `drift` in which images differ: about their mean drift (16)",
            _V,
            "normal on the logarithm, over images",
        ),
        _N_ID,
    ),
)

PAGE = Page("stability", "Stability", ":material/show_chart:", "Stability at low noise")
STABILITY = Diagnostic(
    "stability",
    "Stability",
    "How much of a snapshot survives the noise, up to which level, and why.",
    (_STABILITY, _LOCAL_LAW, _DRIFT),
    page=PAGE,
    place=30,
    forwards=_forwards,
    reads=("id_test",),
)
