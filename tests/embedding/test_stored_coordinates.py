"""Coordinates in the run directory: read again, made anew when something changes, never moved by another set."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.embedding import Settings, coordinates, is_stored, snapshot_features, stored
from cfs_explore.store import open_run


@pytest.fixture
def settings(digits):
    return Settings(tuple(digits.manifest.kept["taps"]))


@pytest.fixture
def fits(monkeypatch):
    """Settings of every projection that is fitted."""
    stored._fitted.cache_clear()
    made, project = [], stored.project
    monkeypatch.setattr(
        stored, "project", lambda features, settings: made.append(settings) or project(features, settings)
    )
    return made


def files(run):
    return sorted(path.name for path in (run.path / "embedding").iterdir())


def test_rows_are_those_of_the_sets_in_order(digits, settings):
    frame = coordinates(digits, settings, ["letters", "noisy"])
    expected = [("id_test", None), ("ood", "letters"), ("ood", "noisy")]
    images = pd.concat([digits.images(*which, columns=("image_id",)) for which in expected])
    assert list(frame["image_id"]) == list(images["image_id"])
    assert list(frame["dataset"].unique()) == ["digits 0-6", "letters", "noisy"]
    assert frame.groupby("dataset", sort=False)["position"].agg(["min", "max"]).values.tolist() == [
        [0, 420],
        [0, 249],
        [0, 249],
    ]
    assert 0 < sum(frame.attrs["explained"]) < 1


def test_every_row_is_placed_by_its_own_snapshot(digits, settings):
    """On the two main axes of ID-test's features, as a singular value decomposition finds them."""
    frame = coordinates(digits, settings, ["letters"])
    of_id, letters = (snapshot_features(digits, settings.taps, *which) for which in (("id_test",), ("ood", "letters")))
    centre = of_id.astype(float).mean(axis=0)
    axes = np.linalg.svd(of_id - centre, full_matrices=False)[2][:2]
    expected = (np.concatenate([of_id, letters]) - centre) @ axes.T
    found = frame[["x", "y"]].to_numpy()
    assert found * np.sign(np.sum(found * expected, axis=0)) == pytest.approx(expected, abs=1e-4)


def test_ood_images_move_no_id_image_and_no_other_set(digits, settings):
    alone = coordinates(digits, settings)
    assert len(alone) == 421
    both = coordinates(digits, settings, ["photo patches", "letters"])
    one = coordinates(digits, settings, ["letters"])
    assert np.array_equal(both[["x", "y"]][:421], alone[["x", "y"]])
    assert np.array_equal(both[both["dataset"] == "letters"][["x", "y"]], one[one["dataset"] == "letters"][["x", "y"]])


@pytest.mark.slow
def test_umap_is_fitted_once_and_read_by_the_next_process(digits, fits):
    settings = Settings(tuple(digits.manifest.kept["taps"]), "umap")
    first = coordinates(digits, settings, ["letters"])
    alone = coordinates(digits, settings)
    assert len(fits) == 1 and np.array_equal(first[["x", "y"]][:421], alone[["x", "y"]])
    stored._fitted.cache_clear()
    again = coordinates(open_run(digits.path), settings, ["letters"])
    assert len(fits) == 1 and is_stored(digits, settings, ["letters"])
    pd.testing.assert_frame_equal(first, again)
    assert first.attrs == again.attrs == {"explained": []}
    fresh = coordinates(open_run(digits.path), settings, ["noisy"])  # the model is fitted again, to the same numbers
    assert len(fits) == 2 and np.array_equal(fresh[["x", "y"]][:421], alone[["x", "y"]])


def test_other_settings_are_other_coordinates(digits, settings, fits):
    one = Settings(settings.taps[:1])
    assert not np.allclose(coordinates(digits, settings)[["x", "y"]], coordinates(digits, one)[["x", "y"]])
    assert len(fits) == len(files(digits)) == 2 and is_stored(digits, settings) and is_stored(digits, one)
    coordinates(digits, Settings(settings.taps, neighbors=30))  # which PCA does not read
    assert len(files(digits)) == 2


@pytest.mark.parametrize("change", ["run", "versions"])
def test_what_another_state_made_is_neither_read_nor_kept(digits, settings, fits, monkeypatch, change):
    coordinates(digits, settings, ["letters"])
    before = files(digits)
    if change == "run":
        manifest = digits.manifest.model_copy(update={"created": "2026-01-01T00:00:00+00:00"})
        (digits.path / "manifest.json").write_text(manifest.model_dump_json())
    else:
        monkeypatch.setattr(stored.importlib.metadata, "version", lambda package: "9.9")
    run = open_run(digits.path)
    assert not is_stored(run, settings)
    coordinates(run, settings)
    assert len(files(run)) == 1 and not set(files(run)) & set(before)


@pytest.mark.parametrize("damage", [b"", b"PAR1 not a table", None])
def test_a_damaged_file_is_made_anew(digits, settings, damage):
    first = coordinates(digits, settings)
    path = digits.path / "embedding" / files(digits)[0]
    if damage is None:  # a table of other images
        pd.read_parquet(path).assign(image_id="0").to_parquet(path)
    else:
        path.write_bytes(damage)
    pd.testing.assert_frame_equal(coordinates(digits, settings), first)
    assert list(pd.read_parquet(path)["image_id"]) == list(first["image_id"])


def test_a_directory_that_cannot_be_written_does_no_harm(digits, settings):
    (digits.path / "embedding").write_text("in the way")
    frame = coordinates(digits, settings, ["letters"])
    assert len(frame) == 671 and not is_stored(digits, settings)
