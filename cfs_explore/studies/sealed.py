"""How a prediction did that was sealed before the OOD images were opened (theory 25)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    IMAGES,
    LOG_SNR,
    N_ID,
    OOD,
    PAIRED,
    POSITION,
    SHARE,
    auroc,
    interval,
    number,
    text,
    truth,
    whole,
)
from cfs_explore.studies.diagnostic import Diagnostic, Table
from cfs_explore.studies.prediction import PAGE

_REFUSED = text("refused", "Why the seal does not judge the set, a sentence; empty where it does")
_SETS = "Student's t over the OOD sets; missing for a single set"

_RANKING = Table(
    "sealed_ranking",
    "an OOD set, then the mean of those that the seal judges, whose `ood` is empty",
    (
        OOD,
        text("verdict", "`confirmed`, `refuted`, `open`, `no evidence` (saturated) or `refused` (25)"),
        _REFUSED,
        text("seal", "Digest of the seal; empty without one"),
        text("sealed_at", "When it was made, ISO 8601; empty without one"),
        text("opened_at", "When the set's images were first opened, or the map was finished; empty for the mean"),
        *interval(
            "spearman",
            "Rank correlation of sealed and measured AUROC over the cells (25)",
            "-1 to 1",
            "bootstrap over images, on Fisher's z",
        ),
        number("sets_lo", f"Lower 95 % limit of `spearman` for other OOD sets ({_SETS})", "-1 to 1"),
        number("sets_hi", f"Upper 95 % limit of `spearman` for other OOD sets ({_SETS})", "-1 to 1"),
        number("chance", "Share of the sealed map's positions over the measured one that rank it as well (25)", SHARE),
        whole("n_sets", "OOD sets behind the row", "sets"),
        N_ID,
        whole("n_ood", "OOD images behind the row, summed over sets in the mean", IMAGES),
    ),
)
_CHOICE = Table(
    "sealed_choice",
    "a policy and OOD set, then a policy's mean over the sets that the seal judges, whose `ood` is empty",
    (
        OOD,
        text(
            "policy", "How a cell was chosen: `sealed`, `fixed`, `sparse_ed_id`, `leave_one_out` or `random` (17, 25)"
        ),
        _REFUSED,
        whole("level", "Level of the chosen cell; missing for a mean, or without a choice", POSITION, gaps=True),
        number("lam", "Log-SNR of the chosen cell", LOG_SNR),
        text("tap", "Tap of the chosen cell; missing as `level` is", gaps=True),
        *auroc("the chosen cell; for `random` the mean over all cells"),
        number("best_auroc", "Largest AUROC of any cell, biased upwards", SHARE),
        *interval("regret", "`best_auroc` minus `auroc` (17)", SHARE, PAIRED),
        *interval("gain", "AUROC of the sealed cell minus `auroc` (25)", "-1 to 1", PAIRED),
        number("sets_lo", f"Lower 95 % limit of `gain` for other OOD sets ({_SETS})", "-1 to 1"),
        number("sets_hi", f"Upper 95 % limit of `gain` for other OOD sets ({_SETS})", "-1 to 1"),
        truth("saturated", "Whether both AUROCs of `gain` are near 1, which is no evidence (30)"),
        N_ID,
        whole("n_ood", "OOD images behind the row, summed over sets in a mean", IMAGES),
        text("note", "Why the policy chose nothing; else empty"),
    ),
)

SEALED = Diagnostic(
    "sealed",
    "Sealed prediction",
    "How the cells did that were chosen from ID images alone, in a seal older than the measurement.",
    (_RANKING, _CHOICE),
    page=PAGE,
    place=22,
)
