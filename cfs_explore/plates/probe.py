"""The probe page's plates of a tap, made of what it has seen: images among ID scores, and z-scores (theory 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import histogram
from cfs_explore.figures import short_tap_name
from cfs_explore.figures.score_marks import score_marks_figure
from cfs_explore.figures.theme import format_value
from cfs_explore.figures.z_bars import z_bars_figure
from cfs_explore.headlines.probe import format_score
from cfs_explore.plates.plate import Plate, file_stem
from cfs_explore.store import Run

_BINS = 40


def id_bins(scores: np.ndarray) -> tuple[pd.DataFrame, bool]:
    """Histogram of ID scores (n,): left, right, id (share); and whether its bins are even in ln(score)."""
    log = bool(scores.min() > 0)
    return histogram(scores, scores, bins=_BINS, log=log)[["left", "right", "id"]], log


def scores_caption(run: Run, reference: Level) -> str:
    """What slot scores are shown among: the ID test images at a measured level."""
    return (
        f"Slot scores of single draws. Grey: {run.id_test.count:,} ID test images × {run.draws} draws at "
        f"λ = {format_value(reference.lam, 2)}."
    )


def z_caption(run: Run, reference: Level) -> str:
    """What z-scores are measured with: ID-train's statistics at a measured level."""
    return (
        f"z = (feature − μ) / √v, μ and v of {run.entry('id_train').samples:,} ID-train snapshots at "
        f"λ = {format_value(reference.lam, 2)}; the mean of z² over both rows is the slot score."
    )


def scores(
    run: Run, tap: Tap, images: pd.DataFrame, bins: pd.DataFrame, log: bool, reference: Level, theme: str = "light"
) -> Plate:
    """Slot scores of the images at a tap on the histogram of the ID-test images.

    Args:
        run: the exploration.
        tap: where.
        images: a row each: image (its letter), role ("id" or "ood"), score.
        bins, log: of ``id_bins``.
        reference: the measured level of the ID scores.
        theme: "light" or "dark".
    """
    texts = [f"{row.image} {format_score(row.score)}" for row in images.itertuples()]
    return Plate(
        score_marks_figure(bins, images.assign(text=texts), theme, log=log),
        images[["image", "score"]],
        scores_caption(run, reference),
        f"Slot scores {', '.join(texts)} on the histogram of {run.id_test.count} ID test images at "
        f"{short_tap_name(tap.name)}.",
        file_stem(run, "probe", tap.name, "score"),
    )


def z_scores(
    run: Run, tap: Tap, table: pd.DataFrame, roles: Mapping[str, str], reference: Level, theme: str = "light"
) -> Plate:
    """z-scores of a tap's channels in each image.

    Args:
        run: the exploration.
        tap: where.
        table: a row per image and feature: image, channel, pooling (mean or std), value, z.
        roles: image -> "id" or "ood".
        reference: the measured level of ID-train's statistics.
        theme: "light" or "dark".
    """
    largest = table.loc[table["z"].abs().idxmax()]
    return Plate(
        z_bars_figure(table, roles, theme),
        table,
        z_caption(run, reference),
        f"z-scores of {tap.channels} channels' means and standard deviations; the largest is "
        f"{largest['z']:.1f}, image {largest['image']}, channel {largest['channel']}.",
        file_stem(run, "probe", tap.name, "z"),
    )
