"""The heads give what the paper's own code gives on the same features."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from cfs_explore import heads

ORACLE = load_file(Path(__file__).parents[1] / "fixtures" / "methods" / "oracle.safetensors")
SETTINGS = ["cfs_1x1_enc.sparse_ed", "cfs_1x1_dec.sparse_ed", "cfs_1x2.sparse_ed", "cfs_2x2.sparse_ed"]
SETS = ["id_test", "ood"]


def slots(setting):
    """Feature keys of a setting without the set's name, levels outermost, as the oracle numbers its slots."""
    return sorted(key.removesuffix("id_train") for key in ORACLE if key.startswith(setting) and "id_train" in key)


def concatenated(images):
    return np.concatenate([ORACLE[key + images] for key in slots("cfs_1x2.sparse_ed")], axis=1)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("images", SETS)
def test_diagonal_scores(setting, images):
    scores = [heads.Diagonal().fit(ORACLE[key + "id_train"]).score(ORACLE[key + images]) for key in slots(setting)]
    np.testing.assert_allclose(np.mean(scores, axis=0), ORACLE[f"{setting}.score.{images}"], rtol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS)
def test_diagonal_moments_fitted_and_given(setting):
    for slot, key in enumerate(slots(setting)):
        mean, variance = ORACLE[f"{setting}.slot{slot}.mean"], ORACLE[f"{setting}.slot{slot}.var"]
        fitted = heads.Diagonal().fit(ORACLE[key + "id_train"])
        np.testing.assert_allclose(fitted.mean_, mean, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(fitted.variance_, variance, rtol=1e-5)
        given = heads.Diagonal.from_moments(mean, variance)
        features = ORACLE[key + "ood"]
        np.testing.assert_allclose(given.score(features), fitted.score(features), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "oracle_name", "rtol"),
    [("knn", "knn", 1e-4), ("ledoit_wolf", "shrinkage", 1e-4), ("mixture", "gmm_light", 1e-3)],
)
@pytest.mark.parametrize("images", SETS)
def test_other_heads(name, oracle_name, rtol, images):
    head = heads.REGISTRY[name]().fit(concatenated("id_train"))
    expected = ORACLE[f"cfs_1x2.head.{oracle_name}.score.{images}"]
    np.testing.assert_allclose(head.score(concatenated(images)), expected, rtol=rtol)
