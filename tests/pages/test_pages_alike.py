"""An OOD set whose images are all the same: the map page says that its numbers are those of one image."""

import shutil

import pytest
from page_steps import open_page, texts

from cfs_explore.pipeline import explore


@pytest.fixture(scope="module")
def folder(tiny_folder, write_images, tmp_path_factory):
    same = tmp_path_factory.mktemp("same")
    one = next(iter(sorted(write_images(1, "folder", seed=3).iterdir())))
    for i in range(22):
        shutil.copy(one, same / f"{i:02d}.png")
    spec = {
        "name": "alike",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(36, seed=1))}},
        "ood": [
            {"name": "the same_", "source": str(same)},
            {"name": "bright", "source": str(write_images(22, seed=2, shift=60))},
        ],
        "levels": [5.0],
        "taps": "sparse_ed",
        "diagnostics": "map",
    }
    return explore(spec, tmp_path_factory.mktemp("runs") / "alike", device="cpu").path.parent


def test_the_map_page_says_so_of_that_set_alone(folder, only_runs):
    only_runs(folder)
    warning = "All 22 images of the same_ are the same, pixel by pixel."
    assert warning in texts(open_page("map", run="alike", ood="the same_"))
    assert "pixel by pixel" not in texts(open_page("map", run="alike", ood="bright"))
