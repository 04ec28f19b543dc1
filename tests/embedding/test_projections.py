"""PCA against a singular value decomposition; UMAP with a seed; both fitted on ID alone."""

import numpy as np
import pytest

from cfs_explore.embedding import EmbeddingError, Settings, project

PCA, UMAP = Settings(("tap",), "pca"), Settings(("tap",), "umap", neighbors=10)


@pytest.mark.parametrize("n", [60, 8])  # more images than features, and fewer
def test_pca_is_the_singular_value_decomposition(clouds, n):
    of_id, others = clouds[0][:n].astype(float), clouds[1].astype(float)
    centre = of_id.mean(axis=0)
    _, values, axes = np.linalg.svd(of_id - centre, full_matrices=False)
    found = project(clouds[0][:n], PCA)
    assert found.explained == pytest.approx((values**2 / np.sum(values**2))[:2])
    for given, got in ((of_id, found.fitted), (others, found.transform(clouds[1]))):
        expected = (given - centre) @ axes[:2].T
        signs = np.sign(np.sum(expected * got, axis=0))
        assert got * signs == pytest.approx(expected, abs=1e-4)


def test_pca_of_images_that_are_all_the_same_explains_nothing():
    found = project(np.ones((5, 4), np.float32), PCA)
    assert np.allclose(found.fitted, 0) and found.explained == (0, 0)


@pytest.mark.slow
def test_umap_repeats_itself_and_places_others_one_by_one_set(clouds):
    first, second = project(clouds[0], UMAP), project(clouds[0], UMAP)
    assert np.array_equal(first.fitted, second.fitted)
    placed = first.transform(clouds[1])
    assert np.array_equal(placed, second.transform(clouds[1]))
    first.transform(clouds[1][:5])
    assert np.array_equal(placed, first.transform(clouds[1]))  # whatever was placed between
    assert placed.shape == (20, 2) and np.isfinite(placed).all()
    assert first.transform(clouds[1][:1]).shape == (1, 2)


@pytest.mark.slow
def test_umap_listens_to_its_settings(clouds):
    fitted = project(clouds[0], UMAP).fitted
    for other in (
        Settings(("tap",), "umap", 20),
        Settings(("tap",), "umap", 10, 0.8),
        Settings(("tap",), "umap", 10, seed=1),
    ):
        assert not np.allclose(fitted, project(clouds[0], other).fitted)


@pytest.mark.slow
def test_umap_keeps_far_groups_apart():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 30)
    fitted = project((rng.normal(size=(60, 5)) + 30 * group[:, None]).astype(np.float32), UMAP).fitted
    distance = np.linalg.norm(fitted[:, None] - fitted[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(axis=1)] == group).all()


@pytest.mark.parametrize(
    ("n", "settings", "says"),
    [
        (14, UMAP, "UMAP needs at least 15 ID images"),
        (2, PCA, "PCA needs at least 3 ID images"),
        (
            20,
            Settings(("tap",), "umap", neighbors=20),
            "'neighbors' of UMAP must be from 2 to one less than the ID images",
        ),
    ],
)
def test_what_cannot_be_fitted_says_why(clouds, n, settings, says):
    with pytest.raises(EmbeddingError, match=says):
        project(clouds[0][:n], settings)


def test_an_unknown_method_is_refused():
    with pytest.raises(EmbeddingError, match=r"must be one of .*'pca', 'umap'.* Got 'tsne'"):
        Settings(("tap",), "tsne")
