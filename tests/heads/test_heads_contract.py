"""What every registered head promises, and what is particular to one."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from cfs_explore import heads
from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.errors import CFSError
from cfs_explore.heads import REGISTRY, FeatureError

every_head = pytest.mark.parametrize("head_class", REGISTRY.values(), ids=REGISTRY)


def gaussian(n, d=12, seed=0, shift=0.0):
    """Correlated Gaussian features of unequal scale."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d)) + 2 * np.eye(d)
    return ((rng.normal(size=(n, d)) + shift) @ mixing).astype(np.float32)


def test_registry_names():
    """These stand in tables and specs of runs; every file of the room but the protocol's is a head."""
    assert {"diag", "knn", "ledoit_wolf", "mixture", "pca_residual"} <= set(REGISTRY)
    files = {path.stem for path in Path(heads.__file__).parent.glob("*.py")} - {"__init__", "protocol"}
    assert sorted(files) == [head.__module__.rpartition(".")[2] for head in REGISTRY.values()]
    for name, head in REGISTRY.items():
        assert head.name == name and head.title and getattr(heads, head.__name__) is head
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        heads.Nothing  # noqa: B018 - the access is the test


@every_head
def test_contract(head_class):
    """The features lie away from 0, as snapshots do: about 0, directions alone would not show another mean."""
    train, near, far = (
        20 + values for values in (gaussian(300), gaussian(80, seed=1), gaussian(80, seed=2, shift=4.0))
    )
    head = head_class()
    assert not [name for name in vars(head) if name.endswith("_")], "learned attributes exist before fit"
    before = train.copy()
    assert head.fit(train) is head
    assert isinstance(head, heads.Head)
    assert head.n_features_ == 12
    np.testing.assert_array_equal(train, before)
    scores = head.score(near)
    assert scores.shape == (80,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert np.median(head.score(far)) > np.quantile(scores, 0.95)
    np.testing.assert_allclose(head.score(near[:1]), scores[:1], rtol=1e-9)
    np.testing.assert_array_equal(head_class().fit(train).score(near), scores)


@every_head
def test_settings_are_keyword_only_and_kept(head_class):
    for name, parameter in inspect.signature(head_class).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert getattr(head_class(), name) == parameter.default


@every_head
def test_bad_features(head_class):
    with pytest.raises(FeatureError, match="shape"):
        head_class().fit(np.zeros(5))
    with pytest.raises(FeatureError, match="at least"):
        head_class().fit(gaussian(1))
    with pytest.raises(FeatureError, match="not fitted"):
        head_class().score(gaussian(5))
    broken = gaussian(50)
    broken[7, 3] = np.nan
    with pytest.raises(FeatureError, match=r"1 of 50 images.*row 7"):
        head_class().fit(broken)
    head = head_class().fit(gaussian(50))
    with pytest.raises(FeatureError, match=r"12 columns.*Got 11"):
        head.score(gaussian(5)[:, :11])
    with pytest.raises(CFSError):
        head.score(broken)
    with pytest.raises(ValueError, match="finite"):
        head.score(np.full((2, 12), np.inf))


@every_head
def test_constant_feature_stays_finite(head_class):
    train = gaussian(60)
    train[:, 4] = 0.3
    assert np.isfinite(head_class().fit(train).score(train)).all()


def test_diagonal_floor_and_scale():
    constant = heads.Diagonal.from_moments(np.zeros(3), np.zeros(3))
    np.testing.assert_array_equal(constant.variance_, VARIANCE_FLOOR)
    train = gaussian(500)
    assert heads.Diagonal().fit(train).score(train).mean() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("mean", "variance", "message"),
    [
        (np.zeros(3), np.ones(4), "shape"),
        (np.zeros((2, 3)), np.ones((2, 3)), "shape"),
        (np.array([0.0, np.nan]), np.ones(2), "finite"),
        (np.zeros(2), np.array([1.0, -1.0]), "negative"),
    ],
)
def test_diagonal_bad_moments(mean, variance, message):
    with pytest.raises(FeatureError, match=message):
        heads.Diagonal.from_moments(mean, variance)


def test_knn_is_the_mean_of_k_distances():
    train, test = gaussian(40), gaussian(6, seed=3)
    standard = (train - train.mean(0, dtype=float)) / train.std(0, dtype=float)
    queries = (test - train.mean(0, dtype=float)) / train.std(0, dtype=float)
    distances = np.sort(np.linalg.norm(queries[:, None] - standard[None], axis=2), axis=1)
    np.testing.assert_allclose(heads.KNN(k=3).fit(train).score(test), distances[:, :3].mean(axis=1), rtol=1e-6)


