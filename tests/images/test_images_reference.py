"""Mappings that name an image set: checked keys and values, the paths that they name; names made harmless."""

import os
import zipfile

import numpy as np
import pytest

from cfs_explore.errors import SourceError
from cfs_explore.images import open_source, paths_named
from cfs_explore.images.listing import distinct, printable


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "says no kind of image set: give one of builtin, path, files, imglist, hub, torchvision"),
        ({"pth": "x"}, "Did you mean 'path'"),
        ({"path": "x", "hub": "a/b"}, "path, hub are given together; keep one"),
        ({"path": "x", "colum": "a"}, r"no option 'colum'; allowed are root, column.*Did you mean 'column'"),
        ({"imglist": "x", "column": "a"}, r"\{'imglist': ...\} has no option 'column'; allowed are root"),
        ({"path": "x", 3: "a"}, "no option 3"),
        ({"path": 3}, "path = 3; allowed is a path"),
        ({"path": ""}, "path = ''; allowed is a path"),
        ({"path": "a\0b"}, "allowed is a path"),
        ({"path": "x", "range": [1, 0]}, r"range = \[1, 0\]; allowed is a list of two numbers, the lower one first"),
        ({"path": "x", "range": [0, float("nan")]}, "two numbers"),
        ({"path": "x", "range": [True, 2]}, "two numbers"),
        ({"path": "x", "range": "01"}, "two numbers"),
        ({"files": []}, r"files = \[\]; allowed is a list of paths"),
        ({"files": "a.png"}, "allowed is a list of paths"),
        ({"files": ["a.png"], "labels": [1.5]}, "allowed is a list of texts or whole numbers"),
        ({"hub": ["a/b"]}, "allowed is text"),
        ({"hub": "a/b", "trust_remote_code": True}, "no option 'trust_remote_code'; allowed are split, column"),
        ({"torchvision": "DTD", "download": "yes"}, "download = 'yes'; allowed is true or false"),
        (3, "3 names no image set. Accepted"),
        (None, "None names no image set"),
        (["a.png"], "names no image set"),
        (b"a.png", "names no image set"),
    ],
)
def test_mistakes_name_the_key_and_what_is_allowed(given, message):
    with pytest.raises(SourceError, match=message):
        open_source(given)


def test_options_of_another_kind_of_file(folder, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 3), np.uint8))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "cat" / "0.png", "a.png")
    for path, message in (
        (folder, "'key' does not apply to a folder, which takes range, pages"),
        (tmp_path / "a.zip", r"'key' does not apply to a \.zip file, which takes range, pages"),
    ):
        with pytest.raises(SourceError, match=message):
            open_source({"path": str(path), "key": "x"})
    with pytest.raises(SourceError, match=r"'key' does not apply to a \.npy file, which takes range"):
        open_source({"path": str(tmp_path / "a.npy"), "key": "x"})
    assert len(open_source({"path": folder, "root": None})) == 8  # None: not given


def test_strange_paths(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SourceError, match="neither a folder nor a regular file"):
        open_source(tmp_path / "pipe.png")
    with pytest.raises(SourceError, match="does not exist"):
        open_source("~nobody-of-that-name/images")


def test_paths_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert paths_named("a.zip") == paths_named({"path": "a.zip"}) == ["a.zip"]
    assert paths_named({"path": "t.csv", "root": "/data", "column": "c"}) == ["t.csv", "/data"]
    assert paths_named({"imglist": "l.txt", "root": "/data"}) == ["l.txt", "/data"]
    assert paths_named({"files": ["a.png", "b.png"], "names": ["x/a.png", "x/b.png"]}) == ["a.png", "b.png"]
    assert paths_named({"torchvision": "DTD"}) == paths_named({"builtin": "letters"}) == []
    assert paths_named({"torchvision": "DTD", "root": "/data"}) == ["/data"]
    assert paths_named({"hub": "some/one"}) == []
    for local in ("owner/name", "/etc", "../x", "~/x", "a/b/c", "name"):
        assert paths_named({"hub": local}) == [local]
    assert paths_named({"path": 3, "files": [4, "a"], "root": tmp_path}) == [str(tmp_path), "a"]
    assert paths_named(None) == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cats/ü 猫 👩‍🔬.png", "cats/ü 猫 👩‍🔬.png"),
        ("<script>alert(1)</script>.png", "<script>alert(1)</script>.png"),
        ("a\n\x1b[31m\x00\x7f\x85b", r"a\n\x1b[31m\x00\x7f\x85b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2066\u200b\ufeff\u2028b", r"a\u2066\u200b\ufeff\u2028b"),
        (os.fsdecode(b"K\xf6ln"), r"K\udcf6ln"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_printable_names(given, shown):
    assert printable(given) == shown == printable(shown)
    printable(given).encode("utf-8")
    long = printable(given * 500)
    assert len(long) <= 500 and printable(long) == long


def test_distinct_names():
    assert distinct(["a", "b", "a", "a (2)", "a"]) == ["a", "b", "a (2)", "a (2) (2)", "a (3)"]


def test_names_and_labels_of_every_kind_are_harmless(tmp_path, encode_png):
    import pyarrow as pa
    import pyarrow.parquet as pq

    image, bad = encode_png(np.zeros((2, 2), np.uint8)), "c\u202e\x1b/a\n.png"
    (tmp_path / "set" / "c\u202e\x1b").mkdir(parents=True)
    (tmp_path / "set" / bad).write_bytes(image)
    (tmp_path / "set" / os.fsdecode(b"\xff.txt")).touch()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(bad, image)
    pq.write_table(
        pa.table({"image": [{"bytes": image, "path": bad}], "label": ["c\u202e\x1b"]}), tmp_path / "a.parquet"
    )
    for path in (tmp_path / "set", tmp_path / "a.zip", tmp_path / "a.parquet"):
        with open_source(path) as source:
            record = source.read(0)
            assert source.names == [record.name] and record.name.endswith(r"c\u202e\x1b/a\n.png")
            assert record.label == r"c\u202e\x1b"
            assert [name for name, _ in source.skipped] == ([r"\udcff.txt"] if path.is_dir() else [])


def test_names_that_look_alike_once_printable_stay_apart(tmp_path, encode_png):
    for i, name in enumerate(("a\x01.png", "a\\x01.png")):
        (tmp_path / name).write_bytes(encode_png(np.full((2, 2), i, np.uint8)))
    with open_source(tmp_path) as source:
        assert source.names == [r"a\x01.png", r"a\x01.png (2)"]
        assert [source.read(i).pixels[0, 0, 0] for i in range(2)] == [0, 1]
