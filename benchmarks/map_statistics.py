"""How fast the map's statistics are, against the obvious way: run ``python benchmarks/map_statistics.py``.

AUROC with DeLong variance of 200 cells with 5,000 ID and 5,000 OOD images, against a loop of scikit-learn's
roc_auc_score over the cells (which gives no variance) and against that loop plus a plain mid-rank DeLong.
Then the whole table and the honest best cell at the size of a page (232 cells, 300 + 400 images, 5 draws).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import auroc_map, best_cell, delong


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Shortest wall time of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def sklearn_loop(id_scores: np.ndarray, ood_scores: np.ndarray) -> np.ndarray:
    """AUROC per cell, one call each."""
    labels = np.repeat([0, 1], [id_scores.shape[1], ood_scores.shape[1]])
    pooled = np.concatenate([id_scores, ood_scores], axis=1)
    return np.array([roc_auc_score(labels, row) for row in pooled])


def midrank_variance(id_scores: np.ndarray, ood_scores: np.ndarray) -> np.ndarray:
    """DeLong variance per cell from mid-ranks (Sun & Xu 2014), one cell at a time."""
    m, n = id_scores.shape[1], ood_scores.shape[1]
    variances = []
    for id_row, ood_row in zip(id_scores, ood_scores, strict=True):
        ranks = rankdata(np.concatenate([id_row, ood_row]))
        ood_placements = (ranks[m:] - rankdata(ood_row)) / m
        id_placements = 1 - (ranks[:m] - rankdata(id_row)) / n
        variances.append(ood_placements.var(ddof=1) / n + id_placements.var(ddof=1) / m)
    return np.array(variances)


def compare_delong(dtype: type, decimals: int | None = None) -> None:
    """Print the ratio for scores of one kind, after checking that both ways agree."""
    rng = np.random.default_rng(0)
    id_scores = rng.normal(size=(200, 5000)).astype(dtype)
    ood_scores = rng.normal(0.7, 1.2, size=(200, 5000)).astype(dtype)
    if decimals is not None:
        id_scores, ood_scores = id_scores.round(decimals), ood_scores.round(decimals)
    fast = delong(id_scores, ood_scores)
    np.testing.assert_allclose(fast.auroc, sklearn_loop(id_scores, ood_scores), rtol=1e-12)
    np.testing.assert_allclose(fast.var, midrank_variance(id_scores, ood_scores), rtol=1e-9)
    ours = seconds(lambda: delong(id_scores, ood_scores), 7)
    loop = seconds(lambda: sklearn_loop(id_scores, ood_scores), 2)
    slow = loop + seconds(lambda: midrank_variance(id_scores, ood_scores), 2)
    kind = f"{np.dtype(dtype).name}{'' if decimals is None else f', {decimals} decimals (ties)'}"
    print(
        f"{kind:28s} delong {ours * 1e3:6.1f} ms   scikit-learn {loop * 1e3:6.0f} ms = {loop / ours:5.1f}x   "
        f"with mid-rank DeLong {slow * 1e3:6.0f} ms = {slow / ours:5.1f}x"
    )


def time_page() -> None:
    """Print the times of the table and the best cell at the size of a page."""
    rng = np.random.default_rng(1)
    id_scores = rng.chisquare(8, size=(300, 5, 8, 29)).astype(np.float32)
    ood_scores = 1.2 * rng.chisquare(8, size=(400, 5, 8, 29)).astype(np.float32)
    levels = [Level(lam, lam, 1.0, 1.0, lam) for lam in range(8)]
    taps = [Tap(f"block.{i}", "encoder", i / 28, 16, 64) for i in range(29)]
    table = seconds(lambda: auroc_map(id_scores, ood_scores, levels, taps), 3)
    honest = seconds(lambda: best_cell(id_scores, ood_scores), 3)
    print(f"232 cells, 300 + 400 images, 5 draws: auroc_map {table:.2f} s, best_cell (20 splits) {honest:.2f} s")


if __name__ == "__main__":
    print(f"numpy {np.__version__}, {os.cpu_count()} cores")
    compare_delong(np.float32)
    compare_delong(np.float64)
    compare_delong(np.float32, decimals=3)
    compare_delong(np.float64, decimals=3)
    time_page()