def test_settings_that_do_not_fit():
    with pytest.raises(FeatureError, match="at least 10"):
        heads.KNN().fit(gaussian(9))
    with pytest.raises(FeatureError, match="k >= 1"):
        heads.KNN(k=0).fit(gaussian(9))
    with pytest.raises(FeatureError, match="components >= 1"):
        heads.Mixture(components=0).fit(gaussian(9))
    with pytest.raises(FeatureError, match="d - 1 = 11"):
        heads.PCAResidual(dimension=12).fit(gaussian(30))
    with pytest.raises(FeatureError, match="variance_share"):
        heads.PCAResidual(variance_share=1.0).fit(gaussian(30))
    with pytest.raises(FeatureError, match="2 features"):
        heads.PCAResidual().fit(gaussian(30)[:, :1])


def test_pca_residual_sees_only_what_leaves_the_subspace():
    rng = np.random.default_rng(5)
    directions = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    latent = rng.normal(size=(4000, 3)) @ directions[:3]
    head = heads.PCAResidual().fit(latent + 0.01 * rng.normal(size=latent.shape))
    assert head.dimension_ == 3
    inside = head.standardiser_.mean + (5 * directions[:3])
    outside = head.standardiser_.mean + 0.5 * directions[3:]
    assert head.score(inside).max() < 0.2 * head.score(outside).min()


def test_pca_residual_without_subspace_is_the_norm():
    train, test = gaussian(50), gaussian(5, seed=1)
    head = heads.PCAResidual(dimension=0).fit(train)
    diagonal = heads.Diagonal().fit(train).score(test)
    np.testing.assert_allclose(head.score(test) ** 2 / 12, diagonal, rtol=1e-6)


def test_vim_residual_is_the_pca_residual_of_half_the_dimensions():
    train, test = gaussian(200), gaussian(20, seed=1)
    for d in (12, 11, 2):
        head = heads.ViMResidual().fit(train[:, :d])
        assert head.dimension_ == d // 2 and head.residual_basis_.shape == (d, d - d // 2)
        same = heads.PCAResidual(dimension=d // 2).fit(train[:, :d])
        np.testing.assert_array_equal(head.score(test[:, :d]), same.score(test[:, :d]))
    assert heads.ViMResidual(dimension=3).fit(train).dimension_ == 3
    with pytest.raises(FeatureError, match="d - 1 = 11"):
        heads.ViMResidual(dimension=12).fit(train)
    with pytest.raises(FeatureError, match="2 features"):
        heads.ViMResidual().fit(train[:, :1])


def test_normalised_knn_is_the_kth_distance_of_directions():
    train, test = gaussian(40) + 3, gaussian(6, seed=3)
    directions, queries = (
        values / np.linalg.norm(values, axis=1, keepdims=True) for values in (train.astype(float), test.astype(float))
    )
    distances = np.sort(np.linalg.norm(queries[:, None] - directions[None], axis=2), axis=1)
    np.testing.assert_allclose(heads.NormalisedKNN(k=3).fit(train).score(test), distances[:, 2], rtol=1e-6)
    few = heads.NormalisedKNN().fit(train)
    assert few.k_ == 40 and few.k == 50
    np.testing.assert_allclose(few.score(test), distances[:, -1], rtol=1e-6)
    with pytest.raises(FeatureError, match="k >= 1"):
        heads.NormalisedKNN(k=0).fit(train)
    assert np.isfinite(few.score(np.zeros((2, 12)))).all()


@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_normalised_knn_does_not_know_lengths(factor):
    train, test = gaussian(80) + 2, gaussian(9, seed=1) + 2
    scores = heads.NormalisedKNN(k=5).fit(train).score(test)
    np.testing.assert_allclose(heads.NormalisedKNN(k=5).fit(factor * train).score(factor * test), scores, rtol=1e-5)
    np.testing.assert_allclose(heads.NormalisedKNN(k=5).fit(train).score(factor * test), scores, rtol=1e-5)


def test_clipping_nothing_is_the_mahalanobis_distance():
    train, test = gaussian(200), gaussian(20, seed=1, shift=2.0)
    whole = heads.ClippedMahalanobis(low=0, high=1).fit(train)
    assert np.isneginf(whole.limits_[0]).all() and np.isposinf(whole.limits_[1]).all()
    np.testing.assert_allclose(whole.score(test), heads.LedoitWolf().fit(train).score(test), rtol=1e-9)


def test_clipping_takes_away_what_lies_outside():
    train = gaussian(400)
    head = heads.ClippedMahalanobis().fit(train)
    far = train.mean(0) + np.array([[20.0], [1e4]]) * train.std(0)
    scores = head.score(far)
    assert scores[0] == scores[1] and scores[0] < heads.LedoitWolf().fit(train).score(far[:1])[0]
    inside = np.quantile(train, [0.3, 0.5, 0.7], axis=0)  # no feature of these is clipped
    standard = heads.protocol.Standardiser.fit(train.astype(float))
    assert (np.quantile(standard(train), 0.05, axis=0) == head.limits_[0]).all()
    clipped = standard(train).clip(*head.limits_)
    expected = heads.LedoitWolf().fit(clipped).score(standard(inside))
    np.testing.assert_allclose(head.score(inside), expected, rtol=1e-9)
    with pytest.raises(FeatureError, match="0 <= low < high <= 1"):
        heads.ClippedMahalanobis(low=0.9, high=0.1).fit(train)
