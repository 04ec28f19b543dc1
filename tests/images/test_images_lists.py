"""Images that are listed by their paths: several files, CSV, TSV, Parquet and image lists; no path leaves the root."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import listed, open_source, path_tables


@pytest.fixture
def root(tmp_path, encode_png):
    """A folder with two images of two classes, and an image outside of it."""
    root = tmp_path / "data"
    for i, name in enumerate(("data/cats/my cat.png", "data/dogs/1.png", "secret.png", "data-2/near.png")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(np.full((2, 3, 3), i, np.uint8)))
    return root


def as_csv(path, given: list[str]) -> dict:
    quoted = [f'"{name}"' for name in given]
    path.with_suffix(".csv").write_text("\n".join(["path", *quoted]))
    return {"path": path.with_suffix(".csv")}


def as_imglist(path, given: list[str]) -> dict:
    path.with_suffix(".txt").write_text("".join(f"{name} 3\n" for name in given))
    return {"imglist": path.with_suffix(".txt")}


def as_parquet(path, given: list[str]) -> dict:
    pq.write_table(pa.table({"file": given}), path.with_suffix(".parquet"))
    return {"path": path.with_suffix(".parquet")}


LISTS = {"csv": as_csv, "imglist": as_imglist, "parquet": as_parquet}


@pytest.mark.parametrize("kind", LISTS)
def test_no_path_leaves_the_root(kind, root, tmp_path):
    (root / "way-out.png").symlink_to(tmp_path / "secret.png")
    (root / "folder-out").symlink_to(tmp_path, target_is_directory=True)
    (root / "inside.png").symlink_to(root / "dogs" / "1.png")
    os.mkfifo(root / "fifo.png")
    outside = [
        "../secret.png",
        str(tmp_path / "secret.png"),
        "cats/../../secret.png",
        "way-out.png",
        "folder-out/secret.png",
        "../data-2/near.png",
        "..\\secret.png",
        "/etc/hostname.png",
    ]
    good = ["cats/my cat.png", "dogs/../dogs/1.png", str(root / "dogs" / "1.png"), "inside.png", "dogs\\1.png"]
    other = {
        "cats/gone.png": "no such file",
        "cats": "not an image extension (none)",
        "fifo.png": "not a regular file",
        "https://example.org/1.png": "a web address, not fetched",
        "notes.txt": "not an image extension (.txt)",
        "x" * 300 + ".png": "no such file",
    }
    with open_source(LISTS[kind](tmp_path / "list", [*outside, *good, *other]) | {"root": str(root)}) as source:
        assert source.names == [
            "cats/my cat.png", "dogs/../dogs/1.png", "dogs/1.png", "dogs/1.png (2)", "inside.png",
        ]  # fmt: skip
        assert [source.read(i).pixels[0, 0, 0] for i in range(5)] == [0, 1, 1, 1, 1]
    reasons = dict(source.skipped)
    assert len(source.skipped) == len(outside) + len(other)
    assert {reasons.pop(name) for name in {name.replace("\\", "/") for name in outside}} == {"outside the root"}
    assert reasons == other


def test_a_link_made_after_the_listing_is_not_followed(root, tmp_path):
    with open_source(as_csv(tmp_path / "list", ["dogs/1.png"]) | {"root": root}) as source:
        (root / "dogs" / "1.png").unlink()
        (root / "dogs" / "1.png").symlink_to(tmp_path / "secret.png")
        with pytest.raises(ImageError, match=r"^dogs/1\.png: outside the root"):
            source.read(0)


@pytest.mark.parametrize("kind", LISTS)
def test_the_lists_own_folder_is_the_root(kind, root):
    source = open_source(LISTS[kind](root / "list", ["dogs/1.png", "../secret.png"]))
    assert (source.names, source.skipped) == (["dogs/1.png"], [("../secret.png", "outside the root")])
    assert source.read(0).label == ("3" if kind == "imglist" else "dogs")


@pytest.mark.parametrize("kind", LISTS)
def test_limits(kind, root, monkeypatch):
    monkeypatch.setattr(listed, "MAX_LISTED", 1)
    with pytest.raises(SourceError, match="lists more than 1 images"):
        open_source(LISTS[kind](root / "list", ["dogs/1.png", "cats/my cat.png"]))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "Label,File_Name\r\nx,dogs/1.png\r\n,cats/my cat.png\r\n"),
        ("a.csv", "\ufefffilename;class\ndogs/1.png;x\n\n\ncats/my cat.png;-1\n"),
        ("a.tsv", 'path\ttarget\n"dogs/1.png"\tx\ncats/my cat.png\t\n'),
        ("a.csv", 'n,image,label\n1,"dogs/1.png",x\n2,"cats/my cat.png"\n'),
    ],
)
def test_spellings_of_tables(root, name, text):
    (root / name).write_text(text, encoding="utf-8")
    with open_source(root / name) as source:
        assert source.kind == "table" and source.names == ["cats/my cat.png", "dogs/1.png"]
        assert [source.read(i).label for i in range(2)] == ["", "x"]


def test_columns_by_name(root):
    (root / "a.csv").write_text("where,path,kind\ndogs/1.png,cats/my cat.png,a\n")
    source = open_source({"path": root / "a.csv", "column": "where", "label_column": "kind"})
    assert (source.names, source.read(0).label) == (["dogs/1.png"], "a")
    with pytest.raises(SourceError, match=r"no column 'were', which `column` names. Its columns are where, path, kind"):
        open_source({"path": root / "a.csv", "column": "were"})
    with pytest.raises(SourceError, match=r"no column 'x', which `label_column` names"):
        open_source({"path": root / "a.csv", "label_column": "x"})
    (root / "b.csv").write_text("dogs,1\ncats,2\n")
    with pytest.raises(SourceError, match=r"no column of paths: .* Its columns are dogs, 1"):
        open_source(root / "b.csv")
    pq.write_table(pa.table({"n": [1]}), root / "c.parquet")
    with pytest.raises(SourceError, match=r"no column 'm', which `column` names"):
        open_source({"path": root / "c.parquet", "column": "m"})
    with pytest.raises(SourceError, match=r"Its columns are n: int64"):
        open_source({"path": root / "c.parquet", "column": "n"})


def test_bytes_of_a_named_column(root, encode_png):
    rows = {"thumb": [encode_png(np.zeros((2, 2), np.uint8))], "kind": [7], "label": ["no"]}
    pq.write_table(pa.table(rows), root / "a.parquet")
    with open_source({"path": root / "a.parquet", "column": "thumb", "label_column": "kind"}) as source:
        assert (source.kind, source.read(0).label) == ("parquet", "7")


def test_texts_that_cannot_be_read(root, monkeypatch):
    (root / "a.csv").write_bytes(b"\xff\xfep\x00a\x00t\x00h")
    (root / "a.csv").write_bytes((root / "a.csv").read_bytes() + b"\x00\x00\xd8\n\x00x")
    with pytest.raises(SourceError, match=r"a\.csv is not readable text \(after line \d: .*encoding UTF-8"):
        open_source(root / "a.csv")
    (root / "b.txt").write_text("cats/1.png 1\nonly-a-path.png\n")
    with pytest.raises(SourceError, match=r"b\.txt, line 2: 'only-a-path\.png' has no label"):
        open_source({"imglist": root / "b.txt"})
    (root / "c.csv").write_text("path\n" + "x" * 3 * 2**20)
    with pytest.raises(SourceError, match=r"c\.csv, line 2: longer than"):
        open_source(root / "c.csv")
    (root / "d.csv").write_text('path\n"' + "x" * 200_000)
    with pytest.raises(SourceError, match=r"d\.csv is not a readable table \(field larger than"):
        open_source(root / "d.csv")
    with pytest.raises(SourceError, match="does not exist"):
        open_source({"imglist": root / "gone.txt"})
    with pytest.raises(SourceError, match=r"root = .*nowhere is not a folder"):
        open_source({"imglist": root / "b.txt", "root": root / "nowhere"})
    monkeypatch.setattr(path_tables, "MAX_TEXT_BYTES", 10)
    with pytest.raises(SourceError, match="Split it"):
        open_source(root / "a.csv")


def test_image_list_as_openood_writes_it(root):
    (root / "list.txt").write_text("cats/my cat.png 7\r\n\r\ndogs/1.png -1\r\n")
    with open_source({"imglist": str(root / "list.txt")}) as source:
        assert source.kind == "imglist" and source.names == ["cats/my cat.png", "dogs/1.png"]
        assert [source.read(i).label for i in range(2)] == ["7", ""]


def test_files_with_names_labels_or_neither(root):
    files = [str(root / "dogs" / "1.png"), str(root / "cats" / "my cat.png")]
    with open_source({"files": files}) as source:
        assert source.names == ["cats/my cat.png", "dogs/1.png"]
        assert [source.read(i).label for i in range(2)] == ["cats", "dogs"]
    with open_source({"files": files, "labels": ["a", -1]}) as source:
        assert [source.read(i).label for i in range(2)] == ["", "a"]
    with open_source({"files": files, "names": ["b.png", "x/a.png"]}) as source:
        assert [(source.names[i], source.read(i).label) for i in range(2)] == [("b.png", ""), ("x/a.png", "x")]
    with open_source({"files": [*files, *files], "names": ["a.png"] * 4}) as source:
        assert source.names == ["a.png", "a.png (2)", "a.png (3)", "a.png (4)"]
    assert open_source({"files": files[:1]}).names == ["1.png"]


def test_files_that_are_no_images_are_reported(root, tmp_path):
    (tmp_path / "more.zip").touch()
    files = [tmp_path / "more.zip", root / "dogs" / "1.png", root / "gone.png"]
    with open_source({"files": files, "names": ["more.zip", "1.png", "gone.png"]}) as source:
        assert source.names == ["1.png"]
        assert source.skipped == [("gone.png", "no such file"), ("more.zip", "archive inside (.zip), not opened")]
    with pytest.raises(SourceError, match="3 files but 1 labels; give one per file"):
        open_source({"files": files, "labels": ["a"]})


def test_groups_of_listed_images(root):
    """A column of groups by its usual name or the one that is named; texts beside files; bytes in Parquet."""

    def groups_of(source):
        with open_source(source) as opened:
            return [opened.read(i).group for i in range(len(opened))]

    names = ["cats/my cat.png", "dogs/1.png"]
    table = pd.DataFrame({"path": names, "subject_id": ["p1", ""], "video": [7, 8]})
    table.to_csv(root / "g.csv", index=False)
    table.to_parquet(root / "g.parquet")
    for place in (str(root / "g.csv"), str(root / "g.parquet")):
        assert groups_of(place) == ["p1", ""]
        assert groups_of({"path": place, "group_column": "video"}) == ["7", "8"]
        with pytest.raises(SourceError, match="no column 'x', which `group_column` names"):
            open_source({"path": place, "group_column": "x"})
    files = [str(root / name) for name in names]
    assert groups_of({"files": files, "groups": ["a", "-1"]}) == ["a", ""]
    with pytest.raises(SourceError, match="2 files but 1 groups"):
        open_source({"files": files, "groups": ["a"]})
    pictures = [{"bytes": (root / name).read_bytes(), "path": name} for name in names]
    pd.DataFrame({"image": pictures, "group": ["b", None]}).to_parquet(root / "bytes.parquet")
    assert groups_of(root / "bytes.parquet") == ["b", ""]
