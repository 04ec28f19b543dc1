"""AUROC from two means and two variances: the normal prediction and the Cantelli bound (theory 12, 13).

Both follow from Delta = E_OOD[s] - E_ID[s] and the variances of the scores over images alone. Arguments broadcast;
results are float64 of the common shape. Rules where there is nothing to compute:

- NaN in any argument gives NaN (a variance is NaN where a set has a single image);
- the bound is NaN where Delta <= 0: Cantelli's inequality then says nothing;
- both variances 0: the scores are two points, so AUROC is 1, 1/2 or 0 by the sign of Delta.
"""

from __future__ import annotations

import math

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError

_normal_cdf = np.frompyfunc(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), 1, 1)


def normal_prediction(delta: np.ndarray, var_id: np.ndarray, var_ood: np.ndarray) -> np.ndarray:
    """AUROC of two normal scores, Phi(Delta / sqrt(Var_ID + Var_OOD)) (theory 13), in [0, 1].

    Args:
        delta: E_OOD[s] - E_ID[s], any sign. var_id, var_ood: variances of the score over images, >= 0.

    Raises:
        ScoreError: a negative variance, or shapes that do not broadcast.
    """
    delta, variance = _arguments(delta, var_id, var_ood)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = delta / np.sqrt(variance)
    z = np.where((variance == 0) & (delta == 0), 0.0, z)
    return np.asarray(_normal_cdf(z), dtype=np.float64)


def normal_prediction_variance(delta: np.ndarray, var_id: np.ndarray, var_ood: np.ndarray, n: int) -> np.ndarray:
    """Sampling variance of ``normal_prediction`` (theory 13) of two sets of n images (delta method, normal scores).

    The sets count as independent. Where the OOD images are altered copies of the ID images, whose scores rise and fall
    together, the true one is smaller.

    Args: as for ``normal_prediction``; n: images of each set, at least two.
    """
    delta, variance = _arguments(delta, var_id, var_ood)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = delta / np.sqrt(variance)
        spread = 2 * (np.square(var_id) + np.square(var_ood)) / (n - 1)
        var_z = 1 / n + np.square(delta) * spread / (4 * variance**3)
    density = np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi)
    return np.where(variance > 0, np.square(density) * var_z, 0.0)


def cantelli_bound(delta: np.ndarray, var_id: np.ndarray, var_ood: np.ndarray) -> np.ndarray:
    """Lowest AUROC that these means and variances allow, Delta^2 / (Delta^2 + Var_ID + Var_OOD) (theory 12), in (0, 1].

    It holds for any score distributions, one ID and one independent OOD image, if Delta > 0; NaN elsewhere. With the
    means and variances of a sample it holds exactly for that sample's own AUROC.

    Args, raises: as for ``normal_prediction``.
    """
    delta, variance = _arguments(delta, var_id, var_ood)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # this way nothing becomes inf / inf
        bound = 1 / (1 + (np.sqrt(variance) / delta) ** 2)
    return np.where(delta > 0, bound, np.nan)


def _arguments(delta: np.ndarray, var_id: np.ndarray, var_ood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delta and the summed variance, broadcast to one shape."""
    arrays = [np.asarray(values, dtype=np.float64) for values in (delta, var_id, var_ood)]
    try:
        delta, var_id, var_ood = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(str(values.shape) for values in arrays)
        raise ScoreError(f"delta, var_id and var_ood must have shapes that broadcast. Got {shapes} instead.") from None
    if (var_id < 0).any() or (var_ood < 0).any():
        raise ScoreError("A variance must not be negative. Pass variances of the score over images.")
    return delta, var_id + var_ood
