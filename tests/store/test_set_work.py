"""Shards and running moments of one set: what counts as done."""

import pickle

import numpy as np
import pandas as pd
import pytest

from cfs_explore.errors import DamageError
from cfs_explore.store import SetWork


@pytest.fixture
def work(tmp_path):
    return SetWork(tmp_path / "set")


def moments(value):
    return {
        "count": np.int64(value),
        "mean": np.full((1, 2), value),
        "m2": np.ones((1, 2)),
        "m2_within": np.ones((1, 2)),
    }


def test_nothing_yet(work):
    assert not work.is_whole() and work.shards_done() == 0 and work.moments() is None and list(work.shards()) == []
    assert list(work.skipped().columns) == ["name", "reason"] and work.skipped().empty


def test_shards_in_order_with_the_moments_of_the_last(work):
    for index in range(12):
        work.finish_shard(index, {"rows": np.arange(3), "scores": np.full((3, 1), index)}, moments(index + 1.0))
    assert work.shards_done() == 12
    assert [shard["scores"][0, 0] for shard in work.shards()] == list(range(12))
    assert work.moments()["mean"][0, 0] == 12 and work.moments()["count"] == 12


def test_a_shard_without_its_moments_does_not_count(work):
    work.finish_shard(0, {"scores": np.zeros(1)}, moments(1.0))
    stray = work.folder / "shards" / "000001.npz"
    np.savez(stray, scores=np.ones(1))
    assert work.shards_done() == 1 and len(list(work.shards())) == 1
    work.finish_shard(1, {"scores": np.full(1, 5.0)}, moments(2.0))
    assert [shard["scores"][0] for shard in work.shards()] == [0, 5]


def test_rows_and_inputs(work):
    work.folder.mkdir()
    pd.DataFrame({"image_id": ["a", "b"], "thumbnail": [b"1", b"2"]}).to_parquet(work.rows_path)
    np.save(work.inputs_path, np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2))
    assert not work.is_whole()
    work.note_prepared()
    assert work.is_whole() and work.count() == 2
    assert list(work.rows(["image_id"]).columns) == ["image_id"] and len(work.rows().columns) == 2
    assert isinstance(work.inputs(), np.memmap) and work.inputs()[1, 0, 1, 1] == 7


def test_pickles_are_never_loaded(work):
    work.folder.mkdir()
    np.save(work.inputs_path, np.array([object()]), allow_pickle=True)
    with pytest.raises(DamageError, match="Python objects"):
        work.inputs()
    (work.folder / "moments.npz").write_bytes(pickle.dumps({"shards": 3}))
    with pytest.raises(DamageError, match="allow_pickle"):
        work.shards_done()
