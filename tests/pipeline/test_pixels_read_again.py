"""Sets too large for their pixels to be kept: these are read from the source again, and every number stays the same."""

import shutil
import threading

import numpy as np
import pandas as pd
import pytest

from cfs_explore import images
from cfs_explore.errors import SourceError
from cfs_explore.images.preprocess import to_input
from cfs_explore.pipeline import claim, explore
from cfs_explore.pipeline.crew import join
from cfs_explore.pipeline.pixels import open_pixels
from cfs_explore.pipeline.prepare import plan_sets, prepare_sets
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.shards import SetShards
from cfs_explore.pipeline.stages import Study
from cfs_explore.spec import RunSpec
from cfs_explore.store import SetWork


@pytest.fixture
def read_again(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_INPUTS_GB", "0")


@pytest.fixture(scope="module")
def odd_spec(quick_spec, write_images, tmp_path_factory):
    """A folder with files that cannot be read, a limit, and sizes that differ from the backbone's."""
    folder = tmp_path_factory.mktemp("odd") / "set"
    shutil.copytree(write_images(17, "folder", seed=5, side=11), folder)
    first, *_ = sorted(folder.rglob("*.png"))
    (first.parent / "0000-broken.png").write_bytes(b"broken")
    (first.parent / "zz-broken.png").write_bytes(first.read_bytes()[:70])
    odd = {"name": "odd", "source": str(folder), "limit": 14, "resize": "pad", "filter": "bilinear"}
    crop = {"name": "centre", "source": str(write_images(9, "zip", seed=6, side=12)), "centre_crop": 10}
    return quick_spec | {"ood": [odd, crop], "shard_size": 4, "seed": 3}


@pytest.fixture(scope="module")
def kept(odd_spec, tmp_path_factory):
    """The run that keeps its pixels."""
    return explore(odd_spec, tmp_path_factory.mktemp("kept") / "run", device="cpu")


def planned_of(spec, out, backbone):
    spec = RunSpec.parse(spec)
    sets = plan_sets(spec, out)
    prepare_sets(spec, sets, backbone, Progress())
    return sets


def test_pixels_are_those_that_are_kept(odd_spec, tiny, tmp_path, monkeypatch):
    """In any order, with repeats, and as an independent reading of the source has them."""
    whole = planned_of(odd_spec, tmp_path / "kept", tiny)
    monkeypatch.setenv("CFS_EXPLORE_INPUTS_GB", "0")
    again = planned_of(odd_spec, tmp_path / "again", tiny)
    for one, other in zip(whole, again, strict=True):
        assert one.work.inputs_path.is_file() and not other.work.inputs_path.exists()
        pd.testing.assert_frame_equal(one.work.rows(), other.work.rows())
        pd.testing.assert_frame_equal(one.work.skipped(), other.work.skipped())
        inputs = one.work.inputs()
        with open_pixels(other) as pixels:
            assert len(pixels) == len(inputs)
            np.testing.assert_array_equal(pixels[:], inputs)
            np.testing.assert_array_equal(pixels[:3], inputs[:3])
            rows = [5, 0, 5, 3]
            np.testing.assert_array_equal(pixels[rows], inputs[rows])
            assert pixels[np.array(rows)].dtype == np.uint8
    odd = again[2]
    with images.open_source(odd.images.source, limit=14, seed=3) as source:
        records = list(source.readable())
    assert odd.work.rows()["name"].tolist() == [record.name for record in records]
    with open_pixels(odd) as pixels:
        for place, record in enumerate(records):
            expected = to_input(record.pixels, (1, 8, 8), "pad", "bilinear")
            np.testing.assert_array_equal(pixels[[place]][0], expected)


def test_a_run_is_the_same(odd_spec, kept, read_again, tmp_path, assert_same_tables):
    run = explore(odd_spec, tmp_path / "run", device="cpu")
    assert_same_tables(run, kept)
    progress = Progress()
    progress.start("diagnosing", 1, "images")
    facts = {"id_train": (None, 6), "id_test": (None, None), "ood": ("odd", 5)}
    for role, (name, limit) in facts.items():
        samples = [Study(each, progress, device="cpu").sample(role, name, limit=limit) for each in (run, kept)]
        np.testing.assert_array_equal(samples[0].pixels, samples[1].pixels)


def test_a_run_that_was_killed_goes_on(odd_spec, kept, read_again, tmp_path, monkeypatch, assert_same_tables):
    """And one that keeps its pixels goes on with them, whatever the setting has become."""

    class Killed(BaseException):
        pass

    finish = SetWork.finish_shard

    def killed(self, index, *arrays):
        finish(self, index, *arrays)
        if self.folder.name == "ood-00":
            raise Killed

    for place, setting in (("again", "0"), ("kept", "4")):
        monkeypatch.setenv("CFS_EXPLORE_INPUTS_GB", setting)
        with monkeypatch.context() as patch:
            patch.setattr(SetWork, "finish_shard", killed)
            with pytest.raises(Killed):
                explore(odd_spec, tmp_path / place, device="cpu")
        assert (tmp_path / place / "work" / "ood-00" / "inputs.npy").exists() == (place == "kept")
        monkeypatch.setenv("CFS_EXPLORE_INPUTS_GB", "0")
        with monkeypatch.context() as patch:
            patch.setattr("cfs_explore.pipeline.prepare.prepare", None)  # nothing is prepared twice
            assert_same_tables(explore(odd_spec, tmp_path / place, device="cpu"), kept)


@pytest.mark.parametrize("name", ["places.npy", "reading.json"])
def test_how_to_read_is_a_file_like_others(name, odd_spec, kept, read_again, tmp_path, tiny, assert_same_tables):
    """Damaged, the set is prepared again."""
    planned_of(odd_spec, tmp_path / "run", tiny)
    path = tmp_path / "run" / "work" / "id-train" / name
    path.write_bytes(path.read_bytes()[:-3])
    (tmp_path / "run" / "spec.yaml").write_text(RunSpec.parse(odd_spec).to_yaml())
    assert_same_tables(explore(odd_spec, tmp_path / "run", device="cpu"), kept)


def test_helpers_read_themselves(odd_spec, kept, read_again, tmp_path, monkeypatch, assert_same_tables):
    compute, leader, opened = SetShards.compute, threading.current_thread(), []
    original = images.open_source

    def slowly(self, index):
        if threading.current_thread() is leader:
            threading.Event().wait(0.2)
        return compute(self, index)

    def noted(*arguments, **options):
        opened.append(threading.current_thread())
        return original(*arguments, **options)

    monkeypatch.setattr(SetShards, "compute", slowly)
    monkeypatch.setattr(images, "open_source", noted)
    claim(RunSpec.parse(odd_spec), tmp_path / "run")
    helped = []
    thread = threading.Thread(target=lambda: helped.append(join(tmp_path / "run", device="cpu")))
    thread.start()
    run = explore(odd_spec, tmp_path / "run", device="cpu")
    thread.join()
    assert_same_tables(run, kept)
    assert helped[0] >= 1 and thread in opened


def test_images_that_changed_since(odd_spec, read_again, tiny, tmp_path, write_images):
    """Other pixels under a name, a file that is gone, and one more that moves the others: never other numbers."""
    folder = tmp_path / "set"
    shutil.copytree(write_images(6, "folder", seed=5), folder)
    spec = odd_spec | {"ood": [{"name": "odd", "source": str(folder)}]}
    planned = planned_of(spec, tmp_path / "run", tiny)[2]
    first, second, *_ = sorted(folder.rglob("*.png"))

    def refused(what):
        with open_pixels(planned) as pixels, pytest.raises(SourceError, match=f"The set odd has changed.*{what}"):
            pixels[:]

    before = first.read_bytes()
    first.write_bytes(second.read_bytes())
    refused(f"{first.name} holds other pixels")
    first.write_bytes(before)
    (first.parent / "0000000.png").write_bytes(second.read_bytes())
    refused("holds other pixels")
    (first.parent / "0000000.png").unlink()
    with open_pixels(planned) as pixels:
        pixels[[1]]
        first.unlink()
        with pytest.raises(SourceError, match=f"The set odd has changed.*{first.name}.*Put them back"):
            pixels[[0]]
    shutil.rmtree(folder)
    with (
        open_pixels(planned) as pixels,
        pytest.raises(SourceError, match=r"The set odd, which.*does not exist"),
    ):
        pixels[[0]]


def test_id_images_of_another_run(odd_spec, kept, read_again, tmp_path, monkeypatch):
    """Measured again at other levels, they are found where that run has them, by a helper, too."""
    other = odd_spec | {"id": {"run": str(kept.path)}, "levels": [1.0]}
    alone = explore(other, tmp_path / "alone", device="cpu")
    compute, leader = SetShards.compute, threading.current_thread()

    def slowly(self, index):
        if threading.current_thread() is leader:
            threading.Event().wait(0.2)
        return compute(self, index)

    monkeypatch.setattr(SetShards, "compute", slowly)
    claim(RunSpec.parse(other), tmp_path / "run")
    helped = []
    thread = threading.Thread(target=lambda: helped.append(join(tmp_path / "run", device="cpu")))
    thread.start()
    run = explore(other, tmp_path / "run", device="cpu")
    thread.join()
    np.testing.assert_array_equal(run.scores("id_test"), alone.scores("id_test"))
    assert helped[0] >= 1


def test_rows_of_many_parts(odd_spec, kept, read_again, tmp_path, monkeypatch, assert_same_tables):
    """Rows are written and read in parts of three."""
    for room in ("pipeline.gathered_rows", "store.long_tables"):
        monkeypatch.setattr(f"cfs_explore.{room}.PART", 3)
    group = {"group": {"before_first": "."}}
    sets = [each | group for each in odd_spec["ood"]]
    parts = explore(odd_spec | {"ood": sets}, tmp_path / "parts", device="cpu")
    monkeypatch.undo()
    whole = explore(odd_spec | {"ood": sets}, tmp_path / "whole", device="cpu")
    assert_same_tables(parts, whole)
