"""One set of images, as every kind of source: the same ids, labels and network inputs."""

import numpy as np
import pytest
from image_kinds import KINDS, NEEDS, labels_of, names_in
from PIL import Image
from preparing import prepare

from cfs_explore.images import open_source

WITHOUT_LABELS = {"npy", "float npy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve images of two classes."""
    root = tmp_path_factory.mktemp("images") / "pets"
    rng = np.random.default_rng(5)
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8)).save(root / name / f"{i}.png")
    return root


def prepare_kind(kind, tmp_path, monkeypatch):
    if kind in NEEDS:
        library = pytest.importorskip(NEEDS[kind], reason=f"the optional library {NEEDS[kind]} is not installed")
        if kind == "hub":
            monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("kind", KINDS)
def test_same_images_labels_and_inputs(kind, folder, tmp_path, monkeypatch):
    prepare_kind(kind, tmp_path, monkeypatch)
    with open_source(folder) as source:
        expected, _ = prepare(source, (3, 8, 8), "crop", tmp_path / "expected.npy")
    with open_source(KINDS[kind](folder, tmp_path)) as source:
        rows, skipped = prepare(source, (3, 8, 8), "crop", tmp_path / "rows.npy")
        assert source.names == sorted(source.names)
        assert source.labels() == rows["label"].tolist()
    assert skipped == [] and len(set(expected["image_id"])) == 12
    assert rows["image_id"].tolist() == expected["image_id"].tolist()
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), np.load(tmp_path / "expected.npy"))
    assert rows["label"].tolist() == ([""] * 12 if kind in WITHOUT_LABELS else labels_of(folder))
    assert set(rows["format"]) == ({"array"} if kind.endswith(("npy", "npz")) else {"PNG"})


@pytest.mark.parametrize("kind", sorted(set(KINDS) - WITHOUT_LABELS))
def test_the_same_halves_of_every_kind(kind, folder, tmp_path, monkeypatch):
    prepare_kind(kind, tmp_path, monkeypatch)
    given = KINDS[kind](folder, tmp_path)
    for half in ("first", "second"):
        with open_source(given, half=half, half_seed=4) as source, open_source(folder, half=half, half_seed=4) as f:
            assert [source.read(i).image_id for i in range(6)] == [f.read(i).image_id for i in range(6)]
            assert len(source) == 6 and source.labels() == ["cats"] * 3 + ["dogs"] * 3


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"npz", "npy", "float npy", "parquet", *NEEDS}))
def test_the_same_subsample_of_every_kind_that_has_names(kind, folder, tmp_path):
    with (
        open_source(KINDS[kind](folder, tmp_path), limit=5, seed=2) as source,
        open_source(folder, limit=5, seed=2) as f,
    ):
        assert source.names == f.names and set(f.names) < set(names_in(folder))
        assert [source.read(i).image_id for i in range(5)] == [f.read(i).image_id for i in range(5)]
