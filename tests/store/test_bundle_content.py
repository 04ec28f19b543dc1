"""What an imported zip may hold: manifests, arrays, tables and specs that lie are refused, and nothing stays."""

import io
import json
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from cfs_explore.explorations import bundles
from cfs_explore.store import bundle_tables, open_run


def edited(data: bytes, **fields) -> bytes:
    return json.dumps(json.loads(data) | fields).encode()


def as_parquet(frame_or_table) -> bytes:
    buffer = io.BytesIO()
    if isinstance(frame_or_table, pa.Table):
        pq.write_table(frame_or_table, buffer, compression="zstd")
    else:
        frame_or_table.to_parquet(buffer, index=False)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("draws", 10**30),
        ("draws", "many"),
        ("levels", []),
        ("levels", [{"lam": 1.0}]),
        ("levels", [{"requested": 5, "lam": float("nan"), "a": 1, "b": 1, "native": 1}]),
        (
            "taps",
            [{"name": "../x", "region": "encoder", "depth": 0.5, "resolution": 8, "channels": 8, "kind": "resnet"}],
        ),
        ("sets", []),
        ("presets", {"sparse_ed": ["conv_in", "nowhere"]}),
        ("kept", {"level": 99, "taps": []}),
        ("kept", {"level": 0, "taps": ["nowhere"]}),
        ("stages", {"harmful": {"state": "done"}}),
        ("created", "yesterday"),
        ("name", "two\nlines"),
        ("warnings", ["\ud800"]),
        ("spec", {}),
        ("unknown", 1),
        ("timings", {"measuring": float("inf")}),
    ],
)
def test_a_manifest_with_a_wrong_field_names_it(field, value, members, refused):
    members["manifest.json"] = edited(members["manifest.json"], **{field: value})
    message = refused(members)
    assert "manifest.json" in message and (field in message or field == "warnings")


def test_rows_of_sets_must_follow_each_other(members, refused):
    manifest = json.loads(members["manifest.json"])
    manifest["sets"][2]["score_start"] += 1
    members["manifest.json"] = json.dumps(manifest).encode()
    assert "sets.start" in refused(members)


def test_a_deeply_nested_manifest(members, refused):
    members["manifest.json"] = b"[" * 100_000
    assert "manifest.json" in refused(members)


def zarr_field(members: dict[str, bytes], path: str, change) -> None:
    content = json.loads(members[path])
    change(content)
    members[path] = json.dumps(content).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda z: z.update(shape=[10**9, 2, 2, 2]),
        lambda z: z.update(data_type="object"),
        lambda z: z.update(data_type="float64"),
        lambda z: z["chunk_grid"]["configuration"].update(chunk_shape=[10**9, 2, 2, 2]),
        lambda z: z["chunk_grid"]["configuration"].update(chunk_shape=[0, 2, 2, 2]),
        lambda z: z["chunk_grid"]["configuration"].update(chunk_shape="all"),
        lambda z: z.update(codecs=[{"name": "sharding_indexed", "configuration": {}}]),
        lambda z: z["codecs"].insert(0, {"name": "numcodecs.pickle"}),
        lambda z: z["codecs"][1]["configuration"].update(cname="lz4"),
        lambda z: z["codecs"][1]["configuration"].update(blocksize=2**31),
        lambda z: z.update(storage_transformers=[{"name": "remote", "configuration": {"url": "http://example.org"}}]),
        lambda z: z["chunk_key_encoding"]["configuration"].update(separator="."),
        lambda z: z.update(fill_value=float("nan")),
        lambda z: z.update(node_type="group"),
        lambda z: z.update(attributes={"x": 1}),
    ],
)
def test_zarr_metadata_is_as_this_project_writes_it(change, members, refused):
    zarr_field(members, "scores.zarr/zarr.json", change)
    assert "scores.zarr/zarr.json" in refused(members)


def test_chunks_outside_the_array_and_with_lying_headers(members, refused):
    assert "outside the array" in refused(members | {"scores.zarr/c/7/0/0/0": members["scores.zarr/c/0/0/0/0"]})
    chunk = bytearray(members["scores.zarr/c/0/0/0/0"])
    struct.pack_into("<I", chunk, 4, 2**31 - 1)  # blosc: unpacks to 2 GiB
    assert "scores.zarr/c/0/0/0/0" in refused(members | {"scores.zarr/c/0/0/0/0": bytes(chunk)})
    count = bytearray(members["moments.zarr/count/c/0"])
    assert count[:4] == b"\x28\xb5\x2f\xfd"
    assert "moments.zarr/count/c/0" in refused(
        members | {"moments.zarr/count/c/0": b"\x28\xb5\x2f\xfd\xc0" + b"\xff" * 16}
    )
    assert "scores.zarr/c/0/0/0/0" in refused(members | {"scores.zarr/c/0/0/0/0": b""})


def test_moments_must_be_those_of_the_sets(members, refused):
    without = {name: data for name, data in members.items() if name != "moments.zarr/count/c/0"}
    assert "moments.zarr/count" in refused(without)
    zarr_field(members, "moments.zarr/zarr.json", lambda z: z["attributes"].update(sets=[]))
    assert "moments.zarr/zarr.json" in refused(members)


def test_missing_parts_are_named(members, refused):
    for name in ("manifest.json", "images.parquet", "tables/auroc_map.parquet", "scores.zarr/zarr.json"):
        assert name in refused({key: data for key, data in members.items() if key != name})


