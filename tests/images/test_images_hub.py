"""Data sets through the library `datasets`, from local folders; what is missing, wrong or out of reach."""

import builtins
import contextlib
import io
import json
import logging
import socket

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import open_source
from cfs_explore.safe_io import fetching

huggingface_hub = pytest.importorskip("huggingface_hub")
datasets = pytest.importorskip("datasets", reason="the optional library datasets is not installed")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def encoded(encode_png) -> list[bytes]:
    return [encode_png(np.full((3, 4, 3), i, np.uint8)) for i in range(6)]


@pytest.fixture
def tables(tmp_path, encoded):
    """A data set folder of two splits in Parquet, with two columns of images and class names."""
    folder = tmp_path / "owner" / "set"
    folder.mkdir(parents=True)
    names = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    features = {
        "image": {"_type": "Image"},
        "other": {"_type": "Image"},
        "label": names,
        "text": {"dtype": "string", "_type": "Value"},
    }
    for split, rows in (("train", encoded[:4]), ("test", encoded[4:])):
        cells = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(rows)]
        table = pa.table(
            {
                "image": cells,
                "other": cells[::-1],
                "label": [i % 2 for i in range(len(rows))],
                "text": ["t"] * len(rows),
            }
        )
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        pq.write_table(table.replace_schema_metadata(metadata), folder / f"{split}.parquet")
    return folder


def test_bytes_columns_labels_and_splits(tables):
    with open_source({"hub": str(tables), "split": "test"}) as source:
        assert (source.kind, source.names) == ("hub", ["000000", "000001"])
        records = [source.read(i) for i in range(2)]
    assert [(r.label, r.pixels[0, 0, 0], r.format, r.mode) for r in records] == [
        ("cat", 4, "PNG", "RGB"),
        ("dog", 5, "PNG", "RGB"),
    ]
    assert records[1].name == "000001/1.png"
    with open_source({"hub": "owner/set", "split": "train", "column": "other", "label": "text"}, limit=3) as source:
        assert [source.read(i).pixels[0, 0, 0] for i in range(3)] in ([3, 2, 1], [3, 2, 0], [3, 1, 0], [2, 1, 0])
        assert source.read(0).label == "t"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "which split\\? It has (train, test|test, train)"),
        ({"split": "val"}, r"Unknown split .val.\. Should be one of"),
        (
            {"split": "test", "column": "img"},
            r"no column 'img'.*Its columns are image: Image, other: Image, label: ClassLabel",
        ),
        ({"split": "test", "label": "class"}, "no column 'class', which `label` names. Its columns are image"),
        ({"split": "test", "column": "label"}, "the column 'label' holds no images"),
        ({"split": "test", "config": "large"}, r"'large' not found\. Available"),
    ],
)
def test_mistakes_tell_what_there_is(tables, options, message):
    with pytest.raises(SourceError, match=message):
        open_source({"hub": str(tables), **options})


@pytest.fixture
def scans(tmp_path):
    """A data set folder in Parquet: a 12-bit grey PNG, a TIFF of two pages, of two patients."""
    pages = [Image.fromarray(np.full((3, 4), value, np.uint8)) for value in (10, 20)]
    pages[0].save(tiff := io.BytesIO(), "TIFF", save_all=True, append_images=pages[1:])
    Image.fromarray(np.full((3, 4), 4095, np.uint16)).save(png := io.BytesIO(), "PNG")
    cells = [{"bytes": file.getvalue(), "path": None} for file in (png, tiff)]
    cells = pa.array(cells, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    table = pa.table({"image": cells, "Patient_ID": [7, 8], "site": ["b", "b"]})
    features = {
        "image": {"_type": "Image"},
        "Patient_ID": {"dtype": "int64", "_type": "Value"},
        "site": {"dtype": "string", "_type": "Value"},
    }
    folder = tmp_path / "owner" / "scans"
    folder.mkdir(parents=True)
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), folder / "test.parquet")
    return folder


def test_range_pages_and_groups_as_of_files(scans):
    with open_source({"hub": str(scans), "range": [0, 4095]}) as source:
        record = source.read(0)
        assert (record.pixels[0, 0, 0], record.group) == (255, "7")
    with open_source({"hub": str(scans), "pages": "all", "group_column": "site"}) as source:
        assert source.names == ["000000", "000001 page 1", "000001 page 2"]
        assert [source.read(i).pixels[0, 0, 0] for i in (1, 2)] == [10, 20]
        assert [source.read(i).group for i in range(3)] == ["b"] * 3
    with pytest.raises(SourceError, match="no column 'person', which `group_column` names"):
        open_source({"hub": str(scans), "group_column": "person"})


