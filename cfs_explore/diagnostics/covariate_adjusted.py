"""Covariate-adjusted AUROC: how one score separates images that another finds alike (theory 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_vector
from cfs_explore.diagnostics.groups import Groups, independent, taken
from cfs_explore.diagnostics.intervals import auroc_interval

#: Pooled images per quantile bin, and the fewest and most bins. Wide bins leave the covariate some signal inside each,
#: which a correlated score repeats: with two scores that correlate at 0.9 and d' = 1.5, ten bins turn 0.5
#: into 0.53, forty into 0.506; the estimate's standard deviation is the same to 10 %.
IMAGES_PER_BIN, FEWEST_BINS, MOST_BINS = 16, 5, 100


class AdjustedAUROC(NamedTuple):
    """Covariate-adjusted AUROC with its confidence limits.

    Attributes:
        value: in 0..1; NaN where the covariate separates the classes perfectly, or no bin holds both.
        lo, hi: confidence limits.
        bins: quantile bins of the covariate.
        n_id, n_ood: images that share a bin with the other class; the others are compared with none.
    """

    value: float
    lo: float
    hi: float
    bins: int
    n_id: int
    n_ood: int


class _Bin(NamedTuple):
    """Image positions of one bin, (m,) and (n,), and psi (n, m): 1 where OOD is above ID, 1/2 where equal."""

    id_rows: np.ndarray
    ood_rows: np.ndarray
    psi: np.ndarray


def adjusted_auroc(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    id_covariate: np.ndarray,
    ood_covariate: np.ndarray,
    *,
    bins: int | None = None,
    groups: Groups | None = None,
    level: float = 0.95,
) -> AdjustedAUROC:
    """AUROC of a score inside quantile bins of a covariate, weighted by n_id,b n_ood,b (Janes & Pepe 2009).

    The weighted mean is the share of same-bin pairs in which the OOD image scores higher: a ratio of sums over pairs.
    Its variance is that of its first-order expansion in the images, with the bins of the sample, as DeLong's is for a
    single bin; the interval is ``intervals.auroc_interval`` for the images that are compared.

    Args:
        id_scores, ood_scores: (n_id,), (n_ood,). id_covariate, ood_covariate: of the same images.
        bins: of the pooled covariate; None takes one per ``IMAGES_PER_BIN`` images, ``FEWEST_BINS`` to
            ``MOST_BINS``.
        groups: of the images; None where each is alone.

    Raises:
        ScoreError: lengths that do not match, an empty class, NaN or infinity, fewer than one bin.
    """
    require_level(level)
    ids = _same_images(id_scores, id_covariate, "id")
    oods = _same_images(ood_scores, ood_covariate, "ood")
    n_id, n_ood = ids.shape[1], oods.shape[1]
    bins = int(np.clip((n_id + n_ood) // IMAGES_PER_BIN, FEWEST_BINS, MOST_BINS)) if bins is None else bins
    if bins < 1:
        raise ScoreError(f"bins must be at least 1. Got {bins} instead.")
    # A bin that reaches across the gap between two separate classes holds both, and compares what is not alike.
    apart = ids[1].max() < oods[1].min() or oods[1].max() < ids[1].min()
    found = [] if apart else list(_bins(ids, oods, bins))
    if not found:
        return AdjustedAUROC(np.nan, np.nan, np.nan, bins, 0, 0)
    rows = [np.concatenate(part) for part in ([each.id_rows for each in found], [each.ood_rows for each in found])]
    of_compared, compared = taken(groups, *rows), (len(rows[0]), len(rows[1]))
    value, var = _share_above(found, of_compared)
    limits = auroc_interval(np.array([value]), np.array([var]), *independent(of_compared, *compared), level)
    (lo,), (hi,) = limits
    return AdjustedAUROC(value, float(lo), float(hi), bins, *compared)


def _same_images(scores: np.ndarray, covariate: np.ndarray, name: str) -> np.ndarray:
    """Score and covariate of one class, float64 (2, n)."""
    scores, covariate = score_vector(scores, f"{name}_scores"), score_vector(covariate, f"{name}_covariate")
    if scores.size != covariate.size:
        raise ScoreError(
            f"{name}_scores and {name}_covariate must be of the same images. Got {scores.size} and {covariate.size}."
        )
    return np.stack([scores, covariate])


def _bins(ids: np.ndarray, oods: np.ndarray, bins: int) -> Iterator[_Bin]:
    """The quantile bins of the pooled covariate that hold both classes; equal covariates share a bin."""
    edges = np.quantile(np.concatenate([ids[1], oods[1]]), np.arange(1, bins) / bins)
    id_bins, ood_bins = (np.searchsorted(edges, part[1], "right") for part in (ids, oods))
    for number in np.intersect1d(id_bins, ood_bins):
        id_rows, ood_rows = np.flatnonzero(id_bins == number), np.flatnonzero(ood_bins == number)
        id_part, ood_part = ids[0, id_rows][None], oods[0, ood_rows][:, None]
        psi = (ood_part > id_part) + np.float32(0.5) * (ood_part == id_part)
        yield _Bin(id_rows, ood_rows, psi.astype(np.float32))


def _share_above(bins: list[_Bin], groups: Groups | None) -> tuple[float, float]:
    """The share of same-bin pairs in which OOD is above ID, and its variance; NaN where a class has one image.

    ``groups`` belong to the images bin by bin.
    """
    pairs = sum(part.psi.size for part in bins)
    value = sum(float(part.psi.sum(dtype=np.float64)) for part in bins) / pairs
    var, pulled = 0.0, []
    for axis in (0, 1):  # per ID image, then per OOD image: what it adds beyond the mean of its pairs
        pulls = [(part.psi.mean(axis=axis, dtype=np.float64) - value) * part.psi.shape[axis] for part in bins]
        pull = np.concatenate(pulls) / pairs
        var += (pull @ pull) * pull.size / (pull.size - 1) if pull.size > 1 else np.nan
        pulled.append(pull[None] * pull.size)
    return value, float(var if groups is None else groups.variance(*pulled)[0])
