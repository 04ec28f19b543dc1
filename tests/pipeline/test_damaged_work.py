"""Files of a run under way that are damaged: that part is measured again, and the numbers are those of a whole run."""

import shutil

import numpy as np
import pytest

from cfs_explore.errors import DamageError
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.pieces import Pieces
from cfs_explore.store import SetWork

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def sharded(quick_spec) -> dict:
    return quick_spec | {"shard_size": 4, "keep": "sparse_ed", "taps": "sparse_ed"}


@pytest.fixture(scope="module")
def whole(sharded, tmp_path_factory):
    return explore(sharded, tmp_path_factory.mktemp("whole") / "run", device="cpu")


@pytest.fixture(scope="module")
def half(sharded, tmp_path_factory):
    """A run that was killed with all of ID-train and two shards of the other sets."""
    out = tmp_path_factory.mktemp("half") / "run"
    original, count = SetWork.finish_shard, 0

    def finish_shard(self, index, arrays, moments):
        nonlocal count
        original(self, index, arrays, moments)
        count += self.folder.name != "id-train"
        if count == 4:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SetWork, "finish_shard", finish_shard)
        with pytest.raises(Killed):
            explore(sharded, out, device="cpu")
    return out


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def swap(path):
    others = [other for other in path.parent.parent.parent.rglob(path.name) if other.parent != path.parent]
    others += [other for other in path.parent.glob("*.npz") if other != path]
    shutil.copyfile(others[0], path)


FILES = {
    "id-train/shards/000001.npz": 4,
    "ood-00/shards/000000.npz": 4,
    "id-test/shards/000001.npz": 4,
    "id-train/moments.npz": 24,
    "ood-00/moments.npz": 8,
    "id-test/moments.npz": 8,
    "id-test/blocks/000000.npz": 4,
    "id-test/inputs.npy": 0,
    "id-train/rows.parquet": 0,
    "ood-00/skipped.parquet": 0,
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_damaged_is_made_again(name, half, whole, sharded, tmp_path, forwards, assert_same_tables):
    """Each damage in turn, of a copy each; no more is measured than what was lost."""
    damages = [cut, empty, remove, flip] + ([swap] if name.endswith(".npz") and "blocks" not in name else [])
    images = 36 + 11
    for damage in damages:
        out = tmp_path / damage.__name__
        shutil.copytree(half, out)
        damage(out / "work" / name)
        forwards.clear()
        run = explore(sharded, out, device="cpu")
        assert_same_tables(run, whole)
        left = images - 29 - 16 + 7  # what the killed run had not measured: 5 of ID-test, 3 of the OOD set
        assert sum(forwards) <= left + FILES[name] + 3 * 24, damage.__name__


def test_damage_while_the_run_goes_on(sharded, whole, tmp_path, monkeypatch, assert_same_tables):
    """A shard and the prepared images that go bad after they were written are made again in the same run."""
    original, hit = SetWork.finish_shard, []

    def finish_shard(self, index, arrays, moments):
        original(self, index, arrays, moments)
        if self.folder.name == "ood-00" and index == 2 and not hit:
            hit.append(index)
            cut(self.folder / "shards" / "000000.npz")
            empty(self.folder / "rows.parquet")

    monkeypatch.setattr(SetWork, "finish_shard", finish_shard)
    assert_same_tables(explore(sharded, tmp_path / "run", device="cpu"), whole)
    assert hit


def test_a_disk_that_always_damages_ends_with_the_file(sharded, tmp_path, monkeypatch):
    original = SetWork.finish_shard

    def finish_shard(self, index, arrays, moments):
        original(self, index, arrays, moments)
        cut(self.folder / "shards" / f"{index:06d}.npz")

    monkeypatch.setattr(SetWork, "finish_shard", finish_shard)
    with pytest.raises(DamageError, match=r"000000\.npz is damaged or missing.*Start the run again"):
        explore(sharded, tmp_path / "run", device="cpu")


@pytest.mark.parametrize("damage", [cut, empty, remove, flip], ids=lambda d: d.__name__)
def test_what_a_stage_kept_is_computed_again(damage, quick_run, tmp_path):
    study = Study.__new__(Study)
    study.pieces = Pieces(tmp_path, lambda *_: None)
    counted = []

    def compute():
        counted.append(1)
        return {"scores": np.arange(6.0)}

    study.kept("a/b", 1, compute)
    study.kept("a/b", 1, compute)
    assert len(counted) == 1
    damage(tmp_path / "a" / "b.npz")
    assert np.array_equal(study.kept("a/b", 1, compute)["scores"], np.arange(6.0))
    assert len(counted) == 2 or damage is flip  # of a byte that nothing reads
    counted[:] = [1, 1]
    shutil.copyfile(tmp_path / "a" / "b.npz", tmp_path / "a" / "c.npz")  # another's
    study.kept("a/c", 1, compute)
    assert len(counted) == 3


@pytest.mark.parametrize("damage", [cut, empty, remove], ids=lambda d: d.__name__)
def test_an_alignment_curve_is_measured_again(damage, tmp_path, monkeypatch):
    import pandas as pd

    from cfs_explore.pipeline.match import _read_curve
    from cfs_explore.store import write_table

    path = tmp_path / "alignment_curve.parquet"
    write_table(path, pd.DataFrame({"lam": [1.0], "native": [1.0], "score_norm": [0.5], "perceptual": [0.5]}))
    assert len(_read_curve(path)) == 1
    damage(path)
    assert _read_curve(path) is None
    write_table(path, pd.DataFrame({"x": [1]}))
    assert _read_curve(path) is None