def test_options_hold_for_a_copy(scans, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (scans / "test.parquet").rename(tmp_path / "data" / "some--scans-test.parquet")
    given = {"hub": "some/scans", "split": "test", "label": "site"}
    with open_source(given | {"range": [0, 4095], "group_column": "site"}) as source:
        record = source.read(0)
        assert (source.kind, record.pixels[0, 0, 0], record.label, record.group) == ("parquet", 255, "b", "b")
    (tmp_path / "data" / "some--scans-test.parquet").unlink()
    folder = tmp_path / "data" / "some--scans-test"
    folder.mkdir()
    Image.new("L", (3, 3)).save(folder / "a.png")
    assert open_source(given).kind == "folder"
    with pytest.raises(SourceError, match="'group_column' does not apply to a folder"):
        open_source(given | {"group_column": "site"})


def test_a_folder_of_images_reads_the_files_themselves(folder, encode_png):
    with open_source({"hub": str(folder)}) as source:  # its only split
        assert len(source) == 8
        record = source.read(5)
        assert (record.name, record.label, record.format) == ("000005/1.png", "dog", "PNG")
        (folder / "dog" / "1.png").write_bytes(b"no image")
        with pytest.raises(ImageError, match=r"^000005/1\.png: not an image"):
            source.read(5)


def test_image_paths_stay_inside_the_data_set(tables, encoded, tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded[0])
    (tables / "mine.png").write_bytes(encoded[1])
    cells = [
        {"bytes": None, "path": str(path)} for path in (tmp_path / "secret.png", tables / "mine.png", "/etc/passwd")
    ]
    cells += [{"bytes": None, "path": None}]
    metadata = {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})}
    cells = pa.array(cells, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    pq.write_table(pa.table({"image": cells}).replace_schema_metadata(metadata), tables / "test.parquet")
    (tables / "train.parquet").unlink()
    with open_source({"hub": str(tables), "split": "test"}) as source:
        assert source.read(1).pixels[0, 0, 0] == 1
        for index in (0, 2):
            with pytest.raises(ImageError, match="outside the root of the data set"):
                source.read(index)
        with pytest.raises(ImageError, match="holds no image"):
            source.read(3)


def test_code_in_a_data_set_is_not_run(tables, tmp_path):
    for name in ("set.py", "owner.py"):
        (tables / name).write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nraise SystemExit\n")
    with contextlib.suppress(SourceError):  # it may refuse the folder, or read the tables beside the code
        open_source({"hub": str(tables), "split": "test"}).close()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("given", ["imagefolder", "json", "mnist", "/nowhere/set", "a/b/c", "../x"])
def test_what_is_neither_an_id_nor_a_folder(given):
    """Bare names are the library's own readers, which would open the folder that this process runs in."""
    with pytest.raises(SourceError, match="neither a folder nor a data set id: write owner/name"):
        open_source({"hub": given, "split": "test"})


def test_without_a_network(monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'some/one' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    monkeypatch.setattr(fetching, "hub_out_of_reach", lambda: "")
    with pytest.raises(
        SourceError, match=r"'some/one' cannot be fetched: the hub is out of reach. Connect this computer"
    ):
        open_source({"hub": "some/one", "split": "test"})


@pytest.fixture
def no_network(monkeypatch):
    """No name is known, as without a network; the names that were asked for. Waiting is not allowed."""
    asked = []

    def unknown(host, *_arguments, **_options):
        asked.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail(f"waits {seconds} s"))
    monkeypatch.setattr(fetching, "_hub_away", (-1e9, ""))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    huggingface_hub.close_session()
    yield asked
    huggingface_hub.close_session()


def test_no_network_is_said_at_once_and_quietly(no_network, caplog, capfd):
    for name in ("some/one", "some/two"):
        for given in ({"split": "test"}, {}):
            with pytest.raises(SourceError) as refused:
                open_source({"hub": name, **given})
            said = str(refused.value)
            assert f"'{name}' cannot be fetched: the hub is out of reach (https://" in said
            assert "this computer has no network" in said and "Connect this computer, or name the folder" in said
    assert len(no_network) == 1 and not caplog.records and "Retry" not in "".join(capfd.readouterr())


def test_what_was_fetched_before_opens_without_a_network(no_network, tables, monkeypatch):
    """The library looks into its own cache then."""
    rows = datasets.load_dataset(str(tables), split="test")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows if datasets.config.HF_HUB_OFFLINE else None)
    with open_source({"hub": "some/one", "split": "test"}) as source:
        assert len(source) == len(rows)


def test_levels_of_the_libraries_logs_are_put_back():
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    with fetching.quiet():
        assert logger.getEffectiveLevel() == logging.ERROR
    assert logger.level == before


def test_offline_by_the_librarys_own_switch(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match=r"'some/one' cannot be (fetched|opened)"):
        open_source({"hub": "some/one", "split": "test"})


def test_without_the_library(tables, monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "datasets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(SourceError, match=r'pip install "cfs-explore\[hub\]"'):
        open_source({"hub": str(tables), "split": "test"})
