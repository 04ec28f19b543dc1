"""How much a map hangs on where its levels stand: the same images under another alignment, against a baseline.

AUROC is a mean of placements (``delong.placements``), so a resample of the images reweights them. The bootstrap takes
that first-order term, A* = A + (mean of resampled ID placements - A) + (that of the OOD ones - A), on which DeLong's
variance rests too: both maps share the resamples, which cost one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, score_maps
from cfs_explore.diagnostics.compose import compose
from cfs_explore.diagnostics.excess import Placed, paired_limits
from cfs_explore.diagnostics.groups import Groups, weights
from cfs_explore.diagnostics.intervals import auroc_interval, limited
from cfs_explore.diagnostics.metrics import Estimate

#: ID scores (n_id, draws, L, T) and OOD scores (n_ood, draws, L, T).
Scores = tuple[np.ndarray, np.ndarray]


def map_agreement(
    first: Placed, second: Placed, *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Estimate:
    """Spearman correlation over cells of two maps of the same images, ties by mid-ranks, with a bootstrap interval.

    A resample adds noise to both maps, so that the interval reaches rather too low than too high. NaN where a map is
    constant, or has a single cell or none.

    Args:
        first, second: placements of the same cells and images.
    """
    own = [_spearman(first.judged.auroc[None], second.judged.auroc[None])[0]]
    if np.isnan(own[0]):
        return Estimate(*(float("nan"),) * 3)
    rng = np.random.default_rng(seed)
    sizes = first.id.shape[1], first.ood.shape[1]
    drawn = [part / len(part) for part in weights(first.groups, *sizes, resamples, rng)]
    resampled = _spearman(*(_resampled(placed, drawn) for placed in (first, second)))
    tail = (1 - level) / 2
    lo, hi = np.nanquantile([*resampled, *own], [tail, 1 - tail])
    return Estimate(float(own[0]), float(min(lo, own[0])), float(max(hi, own[0])))


def sensitivity(
    variant: Scores,
    baseline: Scores,
    *,
    depths: Sequence[float],
    reachable: Sequence[bool] | None = None,
    pair: tuple[int, int] | None = None,
    main: int = 0,
    groups: Groups | None = None,
    seed: int = 0,
) -> dict[str, float | int]:
    """What a variant of the map changes: its order of cells, its best cell, and the place of CFS(1x2).

    Args:
        variant, baseline: slot scores of the same images, levels (by position) and taps.
        depths: of the taps.
        reachable: whether the variant has each level; the order is compared over the levels that it has.
        pair: positions of the encoder and decoder tap of CFS(1x2); None leaves its numbers NaN.
        main: position of the level of CFS(1x2).
        groups: of the images; None where each is alone.

    Returns:
        The numbers of the table ``sensitivity`` (``studies.alignment``); of the best cells best_level and best_tap,
        baseline_level and baseline_tap are positions.

    Raises:
        ScoreError: shapes that do not match; NaN or infinity.
    """
    maps = [score_maps(*scores) for scores in (variant, baseline)]
    if [part.shape for part in maps[0]] != [part.shape for part in maps[1]]:
        raise ScoreError("A variant must score the baseline's images at as many levels and taps.")
    own, other = (Placed.of(*(cell_rows(part) for part in scores), groups) for scores in maps)
    levels, taps = maps[0][0].shape[2:]
    compared = np.repeat(np.ones(levels, dtype=bool) if reachable is None else np.asarray(reachable), taps)
    agreement = map_agreement(own.at(compared), other.at(compared), seed=seed)
    row: dict[str, float | int] = limited("spearman", *agreement) | {"cells": int(compared.sum())}
    row |= _best(own, other, taps, depths)
    row |= _published(maps, (own, other), pair, main)
    return row | {"n_id": len(maps[0][0]), "n_ood": len(maps[0][1])}


def _best(own: Placed, other: Placed, taps: int, depths: Sequence[float]) -> dict[str, float | int]:
    """Where the best cell is, where it was, and what the move costs in the baseline's map."""
    found, before = (int(cells.judged.auroc.argmax()) for cells in (own, other))
    cell, cell_before = Cell.at(found, taps), Cell.at(before, taps)
    there, here = (other.at([cell]) for cell in (before, found))
    lo, hi = paired_limits(there.judged, here.judged, there.minus(here).judged.var, *other.independent)
    cost = Estimate(float(there.judged.auroc[0] - here.judged.auroc[0]), float(lo[0]), float(hi[0]))
    if found == before:
        cost = Estimate(0.0, 0.0, 0.0)
    return {
        "best_level": cell.level,
        "best_tap": cell.tap,
        "best_auroc": float(own.judged.auroc[found]),
        "baseline_level": cell_before.level,
        "baseline_tap": cell_before.tap,
        "baseline_auroc": float(other.judged.auroc[before]),
        "moved_levels": cell.level - cell_before.level,
        "moved_depth": float(depths[cell.tap] - depths[cell_before.tap]),
        **limited("cost_of_moving", *cost),
    }


def _published(
    maps: Sequence[Scores], placed: Sequence[Placed], pair: tuple[int, int] | None, main: int
) -> dict[str, float]:
    """CFS(1x2) and CFS-dec at the main level; NaN without a pair."""
    names = ("cfs_auroc", "cfs_lo", "cfs_hi", "dec_auroc", "cfs_minus_dec", "cfs_minus_dec_lo", "cfs_minus_dec_hi")
    if pair is None:
        return dict.fromkeys((*names, "cfs_place", "baseline_place"), float("nan"))
    cells = [Cell(main, tap) for tap in pair]
    both, baseline, decoder = (
        Placed.of(*(compose(part, chosen)[None] for part in scores), placed[0].groups)
        for scores, chosen in ((maps[0], cells), (maps[1], cells), (maps[0], cells[1:]))
    )
    limits = auroc_interval(*both.judged, *both.independent)
    lo, hi = paired_limits(both.judged, decoder.judged, both.minus(decoder).judged.var, *both.independent)
    cfs, dec = both.judged.auroc, decoder.judged.auroc
    values = [float(value[0]) for value in (cfs, *limits, dec, cfs - dec, lo, hi)]
    places = {
        name: float((cells_placed.judged.auroc < detector.judged.auroc[0]).mean())
        for name, cells_placed, detector in zip(("cfs_place", "baseline_place"), placed, (both, baseline), strict=True)
    }
    return dict(zip(names, values, strict=True)) | places


def _resampled(placed: Placed, weights: Sequence[np.ndarray]) -> np.ndarray:
    """First-order AUROC of every resample, (resamples, cells); weights (n, resamples) sum to 1."""
    return (placed.id @ weights[0] + placed.ood @ weights[1] - placed.judged.auroc[:, None]).T


def _spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rank correlation of the rows of two arrays (rows, cells), (rows,)."""
    from scipy.stats import rankdata  # slow to import

    if first.shape[1] == 0:
        return np.full(len(first), np.nan)
    # AUROCs that are equal but for rounding are ties.
    ranks = [rankdata(np.round(values, 10), axis=1) for values in (first, second)]
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
