"""Arrays as people save them: ranges with under- and overshoot, axes in other orders, labels of every shape."""

import numpy as np
import pytest

from cfs_explore.cli import main
from cfs_explore.errors import SourceError
from cfs_explore.images import open_source
from cfs_explore.reports import image_set

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (12, 8, 8)).astype(np.uint8)
UNIT = BYTES / np.float32(255)


def save(path, array):
    np.save(path, array)
    return path


def pixels_of(source):
    with open_source(source) as opened:
        return np.stack([opened.read(i).pixels for i in range(len(opened))]), opened.notes()


@pytest.mark.parametrize("least", [-1e-7, -0.01, -0.05])
def test_a_pixel_of_undershoot_changes_no_other(tmp_path, least, capsys):
    values = UNIT.copy()
    values[0, 0, 0], values[1, 0, 0] = least, 1.04
    path = save(tmp_path / "a.npy", values)
    found, notes = pixels_of(path)
    wanted = BYTES.copy()
    wanted[0, 0, 0], wanted[1, 0, 0] = 0, 255
    assert np.array_equal(found[..., 0], wanted)
    assert "from 0 (black) to 1 (white); clipped, as resizing leaves them: 2 values outside, in 2 images" in notes[0]
    assert f"note: {notes[0]}" in image_set.as_text(image_set.facts(str(path)))
    assert main(["survey", str(path)]) in (None, 0)
    assert notes[0] in capsys.readouterr().out


def test_ringing_on_a_black_ground_is_undershoot(tmp_path):
    values = np.zeros((5, 16, 16), np.float32)
    values[:, 4:12, 4:12] = 1
    values[:, 3, :] = values[:, 12, :] = -0.04
    found, _ = pixels_of(save(tmp_path / "a.npy", values))
    assert found[:, 3].max() == 0 and found[:, 5, 5].min() == 255


def test_a_range_around_zero_is_still_read(tmp_path):
    values = UNIT * 2 - 1
    values[0, 0, 0] = -1.03
    found, notes = pixels_of(save(tmp_path / "a.npy", values))
    wanted = BYTES.copy()
    wanted[0, 0, 0] = 0
    assert np.abs(found[..., 0].astype(int) - wanted).max() <= 1
    assert (
        "from -1 (black) to 1 (white); clipped, as resizing leaves them: 1 value outside, in 1 image, from " in notes[0]
    )


@pytest.mark.parametrize(
    "values",
    [
        UNIT - 0.5,
        (UNIT - 0.5) * 0.08,
        np.where(np.arange(768).reshape(12, 8, 8) == 5, -0.7, UNIT),
        UNIT * 1.3,
        UNIT * 2,
    ],
    ids=["half around zero", "little around zero", "one outlier", "overshoot", "too bright"],
)
def test_what_stays_ambiguous_is_asked_for(tmp_path, values):
    with pytest.raises(SourceError, match=r"the values run from \S+ to \S+\.? .*declare the range"):
        open_source(save(tmp_path / "a.npy", values.astype(np.float32)))


def test_one_image_with_channels_first_is_asked_for(tmp_path):
    path = save(tmp_path / "a.npy", np.stack([BYTES[0]] * 3))
    with pytest.raises(SourceError, match=r"3 images of 8 x 8, grey\) or CHW \(1 image of 8 x 8, colour\).*'layout'"):
        open_source(path)
    assert pixels_of({"path": str(path), "layout": "CHW"})[0].shape == (1, 8, 8, 3)
    assert pixels_of({"path": str(path), "layout": "NHW"})[0].shape == (3, 8, 8, 1)


def test_images_along_the_last_axis(tmp_path):
    path = save(tmp_path / "a.npy", BYTES.transpose(1, 2, 0))
    with pytest.raises(SourceError, match=r"or HWN \(12 images of 8 x 8, grey\)"):
        open_source(path)
    found, notes = pixels_of({"path": str(path), "layout": "HWN"})
    assert np.array_equal(found[..., 0], BYTES)
    assert notes == ["Read with the axes H x W x N, as declared."]
    colour = RNG.integers(0, 256, (8, 8, 3, 9)).astype(np.uint8)
    found, _ = pixels_of({"path": str(save(tmp_path / "b.npy", colour)), "layout": "HWCN"})
    assert np.array_equal(found, colour.transpose(3, 0, 1, 2))
    long = save(tmp_path / "c.npy", RNG.integers(0, 256, (48, 64, 10)).astype(np.uint8))
    with pytest.raises(SourceError, match=r"HWN \(10 images of 64 x 48"):
        open_source(long)


def test_channels_first_are_read_where_that_is_said(tmp_path):
    array = RNG.integers(0, 256, (5, 3, 8, 6)).astype(np.uint8)
    path = save(tmp_path / "a.npy", array)
    with pytest.raises(SourceError, match="NCHW"):
        open_source(path)
    assert np.array_equal(pixels_of({"path": str(path), "layout": "NCHW"})[0], array.transpose(0, 2, 3, 1))
    with pytest.raises(SourceError, match="the layout CHW has 3 axes"):
        open_source({"path": str(path), "layout": "CHW"})


NUMBERS = np.arange(12) % 3
LABELS = {
    "(N, 1)": NUMBERS[:, None],
    "floats": NUMBERS.astype(np.float32),
    "bytes": np.array([str(n).encode() for n in NUMBERS]),
    "text": np.array([[str(n)] for n in NUMBERS]),
    "one-hot": np.eye(3)[NUMBERS],
    "one-hot of bool": np.eye(3, dtype=bool)[NUMBERS],
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_shape_and_type(tmp_path, kind):
    np.savez(tmp_path / "a.npz", images=BYTES, labels=LABELS[kind])
    with open_source(tmp_path / "a.npz") as source:
        assert [source.read(i).label for i in range(12)] == [str(n) for n in NUMBERS]


@pytest.mark.parametrize(
    "labels", [np.zeros((12, 4)), np.arange(3), np.array(7), np.array([{}] * 12), np.zeros(12, "c8")]
)
def test_labels_that_cannot_be_read_never_cost_the_images(tmp_path, labels):
    np.savez(tmp_path / "a.npz", images=BYTES, labels=labels)
    with open_source(tmp_path / "a.npz") as source:
        assert len(source) == 12 and source.read(3).label == ""
        assert source.notes()[0].startswith("The labels were left out: ")


@pytest.mark.parametrize(
    ("images", "labels"),
    [("image", "label"), ("Images", "Labels"), ("train_images", "train_labels"), ("x_train", "y_train"), ("X", "Y"),
     ("imgs", "targets"), ("data", "fine_labels"), ("arr", "y")],
)  # fmt: skip
def test_usual_keys(tmp_path, images, labels):
    np.savez(tmp_path / "a.npz", **{labels: NUMBERS, images: BYTES})
    with open_source(tmp_path / "a.npz") as source:
        assert source.read(4).label == "1"


def test_of_several_splits_one_is_asked_for_with_its_labels(tmp_path):
    parts = {
        "train_images": BYTES,
        "train_labels": NUMBERS[:, None],
        "test_images": BYTES[:2],
        "test_labels": [[8], [9]],
    }
    np.savez(tmp_path / "a.npz", **parts)
    with pytest.raises(SourceError, match=r"which array holds the images.*train_images.*'key'"):
        open_source(tmp_path / "a.npz")
    with open_source({"path": str(tmp_path / "a.npz"), "key": "test_images"}) as source:
        assert [source.read(i).label for i in range(2)] == ["8", "9"]
