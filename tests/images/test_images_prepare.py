"""Preparing a whole source: the array, the table, bad images, cancelling, a full disk."""

import errno
import tracemalloc

import numpy as np
import pytest
from preparing import prepare

from cfs_explore.errors import BackboneError, RunCancelled, SourceError, SpecError
from cfs_explore.images import open_source, to_input
from cfs_explore.images import prepare as prepare_module
from cfs_explore.images.prepare import COLUMNS


def test_array_and_rows_agree_with_the_source(folder, pixels, tmp_path):
    seen = []
    out = tmp_path / "inputs.npy"
    source = open_source(folder)
    rows, skipped = prepare(source, (1, 8, 8), "crop", out, progress=lambda *args: seen.append(args))
    inputs = np.load(out, mmap_mode="r", allow_pickle=False)
    assert (inputs.shape, inputs.dtype) == ((8, 1, 8, 8), np.uint8)
    for i, name in enumerate(sorted(pixels)):
        np.testing.assert_array_equal(inputs[i], to_input(pixels[name], (1, 8, 8), "crop"))
    assert tuple(rows.columns) == COLUMNS
    assert rows["image_id"].tolist() == [source.read(i).image_id for i in range(8)]
    assert rows["name"].tolist() == sorted(pixels)
    assert rows["label"].unique().tolist() == ["cat", "dog"]
    assert (rows[["width", "height"]].to_numpy() == [7, 9]).all()
    assert rows["thumbnail"].map(lambda data: data.startswith(b"\x89PNG")).all()
    assert seen == [(i, 8) for i in range(1, 9)]
    assert skipped == []
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["inputs.npy"]


def test_bad_images_are_listed_and_leave_no_gap(folder, pixels, tmp_path):
    (folder / "cat" / "1.png").write_bytes(b"not a png")
    (folder / "dog" / "3.png").write_bytes((folder / "dog" / "3.png").read_bytes()[:80])
    (folder / "notes.txt").write_text("x")
    rows, skipped = prepare(open_source(folder), (3, 9, 7), "pad", tmp_path / "a.npy")
    good = [name for name in sorted(pixels) if name not in ("cat/1.png", "dog/3.png")]
    assert rows["name"].tolist() == good
    assert [name for name, _ in skipped] == ["notes.txt", "cat/1.png", "dog/3.png"]
    assert skipped[1][1].startswith("not an image")
    inputs = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(inputs, np.stack([pixels[name].transpose(2, 0, 1) for name in good]))


def test_the_file_is_the_same_as_numpy_would_write(folder, pixels, tmp_path):
    prepare(open_source(folder), (3, 9, 7), "crop", tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.stack([pixels[name].transpose(2, 0, 1) for name in sorted(pixels)]))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_the_count_may_lose_digits(tmp_path, encode_png):
    for i in range(12):
        (tmp_path / f"{i:02d}.png").write_bytes(encode_png(np.full((2, 2), i, np.uint8)) if i % 2 else b"bad")
    rows, skipped = prepare(open_source(tmp_path), (1, 2, 2), "crop", tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy")[:, 0, 0, 0].tolist() == [1, 3, 5, 7, 9, 11]
    assert (len(rows), len(skipped)) == (6, 6)


def test_nothing_left_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"bad")
    with pytest.raises(SourceError, match=r"no image of 1 can be read; the first: a\.png: not an"):
        prepare(open_source(tmp_path), (1, 2, 2), "crop", tmp_path / "a.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_cancelling_leaves_nothing_and_an_older_file_alone(folder, tmp_path):
    out = tmp_path / "a.npy"
    out.write_bytes(b"older")
    answers = iter([False, False, True])
    with pytest.raises(RunCancelled, match="stopped after 2 of 8"):
        prepare(open_source(folder), (1, 2, 2), "crop", out, cancelled=lambda: next(answers))
    assert out.read_bytes() == b"older"
    assert not (tmp_path / "a.npy.partial").exists()


def test_full_disk(folder, tmp_path, monkeypatch):
    def fail(file, array):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prepare_module, "_write_input", fail)
    with pytest.raises(SourceError, match=f"disk full while writing to {tmp_path}"):
        prepare(open_source(folder), (1, 2, 2), "crop", tmp_path / "a.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_impossible_requests_fail_before_any_work(folder, tmp_path):
    with pytest.raises(SpecError, match="policy"):
        prepare(open_source(folder), (1, 2, 2), "zoom", tmp_path / "a.npy")
    with pytest.raises(BackboneError, match=r"\(4, 2, 2\)"):
        prepare(open_source(folder), (4, 2, 2), "crop", tmp_path / "a.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_memory_stays_flat(tmp_path):
    """300 images of 256 x 256: 20 MB of pixels in place, of which only one at a time is in memory."""
    np.save(tmp_path / "in.npy", np.zeros((300, 256, 256), np.uint8))
    source = open_source(tmp_path / "in.npy")
    tracemalloc.start()
    prepare(source, (3, 256, 256), "crop", tmp_path / "out.npy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6e6
    assert np.load(tmp_path / "out.npy", mmap_mode="r").shape == (300, 3, 256, 256)
