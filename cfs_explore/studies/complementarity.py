"""What encoder and decoder know apart from each other (theory 4 to 9)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    IMAGES,
    LAM,
    LEVEL,
    N_ID,
    N_OOD,
    OOD,
    PAIRED,
    SHARE,
    SIZES,
    Column,
    auroc,
    interval,
    number,
    text,
    truth,
    whole,
)
from cfs_explore.studies.diagnostic import Diagnostic, Page, Table

_BOOTSTRAP = "stratified bootstrap over images"
_SQUARED = "squared standard deviations"


def _distance(name: str, meaning: str) -> tuple[Column, ...]:
    return interval(name, meaning, _SQUARED, _BOOTSTRAP)


def _adjusted(side: str, score: str, given: str) -> tuple[Column, ...]:
    return interval(
        f"adjusted_{side}",
        f"Share of pairs of images alike in the {given} score in which the {score} score is higher for OOD (8)",
        SHARE,
        "first-order variance over images",
    )


def _compared(side: str, given: str) -> tuple[Column, ...]:
    return tuple(
        whole(
            f"adjusted_{side}_{n.name}",
            f"{kind} images that share a bin of the {given} score with the other class",
            IMAGES,
        )
        for n, kind in ((N_ID, "ID-test"), (N_OOD, "OOD"))
    )


def _bits(side: str, score: str, given: str) -> tuple[Column, ...]:
    meaning = f"Information of the {score} score about the class, given the {given} score (9)"
    return interval(f"bits_{side}", meaning, "bits", "normal, over images")


_COMPLEMENTARITY = Table(
    "complementarity",
    "a scale, preset pair of taps, level and OOD set; no rows without the published taps. What does not depend on the "
    "scale, from `auroc_e` on, stands in both rows",
    (
        OOD,
        LEVEL,
        LAM,
        text("preset", "Policy that chose the two taps: `sparse_ed` or `sparse_ed_id`"),
        text("encoder", "Name of the encoder tap"),
        text("decoder", "Name of the decoder tap"),
        text("scale", "`s`, the scores themselves, or `ln s`, their logarithms"),
        *_distance("d2", "D2, squared distance of the class means of both scores together (5)"),
        *_distance("d2_e", "D2 of the encoder score alone (5)"),
        *_distance("d2_d", "D2 of the decoder score alone (5)"),
        *_distance("gain_d", "Gain of the decoder given the encoder (6)"),
        *_distance("gain_e", "Gain of the encoder given the decoder (6)"),
        *_distance("d2_avg", "D2 of the plain average of both (7)"),
        *interval("realised", "Share of D2 that the plain average realises, `d2_avg` / `d2` (7)", SHARE, _BOOTSTRAP),
        *interval(
            "shift_d",
            "Signed root of `gain_d`: below 0, OOD lies lower than the encoder score predicts (6)",
            "standard deviations",
            _BOOTSTRAP,
        ),
        *interval("shift_e", "Signed root of `gain_e` (6)", "standard deviations", _BOOTSTRAP),
        truth("avg_beats_e", "Whether `d2_avg` is above `d2_e` (7); missing where unknown", gaps=True),
        truth("avg_beats_d", "Whether `d2_avg` is above `d2_d` (7); missing where unknown", gaps=True),
        *auroc("the encoder score", name="auroc_e", ends=None),
        *auroc("the decoder score", name="auroc_d", ends=None),
        *auroc("the sum of both", name="auroc_avg", ends=None),
        *interval("auroc_gain", "`auroc_avg` minus the larger of `auroc_e` and `auroc_d`", "-1 to 1", PAIRED),
        number("auroc_gain_p", "Two-sided p of no gain (paired DeLong)", SHARE),
        text("better", "Which AUROC is larger: `encoder` or `decoder`"),
        *_adjusted("d", "decoder", "encoder"),
        *_adjusted("e", "encoder", "decoder"),
        *_compared("d", "encoder"),
        *_compared("e", "decoder"),
        *_bits("d", "decoder", "encoder"),
        *_bits("e", "encoder", "decoder"),
        number("loss_e", "Cross-validated log-loss of the encoder score alone: what it leaves open (9)", "bits"),
        number("loss_d", "Cross-validated log-loss of the decoder score alone (9)", "bits"),
        number("threshold_e", "Encoder score that 95 % of ID-test do not exceed", "score"),
        number("threshold_d", "Decoder score that 95 % of ID-test do not exceed", "score"),
        number("threshold_avg", "Mean of both scores that 95 % of ID-test do not exceed", "score"),
        whole("caught_both", "OOD images above both thresholds", IMAGES),
        whole("caught_encoder", "OOD images above the encoder's threshold alone", IMAGES),
        whole("caught_decoder", "OOD images above the decoder's threshold alone", IMAGES),
        whole("caught_neither", "OOD images below both thresholds", IMAGES),
        *SIZES,
    ),
)
_PAIR_GAIN = Table(
    "pair_gain",
    "two taps at a level, and OOD set; no rows for a single tap",
    (
        OOD,
        LEVEL,
        LAM,
        text("tap_a", "Name of the tap that is executed first"),
        text("tap_b", "Name of the other tap"),
        number("auroc", "AUROC of the sum of both taps' scores", SHARE),
        number("gain", "`auroc` minus `best_single`", "-1 to 1"),
        number("best_single", "Larger AUROC of the two taps alone", SHARE),
        truth("straddles", "Whether one tap is before the bottleneck and the other behind it"),
        *SIZES,
    ),
)

PAGE = Page("complementarity", "Complementarity", ":material/join_inner:", "Encoder and decoder")
COMPLEMENTARITY = Diagnostic(
    "complementarity",
    "Complementarity",
    "What encoder and decoder add to each other, and what averaging any two taps is worth.",
    (_COMPLEMENTARITY, _PAIR_GAIN),
    page=PAGE,
    place=10,
)
