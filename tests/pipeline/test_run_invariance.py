"""The same spec with other batch sizes, shard sizes, image orders and containers gives the same numbers."""

import numpy as np
import pytest

from cfs_explore.pipeline import explore


@pytest.fixture
def explore_into(tmp_path):
    def run(spec, name="run"):
        return explore(spec, tmp_path / name, device="cpu")

    return run


@pytest.mark.parametrize(("batch_size", "shard_size"), [(1, 5), (7, 3), (64, 1000)])
def test_batches_and_shards(spec, finished, explore_into, assert_same_tables, batch_size, shard_size):
    changed = spec | {"batch_size": batch_size, "shard_size": shard_size, "ood": spec["ood"]}
    run = explore_into(changed)
    for entry in finished.manifest.sets:
        if entry.score_start >= 0:
            left, right = (r.scores(entry.role, entry.name) for r in (run, finished))
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)
        left, right = (r.moments(entry.role, entry.name) for r in (run, finished))
        np.testing.assert_allclose(left.mean, right.mean, rtol=1e-5, atol=1e-6)
    left, right = (r.table("auroc_map")["auroc"] for r in (run, finished))
    np.testing.assert_allclose(left, right, atol=1e-12)


def test_order_of_the_images(quick_spec, explore_into, tmp_path, write_images):
    """Shuffled arrays: every image, found by its id, has the scores it had."""
    names = {"train": (30, 1), "test": (14, 2), "ood": (11, 3)}
    runs = []
    for shuffled in (False, True):
        sources = {}
        for name, (n, seed) in names.items():
            pixels = np.load(write_images(n, seed=seed))["images"]
            if shuffled:
                pixels = np.random.default_rng(seed).permutation(pixels)
            sources[name] = tmp_path / f"{name}-{shuffled}.npz"
            np.savez(sources[name], images=pixels)
        sets = {name: {"name": name, "source": str(path)} for name, path in sources.items()}
        id_sets = {"train": sets["train"], "test": sets["test"]}
        runs.append(explore_into(quick_spec | {"id": id_sets, "ood": [sets["ood"]]}, f"shuffled-{shuffled}"))
    plain, mixed = runs
    for which in (("id_test",), ("ood", "ood")):
        where = [list(run.images(*which)["image_id"]) for run in runs]
        assert where[0] != where[1] and sorted(where[0]) == sorted(where[1])
        order = [where[1].index(i) for i in where[0]]
        np.testing.assert_allclose(mixed.scores(*which)[order], plain.scores(*which), rtol=1e-5)
    np.testing.assert_allclose(mixed.table("auroc_map")["auroc"], plain.table("auroc_map")["auroc"], atol=1e-12)


def test_a_repeated_run_is_identical(quick_spec, quick_run, explore_into, assert_same_tables):
    assert_same_tables(explore_into(quick_spec), quick_run)


def test_zip_folder_and_npz_of_the_same_pixels(quick_spec, explore_into, write_images):
    runs = []
    for kind in ("zip", "folder", "npz"):
        ood = [{"name": "same", "source": str(write_images(6, kind, seed=5))}]
        runs.append(explore_into(quick_spec | {"ood": ood}, kind))
    for run in runs[1:]:
        assert np.array_equal(run.scores("ood", "same"), runs[0].scores("ood", "same"))


def test_seeds_of_noise_matter(quick_spec, quick_run, explore_into):
    other = explore_into(quick_spec | {"seed": 8})
    assert not np.allclose(other.scores("ood", "bright"), quick_run.scores("ood", "bright"), rtol=1e-3)
