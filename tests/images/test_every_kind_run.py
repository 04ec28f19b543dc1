"""A whole run of every kind of source: ids, scores, moments and AUROCs are those of the folder's run, exactly."""

import struct

import numpy as np
import pandas as pd
import pytest
from image_kinds import KINDS, NEEDS, names_in, stacked

from cfs_explore.pipeline import explore

pytestmark = pytest.mark.slow


def as_mnist(folder, out) -> dict:
    """A set that torchvision holds as an array."""
    pixels = stacked(folder)
    raw = out / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, *pixels.shape) + pixels.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(pixels)) + bytes(len(pixels)))
    return {"torchvision": "MNIST", "split": "test", "root": str(out)}


ALL = {**KINDS, "torchvision array": as_mnist}


@pytest.fixture(scope="module")
def folders(write_images):
    """In-distribution and other images, each in two class folders."""
    made = [write_images(24, "folder", seed=1), write_images(9, "folder", seed=2, shift=60)]
    for folder in made:
        for i, name in enumerate(names_in(folder)):
            (folder / "ab"[i % 2]).mkdir(exist_ok=True)
            (folder / name).rename(folder / "ab"[i % 2] / name)
    return made


@pytest.fixture(scope="module")
def measure(tiny_folder):
    def run(train, ood, path):
        spec = {
            "name": "kinds",
            "backbone": str(tiny_folder),
            "id": {"train": {"name": "ramps", "source": train}},
            "ood": [{"name": "bright", "source": ood}],
            "levels": [5.0, -1.0],
            "taps": "sparse_ed",
            "keep": "none",
            "draws": 2,
            "diagnostics": [],
        }
        return explore(spec, path, device="cpu")

    return run


@pytest.fixture(scope="module")
def of_folder(folders, measure, tmp_path_factory):
    return measure(*map(str, folders), tmp_path_factory.mktemp("folder") / "run")


@pytest.mark.parametrize("kind", sorted(set(ALL) - {"folder"}))
def test_the_run_is_that_of_the_folder(kind, folders, of_folder, measure, tmp_path, monkeypatch):
    library = NEEDS.get(kind.split()[0])
    if library:
        pytest.importorskip(library, reason=f"the optional library {library} is not installed")
    if kind == "hub":
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    sources = []
    for name, folder in zip(("id", "ood"), folders, strict=True):
        (tmp_path / name).mkdir()
        given = ALL[kind](folder, tmp_path / name)
        sources.append(given if isinstance(given, dict) else str(given))
    run = measure(*sources, tmp_path / "run")
    assert run.ood_names == ["bright"] and run.table("skipped").empty
    for which, count in ((("id_train",), 16), (("id_test",), 8), (("ood", "bright"), 9)):
        ids = [each.images(*which)["image_id"].tolist() for each in (run, of_folder)]
        assert ids[0] == ids[1] and len(set(ids[0])) == count
        for key, values in of_folder.moments(*which).to_arrays().items():
            np.testing.assert_array_equal(run.moments(*which).to_arrays()[key], values)
    for which in (("id_test",), ("ood", "bright")):
        np.testing.assert_array_equal(run.scores(*which), of_folder.scores(*which))
    pd.testing.assert_frame_equal(run.table("auroc_map"), of_folder.table("auroc_map"), check_exact=True)
