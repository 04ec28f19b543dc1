"""How well proxies made from ID images rank the cells of a real OOD set (theory 17).

Cells are ranked by the normal prediction (13) against each proxy, averaged over the proxies that are allowed; the
ranking is judged by its Spearman correlation with the measured AUROC over all cells of the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.bootstrap import resample_counts
from cfs_explore.diagnostics.checks import cell_rows, require_level, score_maps
from cfs_explore.diagnostics.delong import delong, placements
from cfs_explore.diagnostics.groups import Groups, Members, sample_variance, set_weights, weights
from cfs_explore.diagnostics.intervals import auroc_interval, z_of
from cfs_explore.diagnostics.metrics import Estimate
from cfs_explore.diagnostics.predicted_auroc import normal_prediction

#: Fewest cells whose order means anything.
_FEWEST = 3


def proxy_table(
    id_scores: np.ndarray,
    proxy_scores: Mapping[str, np.ndarray],
    levels: Sequence[Level],
    taps: Sequence[Tap],
    groups: Members | None = None,
) -> pd.DataFrame:
    """Every cell against every proxy.

    Args:
        id_scores: of the original images, (n, draws, L, T). proxy_scores: kind -> scores of their proxies, likewise.
        levels: the L levels. taps: the T taps. groups: of the originals; None where each is alone.

    Returns:
        The table ``proxies`` (``studies.prediction``). Variances divide by n - 1; NaN for one image.

    Raises:
        ScoreError: shapes that do not match, NaN or infinity.
    """
    cells = cell_columns(levels, taps)[["level", "lam", "tap", "tap_index", "region"]]
    parts = []
    for kind, scores in proxy_scores.items():
        id_rows, proxy_rows = (cell_rows(values) for values in score_maps(id_scores, scores))
        delta = proxy_rows.mean(axis=1) - id_rows.mean(axis=1)
        var_id, var_proxy = sample_variance(id_rows), sample_variance(proxy_rows)
        pairs = np.arange(id_rows.shape[1]) if groups is None else groups.codes
        count = len(pairs) if groups is None else groups.count
        value, var = delong(id_rows, proxy_rows, Groups(pairs, pairs))
        lo, hi = auroc_interval(value, var, count, count)
        numbers = {"delta": delta, "var_id": var_id, "var_proxy": var_proxy}
        numbers |= {"predicted": normal_prediction(delta, var_id, var_proxy), "auroc": value, "lo": lo, "hi": hi}
        parts.append(cells.assign(proxy=kind, **numbers, n=id_rows.shape[1]))
    table = pd.concat(parts, ignore_index=True)
    return table[["proxy", *table.columns.drop("proxy")]]


def resampled_predictions(
    id_scores: np.ndarray,
    proxy_scores: Mapping[str, np.ndarray],
    resamples: int,
    seed: int,
    groups: Members | None = None,
) -> dict[str, np.ndarray]:
    """The normal prediction (13) of every cell against each proxy in bootstrap resamples, (resamples, L * T) each.

    An image and its proxies are drawn together, and all kinds share the draws.

    Args:
        id_scores, proxy_scores: as for ``proxy_table``, at least two images.
        groups: of the originals, which are drawn together; None where each is alone.
    """
    rng, n = np.random.default_rng(seed), len(id_scores)
    drawn = resample_counts(n, resamples, rng) if groups is None else set_weights(groups, n, resamples, rng).T
    drawn = drawn.astype(np.float64)
    id_mean, var_id = _weighted(cell_rows(id_scores), drawn)
    predictions = {}
    for kind, scores in proxy_scores.items():
        proxy_mean, var_proxy = _weighted(cell_rows(scores), drawn)
        predictions[kind] = normal_prediction(proxy_mean - id_mean, var_id, var_proxy)
    return predictions


def resampled_aurocs(
    id_rows: np.ndarray, ood_rows: np.ndarray, resamples: int, seed: int, groups: Groups | None = None
) -> np.ndarray:
    """AUROC of every cell in bootstrap resamples of both classes, to first order in the placements.

    All cells share the draws, so that their correlations are kept. The first order is what DeLong's variance rests
    on; it needs no sorting per resample.

    Args:
        id_rows: (cells, n_id). ood_rows: (cells, n_ood).
        groups: of the images, which are drawn together; None where each is alone.

    Returns:
        (resamples, cells).
    """
    rng = np.random.default_rng(seed)
    id_placements, ood_placements = placements(id_rows, ood_rows)
    drawn = weights(groups, id_rows.shape[1], ood_rows.shape[1], resamples, rng)
    means = [
        counts.T @ values.T / len(counts) for counts, values in zip(drawn, (id_placements, ood_placements), strict=True)
    ]  # (resamples, cells) each
    return means[0] + means[1] - ood_placements.mean(axis=1)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman correlation of each row of two arrays (rows, cells), (rows,); NaN where a row is constant."""
    from scipy.stats import rankdata  # slow to import

    ranks = [rankdata(values, axis=1) for values in (one, other)]
    ranks = [values - values.mean(axis=1, keepdims=True) for values in ranks]
    product = (ranks[0] * ranks[1]).sum(axis=1)
    size = np.sqrt(np.square(ranks[0]).sum(axis=1) * np.square(ranks[1]).sum(axis=1))
    return np.divide(product, size, out=np.full(len(product), np.nan), where=size > 0)


def rank_estimate(
    predicted: np.ndarray,
    measured: np.ndarray,
    resampled_predicted: np.ndarray,
    resampled_measured: np.ndarray,
    level: float = 0.95,
) -> Estimate:
    """Spearman correlation of predicted and measured AUROC over cells, with an interval for other images.

    The cells are all that the map has, and neighbours depend on each other: they are no sample, and none of the
    interval is about other cells. It is Fisher's z -+ its standard error over resamples of the images, rather than
    percentiles: resampled AUROCs carry their noise twice, which pulls the resampled correlations towards 0.

    Args:
        predicted, measured: (cells,). resampled_predicted, resampled_measured: (resamples, cells).

    Returns:
        NaN where fewer than three cells have both numbers, or one of them is the same in all cells; NaN limits where
        the correlation is perfect.
    """
    require_level(level)
    valid = np.isfinite(predicted) & np.isfinite(measured)
    unknown = Estimate(*[float("nan")] * 3)
    if valid.sum() < _FEWEST:
        return unknown
    value = float(rank_correlation(predicted[None, valid], measured[None, valid])[0])
    again = rank_correlation(resampled_predicted[:, valid], resampled_measured[:, valid])
    again = np.clip(again[np.isfinite(again)], -1 + 1e-9, 1 - 1e-9)
    if not abs(value) < 1 - 1e-9 or len(again) < 2:
        return unknown._replace(value=value)
    half = z_of(level) * np.arctanh(again).std(ddof=1)
    return Estimate(value, float(np.tanh(np.arctanh(value) - half)), float(np.tanh(np.arctanh(value) + half)))


def _weighted(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (n - 1) of rows (cells, n) under weights (n, resamples), (resamples, cells) each."""
    n, centre = rows.shape[1], rows.mean(axis=1, keepdims=True)
    rows = rows - centre  # the squares below would cancel otherwise
    mean = weights.T @ rows.T / n
    square = weights.T @ np.square(rows).T / n
    return mean + centre[:, 0], np.maximum(square - mean**2, 0.0) * (n / (n - 1))
