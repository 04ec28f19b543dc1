"""How much the map depends on where its levels are placed (theory 1)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    LOG_SNR,
    OOD,
    PAIRED,
    POSITION,
    REQUESTED,
    SHARE,
    SIZES,
    TAP,
    auroc,
    interval,
    number,
    text,
    truth,
    whole,
)
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Table
from cfs_explore.studies.levels import PAGE

#: Images of ID-train, and of each scored set, that are measured again under every alignment; the shifts of log-SNR.
VARIANT_TRAIN, VARIANT_IMAGES, VARIANT_SHIFTS = 1_000, 250, (-0.5, 0.5)


def _forwards(counts: Counts) -> int:
    variants = 2 + len(VARIANT_SHIFTS) + (2 if counts.reference else 0)  # logsnr and uniform_t; those by a reference
    return counts.measured(VARIANT_TRAIN, VARIANT_IMAGES) * counts.levels * variants


_VARIANT = text("variant", "Name of an alignment, or how far the levels were moved, as `lam - 0.5` (section 1)")
_INDEX = whole("index", "Level of the run that was moved, from 0, the cleanest first", POSITION)
_LAM = number("lam", "Log-SNR of the moved level as the backbone has it (1)", LOG_SNR)


def _best(side: str, whose: str) -> tuple:
    return (
        text(f"{side}_tap", f"Tap of the best cell of {whose}"),
        number(f"{side}_auroc", "AUROC of that cell (naive maximum)", SHARE),
    )


def _place(side: str, whose: str) -> tuple:
    return (
        number(f"{side}_requested", f"Log-SNR of the best cell of {whose}, as the spec asks for its level", LOG_SNR),
        number(f"{side}_lam", f"Log-SNR of the best cell of {whose}, as the backbone has it there", LOG_SNR),
    )


_ALIGNMENT_LEVELS = Table(
    "alignment_levels",
    "a level of a variant",
    (
        _VARIANT,
        _INDEX,
        REQUESTED,
        _LAM,
        number("native", "The moved level in the backbone's own terms: timestep, sigma or time"),
        number("a", "Factor of the image, a (1)"),
        number("b", "Factor of the noise, b (1)"),
        truth("reachable", "Whether the backbone has the level where the variant wants it, to 0.25"),
    ),
)
_ALIGNMENT_MAPS = Table(
    "alignment_maps",
    "a cell of a variant's map and OOD set, on one noise draw",
    (_VARIANT, OOD, _INDEX, REQUESTED, _LAM, TAP, *auroc("the cell's slot score (3)"), *SIZES),
)
_SENSITIVITY = Table(
    "sensitivity",
    "a variant and OOD set, against the run's own alignment on the same images",
    (
        _VARIANT,
        text("baseline", "The run's own alignment"),
        OOD,
        *interval("spearman", "Rank correlation over cells of both maps' AUROCs", "-1 to 1", "bootstrap over images"),
        whole("cells", "Cells that `spearman` rests on: those of reachable levels", "cells"),
        *_best("best", "the variant's map"),
        *_best("baseline", "the baseline's map"),
        whole("moved_levels", "How many levels the best cell moved; above 0 to noisier ones", "levels"),
        number("moved_depth", "How far the best cell moved in depth", "-1 to 1"),
        *interval(
            "cost_of_moving",
            "In the baseline's map, AUROC of its best cell minus that of the variant's best cell",
            "-1 to 1",
            PAIRED,
        ),
        *auroc(
            "CFS(1x2) in the variant's map (4); NaN without the published taps",
            name="cfs_auroc",
            ends=("cfs_lo", "cfs_hi"),
        ),
        number("dec_auroc", "AUROC of CFS-dec(1x1) in the variant's map (4)", SHARE),
        *interval("cfs_minus_dec", "`cfs_auroc` minus `dec_auroc`", "-1 to 1", PAIRED),
        number("cfs_place", "Share of the variant's single cells with a lower AUROC than its CFS(1x2)", SHARE),
        number("baseline_place", "The same of the baseline's map", SHARE),
        *SIZES,
        *_place("best", "the variant's map"),
        *_place("baseline", "the baseline's map"),
    ),
)

ALIGNMENT = Diagnostic(
    "alignment",
    "Alignment",
    "How much the map depends on where its levels are placed.",
    (_ALIGNMENT_LEVELS, _ALIGNMENT_MAPS, _SENSITIVITY),
    page=PAGE,
    place=80,
    forwards=_forwards,
    reads=ALL_SETS,
)
