"""OOD images that are ID images, and ID images that are scored by what they fitted, are reported in the manifest."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.pipeline import explore
from cfs_explore.pipeline.duplicates import duplicate_warnings
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.spec import ImageSet
from cfs_explore.store import SetWork, write_table


@pytest.fixture
def planned(tmp_path):
    """Sets as prepared, from name -> image ids: the ID set's train and test part, then OOD sets."""

    def make(train, test, **ood):
        sets = []
        for role, name, ids in [
            ("id_train", "ID", train),
            ("id_test", "ID", test),
            *(("ood", k, v) for k, v in ood.items()),
        ]:
            work = SetWork(tmp_path / f"{len(sets)}")
            names = [f"{name}-{role}/{i}.png" for i in range(len(ids))]
            write_table(work.rows_path, pd.DataFrame({"image_id": list(ids), "name": names}))
            work.finish_shard(0, {"rows": np.arange(len(ids))}, {})
            sets.append(PlannedSet(role, ImageSet(name=name, source="x"), work, {}))
        return sets

    return make


def test_sets_that_share_nothing_are_not_warned_about(planned):
    assert duplicate_warnings(planned("abc", "de", letters="fgh", more="i")) == []


def test_an_image_of_either_id_part_is_found(planned):
    (one,) = duplicate_warnings(planned("abc", "de", letters="fgh", leaked="xbey"))
    assert one.startswith("leaked: 2 of 4 images are also in the ID set, pixel by pixel (")
    assert "leaked-ood/1.png = ID-id_train/1.png, leaked-ood/2.png = ID-id_test/1.png)" in one
    assert "letters" not in one


def test_images_that_fit_and_are_scored_are_reported(planned):
    (leak,) = duplicate_warnings(planned("abc", "bdc", letters="fgh"))
    assert leak.startswith("ID: 2 of 3 scored ID images are also among those that fit the statistics")


def test_a_run_says_so_in_its_manifest(quick_spec, tmp_path, write_images):
    """Five ID images are planted among eight OOD ones; the run finds just them."""
    own, other = (np.load(write_images(n, seed=seed))["images"] for n, seed in ((20, 1), (3, 9)))
    np.savez(tmp_path / "id.npz", images=own)
    np.savez(tmp_path / "mixed.npz", images=np.concatenate([other, own[[0, 4, 9, 13, 19]]]))
    sources = {
        "id": {"train": {"name": "ramps", "source": str(tmp_path / "id.npz")}},
        "ood": [{"name": "mixed", "source": str(tmp_path / "mixed.npz")}],
    }
    run = explore(quick_spec | sources, tmp_path / "run", device="cpu")
    (warning,) = [text for text in run.manifest.warnings if "pixel by pixel" in text]
    assert warning.startswith("mixed: 5 of 8 images are also in the ID set")
    assert "images/000003 = images/000000" in warning


def test_greys_that_were_stored_as_rgb_are_the_same_pictures(quick_spec, tmp_path, write_images):
    """Four ID images come back with three equal channels; their own ids are of other bytes."""
    own = np.load(write_images(20, seed=1))["images"]
    np.savez(tmp_path / "id.npz", images=own)
    np.savez(tmp_path / "again.npz", images=np.repeat(own[:4].reshape(4, 8, 8, 1), 3, axis=3))
    sources = {
        "id": {"train": {"name": "ramps", "source": str(tmp_path / "id.npz")}},
        "ood": [{"name": "again", "source": str(tmp_path / "again.npz")}],
    }
    run = explore(quick_spec | sources, tmp_path / "run", device="cpu")
    assert [text[:40] for text in run.manifest.warnings if "pixel by pixel" in text] == [
        "again: every image is also in the ID set"
    ]
    both = {*run.images("id_train")["image_id"], *run.images("id_test")["image_id"]}
    assert not both & set(run.images("ood", "again")["image_id"])
