"""How far a snapshot moves when only the noise changes, only the conditioning, or both (theory 16)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level
from cfs_explore.diagnostics.groups import Members, standard_error
from cfs_explore.diagnostics.intervals import z_of

#: What changes against the clean image at the cleanest conditioning.
CAUSES = ("noise", "conditioning", "both")


def drift_table(
    squares: np.ndarray,
    own: np.ndarray,
    levels: Sequence[Level],
    taps: Sequence[Tap],
    *,
    groups: Members | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean squared drift of every tap at every level, by cause, and how much of it differs between images.

    A drift that all images share moves ID and OOD alike, and the statistics of that level move with it; what is an
    image's own changes its place among the others.

    Args:
        squares: (z - z_ref)^2 / v, averaged over a tap's features, (n, 3, L, T), causes in the order of ``CAUSES``.
        own: the same about the mean drift of all images.
        levels: the L levels. taps: the T taps. groups: of the images (theory 28).

    Returns:
        L x T x 3 rows: the table ``drift`` (``studies.stability``), own unbiased (n - 1). The limits are normal on the
        logarithm of the mean over images; where nothing moves they are 0, and for one image own and all limits are NaN.

    Raises:
        ScoreError: another shape, no image, NaN or infinity.
    """
    require_level(level)
    squares, own = np.asarray(squares, dtype=np.float64), np.asarray(own, dtype=np.float64)
    expected = (len(CAUSES), len(levels), len(taps))
    for values, name in ((squares, "squares"), (own, "own")):
        if values.ndim != 4 or values.shape[1:] != expected or 0 in values.shape or values.shape != squares.shape:
            raise ScoreError(f"{name} must have shape (n_images, {expected}). Got {values.shape} instead.")
        require_finite(values, name)
    n = len(squares)
    unbiased = own * (n / (n - 1)) if n > 1 else np.full(own.shape, np.nan)
    estimates = {("drift", "lo", "hi"): squares, ("own", "own_lo", "own_hi"): unbiased}
    numbers = {
        name: part.transpose(1, 2, 0).ravel()
        for names, values in estimates.items()
        for name, part in zip(names, log_mean_interval(values, groups, level), strict=True)
    }
    cells = cell_columns(levels, taps)[["level", "lam", "requested", "tap", "tap_index", "region", "depth"]]
    rows = cells.loc[cells.index.repeat(len(CAUSES))].reset_index(drop=True)
    return rows.assign(cause=list(CAUSES) * len(cells), **numbers, n_id=n)


def log_mean_interval(
    values: np.ndarray, groups: Members | None, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the first axis and its limits, normal on the logarithm: squares are never negative."""
    n, mean = len(values), values.mean(axis=0)
    if n < 2:
        unknown = np.full(mean.shape, np.nan)
        return mean, unknown, unknown.copy()
    error = standard_error(values, groups)
    relative = np.divide(error, mean, out=np.zeros(mean.shape), where=mean > 0)
    factor = np.exp(z_of(level) * relative)
    return mean, mean / factor, mean * factor
