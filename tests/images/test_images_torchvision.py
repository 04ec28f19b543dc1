"""torchvision's sets, from files written by hand as torchvision lays them out; nothing is fetched."""

import hashlib
import socket
import struct
import urllib.error

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import TORCHVISION_SETS, open_source
from cfs_explore.images.local_copies import data_folder

torchvision = pytest.importorskip("torchvision", reason="the optional library torchvision is not installed")
SPLITS = ("train", "val", "test", "all")


def write_mnist(root, name: str = "MNIST") -> np.ndarray:
    """idx files of 4 training and 3 test images; returns the test images."""
    raw = root / name / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)
    for stem, part in (("train", slice(0, 4)), ("t10k", slice(4, 7))):
        pixels, labels = images[part], np.arange(7, dtype=np.uint8)[part]
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, *pixels.shape) + pixels.tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + labels.tobytes())
    return images[4:]


def write_dtd(root) -> None:
    base = root / "dtd" / "dtd"
    (base / "labels").mkdir(parents=True)
    for name, colour in (("dotted/a.jpg", 9), ("lined/b.jpg", 200)):
        (base / "images" / name).parent.mkdir(parents=True)
        Image.fromarray(np.full((8, 6), colour, np.uint8)).save(base / "images" / name)
    (base / "labels" / "test1.txt").write_text("lined/b.jpg\ndotted/a.jpg\n")
    (base / "labels" / "val1.txt").write_text("lined/b.jpg\nlined/link.jpg\n")


def write_celeba(root, monkeypatch) -> None:
    """Seven aligned faces of three people; the last file leads out of the set. Digests are those of these lists."""
    base = root / "celeba"
    (base / "img_align_celeba").mkdir(parents=True)
    files = [f"{i:06d}.jpg" for i in range(1, 8)]
    for i, file in enumerate(files):
        Image.fromarray(np.full((218, 178, 3), 30 * i, np.uint8)).save(base / "img_align_celeba" / file)
    Image.fromarray(np.zeros((8, 6), np.uint8)).save(root.parent / "secret.jpg")
    (base / "img_align_celeba" / files[-1]).unlink()
    (base / "img_align_celeba" / files[-1]).symlink_to(root.parent / "secret.jpg")
    numbers = {  # the lines in front, numbers of an image
        "list_eval_partition.txt": (0, lambda i: [(0, 0, 1, 1, 2, 2, 2)[i]]),
        "identity_CelebA.txt": (0, lambda i: [(7, 8, 7, 7, 9, 7, 9)[i]]),
        "list_bbox_celeba.txt": (2, lambda i: [0, 0, 1, 1]),
        "list_landmarks_align_celeba.txt": (2, lambda i: [5] * 10),
        "list_attr_celeba.txt": (2, lambda i: [1, -1]),
    }
    digests = [(None, None, "img_align_celeba.zip")]
    for name, (heads, of) in numbers.items():
        lines = ["7", "a b"][:heads] + [" ".join(map(str, [file, *of(i)])) for i, file in enumerate(files)]
        (base / name).write_text("\n".join(lines) + "\n")
        digests.append((None, hashlib.md5((base / name).read_bytes()).hexdigest(), name))
    monkeypatch.setattr(torchvision.datasets.CelebA, "file_list", digests)


def test_celeba_is_grouped_by_person(tmp_path, monkeypatch):
    root = tmp_path / "root"
    write_celeba(root, monkeypatch)
    sizes = {split: len(open_source({"torchvision": "CelebA", "split": split, "root": root})) for split in SPLITS}
    assert sizes == {"train": 2, "val": 2, "test": 3, "all": 7}
    with open_source({"torchvision": "CelebA", "root": str(root)}) as source:  # the test split
        assert source.names == ["000000/000005.jpg", "000001/000006.jpg", "000002/000007.jpg"]
        faces = [source.read(i) for i in (0, 1)]
        assert [face.group for face in faces] == ["CelebA person 9", "CelebA person 7"]
        assert {(face.format, face.label, face.width, face.height) for face in faces} == {("JPEG", "", 178, 218)}
        assert [int(face.pixels.mean()) for face in faces] == [120, 150]
        with pytest.raises(ImageError, match="outside the root of the data set"):
            source.read(2)
    with open_source({"torchvision": "CelebA", "split": "all", "root": root}, centre_crop=140) as source:
        assert source.read(0).pixels.shape == (140, 140, 3)
    (root / "celeba" / "identity_CelebA.txt").write_text("000001.jpg 1\n")
    with pytest.raises(SourceError, match=r"CelebA test is not \(whole\) in .* corrupted"):
        open_source({"torchvision": "CelebA", "root": str(root)})


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_sets_of_arrays(tmp_path, name):
    images = write_mnist(tmp_path, name)
    with open_source({"torchvision": name, "root": str(tmp_path)}) as source:  # the test split
        assert (source.kind, source.names) == ("torchvision", ["000000", "000001", "000002"])
        records = [source.read(i) for i in range(3)]
    np.testing.assert_array_equal(np.stack([r.pixels[:, :, 0] for r in records]), images)
    assert {(r.format, r.mode, r.width, r.pixels.shape) for r in records} == {("array", "L", 28, (28, 28, 1))}
    assert [r.label for r in records] == getattr(torchvision.datasets, name).classes[4:7]
    assert len(open_source({"torchvision": name, "split": "train", "root": tmp_path})) == 4


