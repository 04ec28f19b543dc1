"""A detector from any set of cells, without a further forward (theory 4), and what it costs (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfs_explore.contracts import Cell, Cost, Tap
from cfs_explore.diagnostics.checks import ScoreError, require_finite, score_maps
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.intervals import limited
from cfs_explore.diagnostics.metrics import aupr, auroc, fpr95


def compose(scores: np.ndarray, cells: Sequence[Cell]) -> np.ndarray:
    """CFS score: the mean of the slot scores of the cells, over draws (theory 4).

    Args:
        scores: slot scores (n, draws, L, T). cells: at least one, no two alike.

    Returns:
        float64 (n,), higher = more OOD.

    Raises:
        ScoreError: wrong shape, no cell, a cell twice or outside the map, NaN or infinity in a chosen cell.
    """
    scores = np.asarray(scores)
    if scores.ndim != 4 or 0 in scores.shape:
        raise ScoreError(f"scores must have shape (n_images, draws, levels, taps). Got {scores.shape} instead.")
    _check_cells(cells, scores.shape[2], scores.shape[3])
    chosen = scores[:, :, [cell.level for cell in cells], [cell.tap for cell in cells]]  # (n, draws, cells)
    require_finite(chosen, "The chosen cells' scores")
    return chosen.mean(axis=(1, 2), dtype=np.float64)


def effective_forwards(cells: Sequence[Cell], taps: Sequence[Tap], draws: int) -> float:
    """Backbone work per image, in full forwards (theory 1).

    Each level's forward stops after the deepest tap that is chosen there: draws x the sum of those depths.
    """
    deepest: dict[int, float] = {}
    for cell in cells:
        deepest[cell.level] = max(deepest.get(cell.level, 0.0), taps[cell.tap].depth)
    return draws * sum(deepest.values())


def cells_cost(cells: Sequence[Cell], taps: Sequence[Tap], draws: int) -> Cost:
    """Cost per image (theory 19): #F = distinct levels x draws."""
    levels = len({cell.level for cell in cells})
    return Cost(levels * draws, 0, effective_forwards(cells, taps, draws))


def detector_summary(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    cells: Sequence[Cell],
    *,
    taps: Sequence[Tap],
    groups: Groups | None = None,
    level: float = 0.95,
) -> dict[str, float | int]:
    """Judge the detector made of some cells: one row of the detectors' table.

    Args:
        id_scores: (n_id, draws, L, T). ood_scores: (n_ood, draws, L, T). cells: as for ``compose``. taps: the
            T taps. groups: of the images; None where each is alone.

    Returns:
        Columns of ``detectors`` (``studies.every_map``) from auroc to effective.

    Raises:
        ScoreError: as for ``compose``, or another number of taps.
    """
    id_scores, ood_scores = score_maps(id_scores, ood_scores)
    draws, _, tap_count = id_scores.shape[1:]
    if len(taps) != tap_count:
        raise ScoreError(f"The scores have {tap_count} taps. Got {len(taps)} taps instead.")
    samples = compose(id_scores, cells), compose(ood_scores, cells)
    row: dict[str, float | int] = dict(
        zip(("auroc", "lo", "hi"), auroc(*samples, level=level, groups=groups), strict=True)
    )
    for name, metric in (("aupr", aupr), ("fpr95", fpr95)):
        row |= limited(name, *metric(*samples, level=level, groups=groups))
    cost = cells_cost(cells, taps, draws)
    return row | {
        "n_id": len(id_scores),
        "n_ood": len(ood_scores),
        "cells": len(cells),
        "levels": len({cell.level for cell in cells}),
        "draws": draws,
        "forwards": cost.forwards,
        "effective": cost.effective,
    }


def _check_cells(cells: Sequence[Cell], levels: int, taps: int) -> None:
    if not cells:
        raise ScoreError("A detector needs at least one cell. Choose a level and a tap.")
    if len(set(cells)) < len(cells):
        raise ScoreError(f"Each cell counts once in the mean. Got a cell twice in {list(cells)}.")
    for cell in cells:
        if not (0 <= cell.level < levels and 0 <= cell.tap < taps):
            raise ScoreError(f"A cell must be inside the map of {levels} levels x {taps} taps. Got {cell} instead.")
