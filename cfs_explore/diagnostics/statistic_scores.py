"""Image statistics under the diagonal head, as if they were the channels of one more tap (theory 3, 18)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.metrics import auroc

#: The name of the mean over all statistics.
STATISTICS_TOGETHER = "all"
_CONSTANT = "constant over all images"


def statistic_scores(
    train: pd.DataFrame, test: pd.DataFrame, ood: pd.DataFrame
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """ID scores (n_id,) and OOD scores (n_ood,) of every statistic that varies, and last of all together.

    A statistic's score is (x - mu)^2 / v with mu and v of ID-train, v >= 1e-6; that of ``STATISTICS_TOGETHER`` is the
    mean of these. A statistic that is the same for every image of all three sets is left out.

    Args:
        train, test, ood: one row per image, the same columns, finite.

    Raises:
        ScoreError: other columns, or a set without images.
    """
    if not (list(train) == list(test) == list(ood)) or min(len(train), len(test), len(ood)) == 0:
        raise ScoreError("The statistics of ID-train, ID-test and OOD need the same columns and an image each.")
    pooled = pd.concat([train, test, ood])
    names = [name for name in train if pooled[name].nunique() > 1]
    mean, variance = train[names].mean(), np.maximum(train[names].var(ddof=0), VARIANCE_FLOOR)
    id_scores, ood_scores = ((frame[names] - mean) ** 2 / variance for frame in (test, ood))
    scores = {name: (id_scores[name].to_numpy(), ood_scores[name].to_numpy()) for name in names}
    if names:
        scores[STATISTICS_TOGETHER] = (id_scores.mean(axis=1).to_numpy(), ood_scores.mean(axis=1).to_numpy())
    return scores


def statistic_table(
    train: pd.DataFrame, test: pd.DataFrame, ood: pd.DataFrame, groups: Groups | None = None
) -> pd.DataFrame:
    """The table ``image_statistics`` (``studies.controls``) but ``ood``: a row per statistic, and one for all together.

    Those that ``statistic_scores`` leaves out have NaN and say so in ``note``; ``groups`` belong to the images of
    ``test`` and ``ood``.
    """
    scores = statistic_scores(train, test, ood)
    rows = []
    for name in [*train, STATISTICS_TOGETHER]:
        value = auroc(*scores[name], groups=groups) if name in scores else (np.nan,) * 3
        row = dict(zip(("auroc", "lo", "hi"), value, strict=True))
        rows.append({"statistic": name, **row, "note": "" if name in scores else _CONSTANT})
    return pd.DataFrame(rows).assign(n_id=len(test), n_ood=len(ood))