def test_sets_of_files_are_decoded_here(tmp_path):
    write_dtd(tmp_path)
    with open_source({"torchvision": "DTD", "split": "test", "root": str(tmp_path)}) as source:
        assert source.names == ["000000/b.jpg", "000001/a.jpg"]
        record = source.read(0)
    assert (record.format, record.mode, record.label, record.width, record.height) == ("JPEG", "L", "lined", 6, 8)


def test_files_stay_inside_the_root(tmp_path):
    root = tmp_path / "root"
    write_dtd(root)
    Image.fromarray(np.zeros((8, 6), np.uint8)).save(tmp_path / "secret.jpg")
    (root / "dtd" / "dtd" / "images" / "lined" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with open_source({"torchvision": "DTD", "split": "val", "root": str(root)}) as source:
        assert source.read(0).label == "lined"
        with pytest.raises(ImageError, match="outside the root of the data set"):
            source.read(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"torchvision": "cifar10"}, "no torchvision set 'cifar10'; allowed are CIFAR10, .* Did you mean 'CIFAR10'"),
        ({"torchvision": "VisionDataset"}, "no torchvision set"),
        ({"torchvision": "PhotoTour"}, "no torchvision set"),
        ({"torchvision": "DTD", "split": "valid"}, "DTD has no split 'valid'; allowed are train, val, test"),
        ({"torchvision": "DTD", "partition": 3}, "no option 'partition'"),
        ({"torchvision": "DTD", "range": [0, 4095]}, "no option 'range'; allowed are split, root, download"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(SourceError, match=message):
        open_source(options)


def test_absent_and_damaged_files(tmp_path):
    for name in TORCHVISION_SETS:
        with pytest.raises(SourceError, match=rf"{name} \w+ is not \(whole\) in .*'download': true\}} to fetch it"):
            open_source({"torchvision": name, "root": str(tmp_path)})
    assert not (tmp_path / ".MNIST.lock").exists()
    write_mnist(tmp_path)
    images = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    data = images.read_bytes()
    for damaged in (
        data[:-100],
        data[:10],
        b"",
        struct.pack(">IIII", 0x803, 2**31, 28, 28) + data[16:],
        b"\x80\x04." * 9,
    ):
        images.write_bytes(damaged)
        with pytest.raises(SourceError, match="MNIST test is not"):
            open_source({"torchvision": "MNIST", "root": str(tmp_path)})


def test_pickles_of_unknown_origin_are_not_loaded(tmp_path):
    """CIFAR-10 comes as pickles, which torchvision opens only where their digests are the published ones."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
        "batches.meta",
    ):
        (folder / name).write_bytes(f"cbuiltins\nopen\n(S'{tmp_path / 'executed'}'\nS'w'\ntR.".encode())
    for split in ("train", "test"):
        with pytest.raises(SourceError, match=r"CIFAR10 .* is not"):
            open_source({"torchvision": "CIFAR10", "split": split, "root": str(tmp_path)})
    assert not (tmp_path / "executed").exists()


def test_downloads_go_to_the_cache_and_say_when_out_of_reach(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "kept"))
    asked = []

    def unreachable(request, *args, **kwargs):
        asked.append(request)
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(SourceError, match=rf"{tmp_path}/kept/torchvision and could not be opened: .* or connect this"):
        open_source({"torchvision": "MNIST", "split": "test"})
    assert asked and (data_folder() / "torchvision") == tmp_path / "kept" / "torchvision"
    write_mnist(tmp_path / "kept" / "torchvision")
    asked.clear()
    assert len(open_source({"torchvision": "MNIST", "split": "test"})) == 3 and not asked
    monkeypatch.delenv("CFS_EXPLORE_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (data_folder() / "torchvision") == tmp_path / ".cache" / "cfs-explore" / "torchvision"


def test_a_server_that_says_nothing_ends_the_download(tmp_path, monkeypatch):
    """torchvision itself would wait for ever."""
    silent = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"])
    monkeypatch.setattr("cfs_explore.safe_io.fetching.PATIENCE_SECONDS", 0.2)
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path))
    with silent, pytest.raises(SourceError, match="did not answer in time"):
        open_source({"torchvision": "MNIST", "split": "test"})
    assert socket.getdefaulttimeout() is None


def test_every_set_is_one_of_torchvisions_with_these_splits():
    """Each split's arguments are accepted: the constructor gets as far as missing files."""
    import inspect

    for name, chosen in TORCHVISION_SETS.items():
        parameters = inspect.signature(getattr(torchvision.datasets, name).__init__).parameters
        for arguments in chosen.splits.values():
            assert set(arguments) | {"root", "download"} <= set(parameters) | {"download", "train", "root"}, name
