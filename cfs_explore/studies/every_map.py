"""What every run has: images.parquet and the tables that are written with the map."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    CELL,
    DELONG,
    DRAWS,
    GROUPS,
    N_ID,
    N_OOD,
    OOD,
    SHARE,
    SIZES,
    Column,
    auroc,
    interval,
    number,
    text,
    whole,
)
from cfs_explore.studies.diagnostic import Table

_DATASET = text("dataset", "Name of the image set")
_ROLE = text("role", "Role of the set: id_train, id_test or ood")


def _precision(of: str) -> tuple[Column, ...]:
    """AUPR and FPR95 with their limits."""
    return (
        *interval("aupr", f"Average precision of {of}, OOD as the positive class (section 3)", SHARE, "theory 27"),
        *interval(
            "fpr95", "Share of ID-test above the threshold that 95 % of OOD reach (section 3)", SHARE, "theory 27"
        ),
    )


IMAGES = Table(
    "images",
    "an image, set by set, in the order of the arrays",
    (
        _DATASET,
        _ROLE,
        text("image_id", "16 hexadecimal characters from shape and pixels; they key the noise"),
        text("content_id", "As `image_id`, but the same for a grey picture stored as RGB", optional=True),
        text("name", "Path inside the set's source"),
        text("label", "Class name; empty or missing where the source has none", gaps=True),
        text("group", "Images that belong together (28); missing where it is alone", gaps=True, optional=True),
        text("format", "Native codec, `array`, or `drawn` for the built-in sets"),
        text("mode", "Pillow's mode of the file, before conversion"),
        text("colour", "`grey` or `colour`, by the pixels", optional=True),
        whole("width", "Native width, before any resize", "pixels"),
        whole("height", "Native height, before any resize", "pixels"),
        Column("thumbnail", "x", "PNG file; empty where the run may not hold pictures of the set"),
    ),
)

_AUROC_MAP = Table(
    "auroc_map",
    "a cell (level and tap) and OOD set, in the order of sets, levels and taps",
    (
        *CELL,
        *auroc("the cell's slot score, averaged over draws (3)", ends=None),
        number("draw_sd", "Standard deviation over draws of the AUROC of a single draw; NaN for one draw"),
        *_precision("the cell's score"),
        number("aupr_id", "Average precision, ID as the positive class (section 3)", SHARE),
        N_ID,
        N_OOD,
        DRAWS,
        *GROUPS,
        OOD,
    ),
)
_DETECTORS = Table(
    "detectors",
    "a preset detector and OOD set",
    (
        text(
            "name",
            "CFS(1x2), its decoder tap (CFS-dec) or its encoder tap (CFS-enc) alone; with `, ID-chosen` those of "
            "`sparse_ed_id` (4)",
        ),
        Column("cell_indices", "I", "Its cells, each level x number of taps + tap", "position"),
        *auroc("the mean of its cells' scores (4)"),
        *_precision("its score"),
        *SIZES,
        whole("cells", "Number of its cells", "cells"),
        whole("levels", "Number of its levels", "levels"),
        DRAWS,
        whole("forwards", "#F per image: levels x draws (section 1)", "forwards"),
        number("effective", "#F, each forward counted up to the last tap that it needs (section 1)", "forwards"),
        *GROUPS,
        OOD,
    ),
)
_BEST_CELL = Table(
    "best_cell",
    "an OOD set with at least four images (or groups) on each side",
    (
        *interval(
            "honest",
            "AUROC of the cell that is best on one half of the images, judged on the other; mean over splits (30)",
            SHARE,
            DELONG,
        ),
        *interval(
            "naive",
            "Largest AUROC of all cells on all images, biased upwards (section 3)",
            SHARE,
            f"{DELONG}, the choice ignored",
        ),
        number("split_sd", "Standard deviation of `honest` over splits (29)"),
        whole("repeats", "Splits, each used in both directions", "splits"),
        whole("cell_index", "Cell of `naive`: level x number of taps + tap", "position"),
        *SIZES,
        OOD,
    ),
)
_HEADS = Table(
    "heads",
    "a head and OOD set; no rows where no snapshots were kept",
    (
        text("head", "Name of the head, on the joined snapshots of the kept taps (section 2)"),
        *auroc("the head's score", optional=True),
        text("note", "Why the head could not be fitted; else empty"),
        text("taps", "The kept taps, separated by commas"),
        *SIZES,
        OOD,
    ),
)
_SKIPPED = Table(
    "skipped",
    "a file of an image set that could not be used",
    (text("name", "Path inside the set's source"), text("reason", "Why it was left out"), _DATASET, _ROLE),
)

#: By the order in which they are written.
MAP_TABLES = (_AUROC_MAP, _DETECTORS, _BEST_CELL, _HEADS, _SKIPPED)
