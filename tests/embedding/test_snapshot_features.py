"""Features of kept snapshots: their squared length is the stored score."""

import numpy as np
import pytest
import zarr

from cfs_explore.embedding import EmbeddingError, snapshot_features
from cfs_explore.errors import RunError


@pytest.mark.parametrize(("role", "name"), [("id_test", None), ("ood", "letters")])
@pytest.mark.parametrize("count", [1, 2])
def test_squared_lengths_are_the_scores_of_the_first_draw(digits, role, name, count):
    """CFS(1 x L) of the stored slot scores, which the run computed from snapshots in full precision."""
    taps = digits.manifest.kept["taps"][:count]
    level, names = digits.manifest.kept["level"], [tap.name for tap in digits.taps]
    stored = digits.scores(role, name, level=level)[:, 0, 0][:, [names.index(tap) for tap in taps]].mean(axis=1)
    features = snapshot_features(digits, taps, role, name)
    assert features.shape == (len(stored), sum(2 * t.channels for t in digits.taps if t.name in taps))
    assert np.square(features.astype(float)).sum(axis=1) == pytest.approx(stored, rel=5e-3)  # half precision


def test_id_train_is_standardised(digits):
    tap = digits.manifest.kept["taps"][0]
    features = snapshot_features(digits, [tap], "id_train")
    whitened = features.astype(float) * np.sqrt(features.shape[1])
    assert np.abs(whitened.mean(axis=0)).max() < 0.1  # the moments are of five draws, the snapshots of the first
    assert whitened.std(axis=0) == pytest.approx(1, abs=0.1)


def test_taps_that_cannot_be_used_are_named(digits):
    kept = digits.manifest.kept["taps"]
    with pytest.raises(RunError, match="conv_in were not kept; add it to `keep`"):
        snapshot_features(digits, ["conv_in"], "id_test")
    with pytest.raises(EmbeddingError, match="at least one kept tap"):
        snapshot_features(digits, [], "id_test")
    with pytest.raises(EmbeddingError, match="each once"):
        snapshot_features(digits, [kept[0], kept[0]], "id_test")


def test_snapshots_beyond_half_precision_are_an_error_that_counts_them(digits, monkeypatch):
    monkeypatch.setattr(digits, "manifest", digits.manifest.model_copy(update={"files": {}}))  # no digest tells
    tap = digits.manifest.kept["taps"][0]
    array = zarr.open_array(str(digits.path / "snapshots.zarr" / tap), mode="r+")
    start = digits.entry("ood", "noisy").start
    array[start : start + 3, 0] = np.inf
    with pytest.raises(EmbeddingError, match="3 of 250 images of noisy"):
        snapshot_features(digits, [tap], "ood", "noisy")
    assert len(snapshot_features(digits, [tap], "ood", "letters")) == 250