def test_parquet_of_another_kind(members, refused):
    images = pq.read_table(io.BytesIO(members["images.parquet"]))
    several = {
        "wrong type": images.set_column(images.column_names.index("width"), "width", pa.array(["8"] * len(images))),
        "rows": images.slice(1),
        "no column thumbnail": images.drop_columns(["thumbnail"]),
        "dataset and role": images.set_column(0, "dataset", pa.array(["bright"] * len(images))),
        "value of": images.set_column(images.column_names.index("name"), "name", pa.array(["x" * 10**6] * len(images))),
    }
    for message, table in several.items():
        assert message in refused(members | {"images.parquet": as_parquet(table)})
    assert "not a readable Parquet" in refused(members | {"images.parquet": b"PAR1 no PAR1"})


def test_thumbnails_must_be_png(members, refused):
    images = pd.read_parquet(io.BytesIO(members["images.parquet"]))

    def with_first(data: bytes) -> dict[str, bytes]:
        return members | {"images.parquet": as_parquet(images.assign(thumbnail=[data, *images["thumbnail"][1:]]))}

    for format in ("JPEG", "GIF", "TIFF"):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, format)
        assert "row 0: not a PNG" in refused(with_first(buffer.getvalue()))
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    assert "row 0: not a PNG" in refused(with_first(buffer.getvalue()))
    assert "row 0: not a PNG" in refused(with_first(b"<svg onload=alert(1)>"))


def test_huge_thumbnails_are_refused_one_by_one_and_together(members, refused, monkeypatch):
    images = pd.read_parquet(io.BytesIO(members["images.parquet"]))

    def with_pictures(sides: list[int]) -> dict[str, bytes]:
        pictures = []
        for shade, side in enumerate(sides):
            buffer = io.BytesIO()
            Image.new("L", (side, side), shade).save(buffer, "PNG")
            pictures.append(buffer.getvalue())
        several = [pictures[i % len(pictures)] for i in range(len(images))]
        return members | {"images.parquet": as_parquet(images.assign(thumbnail=several))}

    assert "2048 x 2048 pixels; allowed are 256" in refused(with_pictures([2048]))
    monkeypatch.setattr(bundle_tables, "_MOST_PIXELS", 3 * 256**2)
    assert "row 3: not a PNG picture of bounded size (more than 196,608 pixels" in refused(with_pictures([256] * 4))


def test_a_thumbnail_that_is_repeated_is_decoded_once(monkeypatch):
    buffer = io.BytesIO()
    Image.new("L", (256, 256)).save(buffer, "PNG")
    opened, given = [], Image.open
    monkeypatch.setattr(bundle_tables.Image, "open", lambda *a, **n: opened.append(1) or given(*a, **n))
    bundle_tables._check_pictures("x", pd.Series([buffer.getvalue()] * 100_000))
    assert len(opened) == 1


def test_a_tiny_file_that_becomes_huge_in_memory(members, refused):
    """A dictionary of one long text, and as many references to it as there are rows."""
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000_000, np.int32)), pa.array(["x" * 4_000]))
    bomb = as_parquet(pa.table({"name": text, "reason": text, "dataset": text, "role": text}))
    assert len(bomb) < 5_000_000
    assert "in memory" in refused(members | {"tables/skipped.parquet": bomb})


def test_tables_about_other_cells(members, refused):
    frame = pd.read_parquet(io.BytesIO(members["tables/auroc_map.parquet"]))
    for message, other in {
        "tap": frame.assign(tap="elsewhere"),
        "level": frame.assign(level=99),
        "ood": frame.assign(ood="elsewhere"),
        "rows": frame.iloc[1:],
        "auroc": frame.assign(auroc=7.0),
        "no column aupr": frame.drop(columns="aupr"),
    }.items():
        assert message in refused(members | {"tables/auroc_map.parquet": as_parquet(other)})
    best = pd.read_parquet(io.BytesIO(members["tables/best_cell.parquet"])).assign(cell_index=10**6)
    assert "cells are 0 to" in refused(members | {"tables/best_cell.parquet": as_parquet(best)})


def test_odd_metadata_of_parquet_does_not_survive(members, runs, tmp_path):
    table = pq.read_table(io.BytesIO(members["tables/auroc_map.parquet"]))
    odd = table.replace_schema_metadata({b"pandas": b'{"index_columns": ["tap"], "columns": 3}', b"x": b"y"})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in (members | {"tables/auroc_map.parquet": as_parquet(odd)}).items():
            archive.writestr(name, data)
    run = open_run(bundles.import_zip(tmp_path / "a.zip", trusted=False))
    assert b"x" not in pq.read_schema(run.path / "tables" / "auroc_map.parquet").metadata
    assert "tap" in run.table("auroc_map").columns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!!python/object/apply:os.system ['touch escaped']", "not readable YAML"),
        ("name: !!python/name:os.system x", "not readable YAML"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("name: x", "missing, and has no default"),
        ("- 1", "field: value"),
        ("[" * 5_000, "not readable YAML"),
    ],
)
def test_a_spec_with_tags_aliases_or_other_content(text, message, members, refused, tmp_path):
    assert message in refused(members | {"spec.yaml": text.encode()})
    assert not (tmp_path / "escaped").exists()


def test_spec_and_manifest_must_agree(members, refused):
    content = yaml.safe_load(members["spec.yaml"])
    other = yaml.safe_dump(content | {"seed": 5}).encode()
    assert "differ" in refused(members | {"spec.yaml": other})
    renamed = edited(members["manifest.json"], name="another")
    assert "manifest.json, name" in refused(members | {"manifest.json": renamed})
