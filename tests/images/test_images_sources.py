"""Opening a set: folders and files, the same ids from every kind, subsamples, and errors that help."""

import os
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import open_source


def ids(path) -> list[str]:
    with open_source(path) as source:
        return [source.read(i).image_id for i in range(len(source))]


def test_folder_lists_images_sorted_with_labels(folder, pixels):
    (folder / "notes.txt").write_text("hello")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._0.png").write_bytes(b"x")
    (folder / "more.zip").write_bytes(b"x")
    source = open_source(folder)
    assert source.kind == "folder"
    assert source.names == sorted(pixels)
    assert [source.read(i).label for i in range(8)] == ["cat"] * 4 + ["dog"] * 4
    assert source.skipped == [
        ("more.zip", "archive inside (.zip), not opened"),
        ("notes.txt", "not an image extension (.txt)"),
    ]


def test_what_a_phone_or_a_hub_leaves_in_a_folder_has_its_advice(folder):
    for name in ("IMG_0001.HEIC", "train-00000-of-00002.parquet"):
        (folder / name).write_bytes(b"x")
    reasons = dict(open_source(folder).skipped)
    assert reasons["IMG_0001.HEIC"].startswith("not an image extension (.heic; save it as JPEG or PNG")
    assert (
        reasons["train-00000-of-00002.parquet"] == "not an image extension (.parquet; name this file itself as the set)"
    )


def test_images_at_the_top_have_no_label(tmp_path, encode_png):
    (tmp_path / "a.PNG").write_bytes(encode_png(np.zeros((2, 2), np.uint8)))
    assert open_source(tmp_path).read(0).label == ""
    single = open_source(str(tmp_path / "a.PNG"))
    assert (single.kind, len(single), single.read(0).name, single.read(0).label) == ("file", 1, "a.PNG", "")


def test_linked_folders_are_not_entered(folder):
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    source = open_source(folder)
    assert len(source) == 8
    assert source.skipped == [("loop", "linked folder, not entered")]


def test_every_kind_gives_the_same_ids_in_the_same_order(folder, pixels, tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(pixels, reverse=True):
            archive.write(folder / name, name)
    stack = np.stack([pixels[name] for name in sorted(pixels)])
    np.save(tmp_path / "pets.npy", stack)
    np.savez(tmp_path / "pets.npz", images=stack)
    cells = [{"bytes": (folder / name).read_bytes(), "path": name} for name in sorted(pixels)]
    pq.write_table(pa.table({"image": cells}), tmp_path / "pets.parquet", row_group_size=3)
    expected = ids(folder)
    assert len(set(expected)) == 8
    for kind in ("zip", "npy", "npz", "parquet"):
        assert ids(tmp_path / f"pets.{kind}") == expected


def test_a_broken_file_is_an_image_error_with_its_name(folder):
    (folder / "dog" / "0.png").write_bytes(b"MZ\x90\x00 this was an .exe")
    (folder / "dog" / "1.png").unlink()
    os.truncate(folder / "dog" / "2.png", 60)
    source = open_source(folder)
    (folder / "cat" / "0.png").unlink()
    for index, name in ((0, "cat/0.png"), (4, "dog/0.png"), (5, "dog/2.png")):
        with pytest.raises(ImageError, match=f"^{name}: "):
            source.read(index)
    assert source.read(6).name == "dog/3.png"


def test_index_out_of_range(folder):
    source = open_source(folder)
    for index in (-1, 8):
        with pytest.raises(IndexError, match="0 to 7"):
            source.read(index)


def test_subsample_is_seeded_sorted_and_without_replacement(folder):
    everything = open_source(folder).names
    first, again, other = (open_source(folder, limit=5, seed=seed) for seed in (1, 1, 2))
    assert first.names == again.names == sorted(first.names)
    assert len(set(first.names)) == 5
    assert set(first.names) < set(everything)
    assert other.names != first.names
    assert [first.read(i).name for i in range(5)] == first.names
    assert first.kind == "folder"


def test_subsample_does_not_depend_on_the_archive_order(folder, pixels, tmp_path):
    chosen = []
    for order, name in ((sorted(pixels), "a.zip"), (sorted(pixels, reverse=True), "b.zip")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in order:
                archive.write(folder / member, member)
        with open_source(tmp_path / name, limit=4, seed=3) as source:
            chosen.append([source.read(i).image_id for i in range(4)])
    assert chosen[0] == chosen[1]


def test_a_limit_above_the_size_keeps_everything(folder):
    assert len(open_source(folder, limit=100)) == 8


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": 2.5}, {"limit": True}, {"limit": 3, "seed": -1}])
def test_impossible_limits(folder, options):
    with pytest.raises(SourceError, match="allowed is a whole number"):
        open_source(folder, **options)


def test_unknown_missing_and_empty_sources(tmp_path):
    (tmp_path / "book.pdf").write_bytes(b"%PDF")
    with pytest.raises(SourceError, match=r"book\.pdf has an unknown kind \(\.pdf\)\. Accepted: a folder"):
        open_source(tmp_path / "book.pdf")
    for missing in (tmp_path / "gone", "x" * 5000, "a\0b"):
        with pytest.raises(SourceError, match="does not exist"):
            open_source(missing)
    with pytest.raises(SourceError, match="no path given"):
        open_source("")
    with pytest.raises(SourceError, match=r"no images in .*: found 1 file, of which 1: not an image extension"):
        open_source(tmp_path)
