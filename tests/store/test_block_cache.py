"""The cache of blocks: what was put comes back bit by bit, or not at all; it keeps to its size and never fails."""

import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from cfs_explore.store import block_cache
from cfs_explore.store.block_cache import BlockCache

SHAPE = (2, 1, 5, 10)
SIZE = 128 + 400 + 16  # header, float32 values, digest


def block(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def earlier(folder):
    """Fill a cache with blocks 0..n-1 of one minute's age each, 0 the oldest; gives a cache of a later run."""

    def fill(count: int, limit: int) -> BlockCache:
        for i in range(count):
            BlockCache(folder, 10**9).put(f"k{i}", block(i))
            modified = time.time() - 60 * (count - i)
            os.utime(folder / f"k{i}.npy", (modified, modified))
        return BlockCache(folder, limit)

    return fill


def kept(folder) -> set[str]:
    return {path.stem for path in folder.glob("*.npy")}


def test_what_was_put_comes_back(folder):
    cache = BlockCache(folder, 10**6)
    assert cache.get("a", SHAPE) is None and not folder.exists()
    values = block(0)
    values[0, 0, 0, :3] = np.nan, -0.0, np.inf
    cache.put("a", values)
    found = BlockCache(folder, 10**6).get("a", SHAPE)
    assert found.dtype == np.float32 and found.tobytes() == values.tobytes()
    assert cache.get("b", SHAPE) is None
    assert np.load(folder / "a.npy", allow_pickle=False).tobytes() == values.tobytes()  # an .npy like any other
    assert (folder / "a.npy").stat().st_size == SIZE


def test_a_view_is_kept_as_its_values(folder):
    cache = BlockCache(folder, 10**6)
    turned = block(0).transpose(3, 2, 1, 0)
    cache.put("a", turned)
    np.testing.assert_array_equal(cache.get("a", turned.shape), turned)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"x")


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


def pickle_instead(path):
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


def other_dtype(path):
    np.save(path, np.zeros(SHAPE, dtype=np.float64))


def other_block(path):
    BlockCache(path.parent, 10**6).put("other", block(9))
    shutil.move(path.parent / "other.npy", path)


def claim_too_much(path):
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6, 10**3)}
        )


@pytest.mark.parametrize(
    "damage", [cut, lengthen, empty, flip_a_bit, pickle_instead, other_dtype, other_block, claim_too_much]
)
def test_a_damaged_file_is_deleted(folder, damage):
    cache = BlockCache(folder, 10**6)
    cache.put("a", block(0))
    damage(folder / "a.npy")
    assert cache.get("a", SHAPE) is None
    assert not (folder / "a.npy").exists()
    cache.put("a", block(0))
    assert cache.get("a", SHAPE).tobytes() == block(0).tobytes()


def test_a_block_of_another_shape_is_none(folder):
    cache = BlockCache(folder, 10**6)
    cache.put("a", block(0))
    assert cache.get("a", (2, 1, 10, 5)) is None


def test_the_least_recently_used_go_first(folder, earlier):
    cache = earlier(5, 5 * SIZE)
    assert cache.get("k0", SHAPE) is not None  # used again, so not the oldest any more
    cache.put("new", block(10))
    assert kept(folder) == {"k0", "k2", "k3", "k4", "new"}
    cache.put("newer", block(11))
    assert kept(folder) == {"k0", "k3", "k4", "new", "newer"}


@pytest.mark.parametrize("ahead", [0.0, 5.0])
def test_a_run_larger_than_the_cache_keeps_its_beginning(folder, monkeypatch, ahead):
    """A second pass over the same blocks then finds as many as there is room for, not none.

    Also where the clock that stamps files is behind the one that the program asks: by a tick of the kernel's on every
    disk, by seconds on a file server.
    """
    now = time.time
    monkeypatch.setattr(block_cache.time, "time", lambda: now() + ahead)
    first = BlockCache(folder, 3 * SIZE)
    for i in range(8):
        first.put(f"k{i}", block(i))
    second, found = BlockCache(folder, 3 * SIZE), []
    for i in range(8):
        if second.get(f"k{i}", SHAPE) is None:
            second.put(f"k{i}", block(i))
        else:
            found.append(i)
    assert found == [0, 1, 2]


def test_a_smaller_limit_shrinks_the_cache(folder, earlier):
    earlier(6, 3 * SIZE).put("new", block(10))
    assert kept(folder) == {"k4", "k5", "new"}


def test_a_block_larger_than_the_cache_and_a_limit_of_none(folder, earlier):
    earlier(2, SIZE - 1).put("new", block(10))
    assert kept(folder) == {"k0", "k1"}
    off = BlockCache(folder, 0)
    off.put("new", block(10))
    assert kept(folder) == {"k0", "k1"} and off.get("k0", SHAPE) is None


def test_the_disk_is_left_some_room(folder, monkeypatch):
    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=block_cache.SPARE_BYTES))
    BlockCache(folder, 10**6).put("a", block(0))
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_no_failure(folder, tmp_path):
    """Files of this process may not grow beyond 300 bytes: nothing half-written stays, and nothing is raised."""
    resource = pytest.importorskip("resource")
    assert resource.RLIMIT_FSIZE
    code = (
        "import resource, sys, numpy as np; from pathlib import Path\n"
        "from cfs_explore.store.block_cache import BlockCache\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
        f"BlockCache(Path(sys.argv[1]), 10**9).put('a', np.zeros({SHAPE}, np.float32))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    assert not list(folder.glob("*.npy")) and not list(folder.glob("*.partial"))


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = BlockCache(tmp_path / "file", 10**6)
    cache.put("a", block(0))
    assert cache.get("a", SHAPE) is None


def test_what_a_killed_process_left_is_cleared_away(folder, earlier):
    cache = earlier(1, 10**6)
    for name, age in (("old", 7200), ("young", 60)):
        path = folder / f"{name}.12345678.partial"
        path.write_bytes(b"half")
        modified = time.time() - age
        os.utime(path, (modified, modified))
    cache.put("new", block(10))
    assert [path.name for path in folder.glob("*.partial")] == ["young.12345678.partial"]


def test_processes_share_a_cache(folder):
    """Four processes put and get the same keys in a cache that is too small for all: every hit is right."""
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from cfs_explore.store.block_cache import BlockCache\n"
        "rng, hits = np.random.default_rng(int(sys.argv[2])), 0\n"
        "for _ in range(30):\n"
        f"    cache = BlockCache(Path(sys.argv[1]), 4 * {SIZE})\n"
        "    for i in rng.integers(0, 7, 5).tolist():\n"
        f"        truth = np.full({SHAPE}, i, np.float32)\n"
        f"        found = cache.get(f'k{{i}}', {SHAPE})\n"
        "        assert found is None or (found == truth).all()\n"
        "        hits += found is not None\n"
        "        cache.put(f'k{i}', truth)\n"
        "print(hits)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(folder), str(i)], stdout=subprocess.PIPE) for i in range(4)
    ]
    hits = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes) and sum(hits) > 0
    assert sum(path.stat().st_size for path in folder.glob("*.npy")) <= 4 * SIZE
    assert not list(folder.glob("*.partial"))
