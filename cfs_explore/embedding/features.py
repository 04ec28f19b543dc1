"""Kept snapshots as features whose squared length is a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfs_explore.embedding.errors import EmbeddingError
from cfs_explore.scoring import feature_columns
from cfs_explore.store import Run


def snapshot_features(run: Run, taps: Sequence[str], role: str, name: str | None = None) -> np.ndarray:
    """Standardised snapshots of some kept taps, at the kept level, first draw: float32 (n_images, d).

    Every feature is z = (snapshot - mu) / sqrt(v) with ID-train's mu and v (theory 3); every tap's block is divided by
    sqrt(its width x number of taps). So the squared length of a row is CFS(1 x L) of these taps (theory 4), distances
    are root mean squares in ID-train standard deviations, and no tap outweighs another by its width.

    Args:
        run: a finished run.
        taps: names among ``run.manifest.kept["taps"]``, at least one, each once.
        role, name: the set, as for ``Run.images``.

    Raises:
        RunError: a tap was not kept, or there is no such set.
        EmbeddingError: no tap, a tap twice, or snapshots that are not finite numbers.
    """
    if not taps or len(set(taps)) != len(taps):
        raise EmbeddingError(f"Name at least one kept tap, each once. Got {list(taps)} instead.")
    train = run.moments("id_train").at(run.manifest.kept["level"])
    mean, spread = train.mean[0], np.sqrt(train.variance[0])
    columns = feature_columns(run.taps)
    blocks = []
    for tap in taps:
        block = run.snapshots(tap, role, name)
        at = columns[tap]
        block -= mean[at].astype(np.float32)
        block /= (spread[at] * np.sqrt(block.shape[1] * len(taps))).astype(np.float32)
        blocks.append(block)
    features = np.concatenate(blocks, axis=1)
    bad = int((~np.isfinite(features)).any(axis=1).sum())
    if bad:
        raise EmbeddingError(
            f"{bad} of {len(features)} images of {run.entry(role, name).name} have stored snapshots that are not "
            f"finite numbers (they exceed half precision) at {', '.join(taps)}. Choose another tap, or another set."
        )
    return features
