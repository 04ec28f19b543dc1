"""Structural similarity of two pictures (Wang et al. 2004, equation 13)."""

from __future__ import annotations

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError

#: Standard deviation of the Gaussian window, in pixels, and the constants of the two ratios.
SIGMA, K1, K2 = 1.5, 0.01, 0.03
#: Side of the window; pictures with a side below ``SMALL`` get the smaller one.
WINDOW, SMALL_WINDOW, SMALL = 11, 7, 16


def ssim(x: np.ndarray, y: np.ndarray, *, data_range: float = 2.0) -> np.ndarray:
    """Mean structural similarity of pairs of pictures, (n,): 1 for identical ones, at least -1.

    In every channel, over all windows that lie inside the picture; the mean over windows and channels. Variances are
    those of the window's weights (population).

    Args:
        x, y: (n, C, H, W), H and W at least 7.
        data_range: L, the span of possible values.

    Raises:
        ScoreError: shapes that differ, or pictures smaller than the window.
    """
    from scipy.ndimage import correlate1d  # slow to import

    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 4 or x.shape != y.shape or min(x.shape[2:]) < SMALL_WINDOW:
        raise ScoreError(
            f"Pictures must have one shape (n, C, H, W) with sides of at least {SMALL_WINDOW} pixels. "
            f"Got {x.shape} and {y.shape} instead."
        )
    radius = (SMALL_WINDOW if min(x.shape[2:]) < SMALL else WINDOW) // 2
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()

    def window_mean(values: np.ndarray) -> np.ndarray:
        rows = correlate1d(values, weights, axis=2)[:, :, radius:-radius]
        return correlate1d(rows, weights, axis=3)[..., radius:-radius]

    mean_x, mean_y = window_mean(x), window_mean(y)
    var_x, var_y = window_mean(x * x) - mean_x**2, window_mean(y * y) - mean_y**2
    covariance = window_mean(x * y) - mean_x * mean_y
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return (luminance * structure).mean(axis=(1, 2, 3))
