"""Sets that the form warns of are measured all the same: a map comes out, or an error that says what to do."""

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import SourceError
from cfs_explore.pipeline import explore
from cfs_explore.studies import STANDARD


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


BAD = {
    "one": [noise(0, 8, 8)],
    "same": [noise(0, 8, 8)] * 5,
    "flat": [np.full((8, 8), 40 * i, np.uint8) for i in range(5)],
    "black": [np.zeros((8, 8), np.uint8)] * 5,
    "huge": [noise(i, 900, 700, 3) for i in range(3)],
    "tiny": [noise(i, 1, 1) for i in range(5)],
}


@pytest.fixture
def folder(tmp_path):
    def make(kind):
        path = tmp_path / kind
        path.mkdir()
        for i, pixels in enumerate(BAD[kind]):
            Image.fromarray(pixels).save(path / f"{i}.png")
        return str(path)

    return make


@pytest.mark.parametrize("kind", BAD)
def test_bad_ood_sets_give_a_map(quick_spec, tmp_path, folder, kind):
    ood = [{"name": "bad", "source": folder(kind)}]
    run = explore(quick_spec | {"ood": ood, "diagnostics": "standard"}, tmp_path / "run", device="cpu")
    frame = run.auroc_map("bad")
    assert frame["auroc"].between(0, 1).all() and (frame["lo"] <= frame["auroc"]).all()
    assert set(run.manifest.stages) == set(STANDARD)
    alike = "bad: all 5 images are the same, pixel by pixel." in run.manifest.warnings
    assert alike == (kind in ("same", "black"))


def test_the_id_set_as_ood_set_is_warned_of(quick_spec, tmp_path):
    ood = [{"name": "again", "source": quick_spec["id"]["train"]["source"]}]
    run = explore(quick_spec | {"ood": ood, "diagnostics": "standard"}, tmp_path / "run", device="cpu")
    (warning,) = [text for text in run.manifest.warnings if text.startswith("again: every image")]
    assert "No detector can tell these apart" in warning
    assert run.auroc_map("again")["auroc"].between(0, 1).all()


@pytest.mark.parametrize("kind", ["same", "flat", "black", "tiny"])
def test_bad_id_sets_give_a_map(quick_spec, tmp_path, folder, kind):
    changed = {"id": {"train": {"name": "bad", "source": folder(kind)}}, "diagnostics": "standard"}
    run = explore(quick_spec | changed, tmp_path / "run", device="cpu")
    assert run.auroc_map("bright")["auroc"].between(0, 1).all()


def test_one_id_image_says_what_to_do(quick_spec, tmp_path, folder):
    changed = {"id": {"train": {"name": "one", "source": folder("one")}}}
    with pytest.raises(SourceError, match="Give more images"):
        explore(quick_spec | changed, tmp_path / "run", device="cpu")
