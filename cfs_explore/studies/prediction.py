"""Whether the right cell can be found without OOD images (theory 17)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    DELONG,
    IMAGES,
    LAM,
    LEVEL,
    LOG_SNR,
    N_ID,
    OOD,
    PAIRED,
    POSITION,
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
from cfs_explore.studies.diagnostic import Counts, Diagnostic, Page, Table

#: ID-train images that become each proxy, and the kinds of proxy (theory 17).
PROXY_IMAGES = 250
PROXIES = ("blur", "noise", "jpeg", "colour", "shuffle", "flip", "mix")


def _forwards(counts: Counts) -> int:
    return (len(PROXIES) + 1) * min(counts.train, PROXY_IMAGES) * counts.levels


_CELL = (LEVEL, LAM, TAP, TAP_INDEX, REGION)

_PROXIES = Table(
    "proxies",
    "a kind of proxy and cell, on one noise draw",
    (
        text("proxy", f"What was done to ID-train images: {', '.join(PROXIES)} (17)"),
        *_CELL,
        number("delta", "Mean score of the proxies minus that of their originals (10)", "score"),
        number("var_id", "Variance of the originals' scores over images", "score squared"),
        number("var_proxy", "Variance of the proxies' scores over images", "score squared"),
        number("predicted", "Normal prediction of the AUROC from these three (13)", SHARE),
        *interval(
            "auroc",
            "AUROC of the score, originals against proxies",
            SHARE,
            f"{DELONG}, an image and its proxy being one group",
            ("lo", "hi"),
        ),
        whole("n", "ID-train images, and proxies of this kind", IMAGES),
    ),
)
_PREDICTION = Table(
    "prediction",
    "a cell and OOD set",
    (
        OOD,
        *_CELL,
        number("predicted", "Mean of the proxies' normal predictions (13, 17); NaN where no proxy is left", SHARE),
        *auroc("the cell's slot score, averaged over draws (3)"),
        text("left_out", "Kinds of proxy left out since the OOD set was made that way, separated by commas"),
        *interval(
            "spearman",
            "Rank correlation of `predicted` and `auroc` over the cells of the set, the same in each row (17)",
            "-1 to 1",
            "bootstrap over images, on Fisher's z",
        ),
        whole("n_proxy", "Images of a proxy", IMAGES),
        *SIZES,
    ),
)
_REGRET = Table(
    "regret",
    "a policy and OOD set, then a policy's mean over the sets, whose `ood` is empty",
    (
        OOD,
        text(
            "policy", "How a cell was chosen: `proxy`, `fixed`, `sparse_ed_id`, `icc`, `leave_one_out` or `random` (17)"
        ),
        whole(
            "level",
            "Level of the chosen cell; missing for a mean over cells or sets, or without a choice",
            POSITION,
            gaps=True,
        ),
        number("lam", "Log-SNR of the chosen cell", LOG_SNR),
        text("tap", "Tap of the chosen cell; missing as `level` is", gaps=True),
        *auroc("the chosen cell; for `random` the mean over all cells"),
        number("best_auroc", "Largest AUROC of any cell, biased upwards", SHARE),
        whole("best_level", "Level of that cell; missing for a mean over sets", POSITION, gaps=True),
        number("best_lam", "Log-SNR of that cell", LOG_SNR),
        text("best_tap", "Tap of that cell; missing as `best_level` is", gaps=True),
        *interval("regret", "`best_auroc` minus `auroc` (17)", SHARE, PAIRED),
        N_ID,
        whole("n_ood", "OOD images behind the row, summed over sets in a mean", IMAGES),
        text("note", "Why the policy chose nothing; else empty"),
    ),
)

PAGE = Page("prediction", "Prediction", ":material/track_changes:", "Choosing without OOD images")
PREDICTION = Diagnostic(
    "prediction",
    "Prediction",
    "Whether the right cell can be found without OOD images, and what a wrong choice costs.",
    (_PROXIES, _PREDICTION, _REGRET),
    page=PAGE,
    place=40,
    forwards=_forwards,
    reads=("id_train",),
)
