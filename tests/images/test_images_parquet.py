"""Parquet tables: Hugging Face style and plain, labels, row groups, damage; real sets where they are."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import open_source
from cfs_explore.images import tables as tables_module

REAL = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def encoded(encode_png) -> list[bytes]:
    return [encode_png(np.full((3, 4, 3), i, np.uint8)) for i in range(10)]


def write(path, columns: dict, names: list[str] | None = None, row_group_size: int = 3):
    table = pa.table(columns)
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def test_hugging_face_style(tmp_path, encoded):
    cells = [{"bytes": data, "path": f"{9 - i}.png"} for i, data in enumerate(encoded)]
    path = write(tmp_path / "a.parquet", {"image": cells, "label": [0, 1, -1, 5, None] * 2}, ["cat", "dog"])
    with open_source(path) as source:
        records = [source.read(i) for i in (9, 0, 5, 1, 2, 3, 4)]
        assert source.names == sorted(source.names)
    assert [record.pixels[0, 0, 0] for record in records] == [9, 0, 5, 1, 2, 3, 4]
    assert [record.label for record in records] == ["", "cat", "cat", "dog", "", "5", ""]
    assert records[0].name == "000009/0.png"


@pytest.mark.parametrize("column", ["image", "img", "bytes"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_binary_columns(tmp_path, encoded, column, kind):
    columns = {"id": list(range(10)), column: pa.array(encoded, kind), "label": ["x"] * 10}
    with open_source(write(tmp_path / "a.parquet", columns)) as source:
        record = source.read(7)
    assert (record.name, record.label, record.pixels[0, 0, 0]) == ("000007", "x", 7)


def test_rows_in_any_order(tmp_path, encoded):
    with open_source(write(tmp_path / "a.parquet", {"image": encoded}, row_group_size=6)) as source:
        order = [9, 0, 3, 3, 1, 5, 6, 2, 8, 4, 7, 9]
        assert [source.read(i).pixels[0, 0, 0] for i in order] == order


def test_only_a_few_rows_are_unpacked_at_once(tmp_path):
    """300 rows share 1 MiB of bytes in the file, and would take 300 MiB as a whole row group."""
    rows = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), pa.array([bytes(2**20)], pa.binary()))
    pq.write_table(pa.table({"image": rows}), tmp_path / "a.parquet", store_schema=False)
    assert (tmp_path / "a.parquet").stat().st_size < 2**20
    before, most = pa.total_allocated_bytes(), 0
    with open_source(tmp_path / "a.parquet") as source:
        for i in range(20):
            with pytest.raises(ImageError, match="not an image"):
                source.read(i)
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < 64 * 2**20


def test_rows_without_bytes_are_image_errors(tmp_path, encoded):
    cells = [
        {"bytes": encoded[0], "path": "a"},
        {"bytes": None, "path": "b"},
        None,
        {"bytes": b"?", "path": "d"},
    ]
    with open_source(write(tmp_path / "a.parquet", {"image": cells})) as source:
        assert source.read(0).height == 3
        for index in (1, 2):
            with pytest.raises(ImageError, match="no image bytes"):
                source.read(index)
        with pytest.raises(ImageError, match=r"^000003/d: not an image"):
            source.read(3)


def test_tables_without_images(tmp_path):
    with pytest.raises(SourceError, match="Its columns are text: string, n: int64"):
        open_source(write(tmp_path / "a.parquet", {"text": ["a.png"], "n": [1]}))
    with pytest.raises(SourceError, match="no images in"):
        open_source(write(tmp_path / "b.parquet", {"image": pa.array([], pa.binary())}))


def test_strange_metadata_is_no_obstacle(tmp_path, encoded):
    table = pa.table({"image": encoded, "label": range(10)}).replace_schema_metadata({"huggingface": "{]"})
    pq.write_table(table, tmp_path / "a.parquet")
    with open_source(tmp_path / "a.parquet") as source:
        assert source.read(3).label == "3"


def test_damaged_and_huge_tables(tmp_path, encoded, monkeypatch):
    path = write(tmp_path / "a.parquet", {"image": encoded})
    for name, data in (("cut", path.read_bytes()[:-20]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / f"{name}.parquet").write_bytes(data)
        with pytest.raises(SourceError, match=rf"{name}\.parquet is not a readable parquet file"):
            open_source(tmp_path / f"{name}.parquet")
    monkeypatch.setattr(tables_module, "MAX_ROW_GROUP_BYTES", 10)
    with pytest.raises(SourceError, match="row_group_size"):
        open_source(path)


@pytest.mark.skipif(not REAL.is_dir(), reason="no shared/data beside the repository")
@pytest.mark.parametrize(
    ("name", "n_images", "shape", "codec", "labels"),
    [
        ("cifar10/test", 10_000, (32, 32, 3), "lossless WEBP", {"airplane", "truck"}),
        ("mnist/test", 5_000, (28, 28, 3), "lossless WEBP", {"0", "9"}),
        ("svhn/color", 540, (32, 32, 3), "lossless WEBP", {""}),
        ("uploads/originals", 60, None, "JPEG", {"photo", "mri"}),
    ],
)
def test_real_sets(name, n_images, shape, codec, labels):
    with open_source(REAL / f"{name}.parquet") as everything:
        assert len(everything) == n_images
    with open_source(REAL / f"{name}.parquet", limit=60, seed=0) as source:
        records = [source.read(i) for i in range(60)]
    assert {record.format for record in records} == {codec}
    assert shape is None or {record.pixels.shape for record in records} == {shape}
    assert labels <= {record.label for record in records}
    assert len({record.image_id for record in records}) == 60
