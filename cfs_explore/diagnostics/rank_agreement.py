"""Do two noise draws rank the images alike: the mean Spearman correlation of scores between draws (section 6)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import require_level
from cfs_explore.diagnostics.groups import Members, standard_error
from cfs_explore.diagnostics.intervals import z_of
from cfs_explore.diagnostics.parallel import thread_map
from cfs_explore.diagnostics.reliability import score_draws


class RankAgreement(NamedTuple):
    """Mean Spearman correlation over pairs of draws and its limits, (L, T) each; NaN where it is undefined."""

    spearman: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


def rank_agreement(scores: np.ndarray, level: float = 0.95, groups: Members | None = None) -> RankAgreement:
    """Mean Spearman correlation of each cell's scores over all pairs of draws.

    The interval is Fisher's z with the standard error of the correlation's influence function: it allows for images
    that all pairs share, and for ranks that depend on the other images, without assuming a distribution.

    Args:
        scores: (n, draws, L, T). groups: of the images (theory 28).

    Raises:
        ScoreError: another shape, no image, NaN or infinity.
    """
    require_level(level)
    scores = score_draws(scores)
    n, draws, *shape = scores.shape
    if draws < 2 or n < 2:
        return RankAgreement(*(np.full(shape, np.nan) for _ in range(3)))
    cells = np.ascontiguousarray(scores.reshape(n, draws, -1).transpose(2, 1, 0))  # (cell, draw, image)
    value, error = np.array(thread_map(lambda cell: _agreement(cell, groups), cells)).T
    z = z_of(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = z * error / (1 - value**2)
        lo, hi = np.tanh(np.arctanh(value) - half), np.tanh(np.arctanh(value) + half)
    perfect = value >= 1 - 1e-12  # one order in every draw
    lo, hi = (np.where(perfect, value, limit) for limit in (lo, hi))
    return RankAgreement(*(part.reshape(shape) for part in (value, lo, hi)))


def _agreement(values: np.ndarray, groups: Members | None) -> tuple[float, float]:
    """Mean correlation of mid-ranks and its standard error for one cell, values (draw, image)."""
    draws, n = values.shape
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    first, last = np.empty((draws, n), dtype=int), np.empty((draws, n), dtype=int)
    for m in range(draws):  # ties: the run of equal scores [first, last) that an image is in
        first[m, order[m]] = np.searchsorted(ordered[m], ordered[m], "left")
        last[m, order[m]] = np.searchsorted(ordered[m], ordered[m], "right")
    ranks = (first + last) / (2 * n) - 0.5  # mid-ranks as shares, centred: mean 0
    spread = np.sqrt(np.square(ranks).mean(axis=1))
    if not spread.all():
        return np.nan, np.nan
    ranks /= spread[:, None]
    pairs = np.triu_indices(draws, 1)
    value = float((ranks @ ranks.T / n)[pairs].mean())
    # Influence of an image: its own product of ranks, and how it moves the ranks of the images above it.
    influence = np.zeros(n)
    for m in range(draws):
        others = ranks.sum(axis=0) - ranks[m]
        above = np.concatenate([np.cumsum(others[order[m]][::-1])[::-1], [0.0]])
        moved = (above[first[m]] + above[last[m]]) / (2 * n * spread[m])
        influence += ranks[m] * others / 2 + moved
    influence /= draws * (draws - 1) / 2
    error = float(standard_error(influence, groups)) if n > 2 else np.nan
    return value, error
