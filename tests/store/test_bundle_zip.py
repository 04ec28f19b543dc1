"""Explorations as zips: the way there and back changes nothing; anything else is refused, and nothing of it stays."""

import io
import json
import stat
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from cfs_explore import bundles, jobs
from cfs_explore.backbones.locate import locate
from cfs_explore.errors import BackboneError, CFSError, RunError, SpecError
from cfs_explore.locations import BUNDLES, runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.store.bundle import read_zip, write_zip
from cfs_explore.store.table_columns import IMAGE_COLUMNS, TABLE_COLUMNS


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of runs."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def members(tiny_zip) -> dict[str, bytes]:
    with zipfile.ZipFile(tiny_zip) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.fixture
def refused(runs, tmp_path):
    """Import members (a dict, or pairs with ZipInfo or name); gives the message of the refusal."""

    def check(found, trusted: bool = True) -> str:
        path = tmp_path / "sent.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in found.items() if isinstance(found, dict) else found:
                archive.writestr(name, data)
        with pytest.raises(CFSError) as caught:
            bundles.import_zip(path, trusted=trusted)
        assert not runs.exists() or list(runs.iterdir()) == []
        assert sorted(p.name for p in tmp_path.iterdir()) in (["sent.zip"], ["runs", "sent.zip"])
        return str(caught.value)

    return check


def edited(data: bytes, **fields) -> bytes:
    return json.dumps(json.loads(data) | fields).encode()


def as_parquet(frame_or_table) -> bytes:
    buffer = io.BytesIO()
    if isinstance(frame_or_table, pa.Table):
        pq.write_table(frame_or_table, buffer, compression="zstd")
    else:
        frame_or_table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def assert_same(left, right) -> None:
    """Two run directories hold the same tables and arrays."""
    for path in [left / "images.parquet", *sorted((left / "tables").glob("*.parquet"))]:
        other = right / path.relative_to(left)
        pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(other), check_exact=True)
    ours, theirs = open_run(left), open_run(right)
    for entry in ours.manifest.sets:
        which = entry.role, entry.name
        for key, values in ours.moments(*which).items():
            np.testing.assert_array_equal(values, theirs.moments(*which)[key])
        if entry.score_start >= 0:
            np.testing.assert_array_equal(ours.scores(*which), theirs.scores(*which))
        for tap in ours.manifest.kept["taps"]:
            np.testing.assert_array_equal(ours.snapshots(tap, *which), theirs.snapshots(tap, *which))
    np.testing.assert_array_equal(ours.pair_squares()[0], theirs.pair_squares()[0])


@pytest.mark.parametrize("name", ["digits", "digits-narrow"])
def test_a_bundle_comes_back_as_it_was(name, runs, tmp_path):
    """With every diagnostic table: so the columns that an import asks for are those that this version writes."""
    bundles.export(BUNDLES / name, tmp_path / "a.zip")
    run = bundles.import_zip(tmp_path / "a.zip", trusted=True)
    assert run.parent == runs and run.name.startswith("digits-")
    assert_same(BUNDLES / name, run)
    told, came = open_run(BUNDLES / name).manifest, open_run(run).manifest
    assert came == told.model_copy(update={"spec": came.spec})
    assert RunSpec(**came.spec) == RunSpec(**told.spec)
    written = pd.read_parquet(BUNDLES / name / "images.parquet").columns
    assert sorted(written) == sorted(word.rstrip("?") for words in IMAGE_COLUMNS.values() for word in words.split())
    assert {p.stem for p in (run / "tables").iterdir()} == set(TABLE_COLUMNS)
    assert (run / "backbone" / "unet" / "diffusion_pytorch_model.safetensors").is_file()
    assert not (run / "status.json").exists() and not (run / "train.yaml").exists()


def test_equal_runs_give_equal_bytes_and_work_stays_behind(tiny_run, runs, tmp_path):
    for name in ("work", "uploads"):
        (tiny_run / name).mkdir(exist_ok=True)
        (tiny_run / name / "secret.json").write_text("{}")
    (tiny_run / "log.txt").write_text("/home/somebody")
    (tiny_run / "backbone").mkdir(exist_ok=True)
    (tiny_run / "backbone" / "link.json").symlink_to("/etc/hostname")
    for name in ("a.zip", "b.zip"):
        write_zip(tiny_run, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert names == sorted(names) and "manifest.json" in names
    assert not any("secret" in name or "log" in name or "link" in name for name in names)
    assert_same(tiny_run, read_zip(tmp_path / "a.zip", runs))


def test_an_unfinished_run_is_not_packed(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="not finished"):
        write_zip(tmp_path / "run", tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("trusted", [True, False])
def test_what_a_stranger_imports_names_no_places(tiny_run, tiny_zip, runs, trusted):
    run = bundles.import_zip(tiny_zip, trusted=trusted)
    spec = yaml.safe_load((run / "spec.yaml").read_text())
    told = (run / "spec.yaml").read_text() + (run / "manifest.json").read_text()
    places = [
        spec["backbone"]["path"],
        spec["id"]["train"]["source"],
        *(str(image_set["source"]) for image_set in spec["ood"]),
    ]
    assert bundles.names_places(run) == trusted
    if trusted:
        assert places[0] == open_run(tiny_run).manifest.spec["backbone"]["path"]
        assert RunSpec.parse(run / "spec.yaml").ood[1].source == {"builtin": "letters", "n": 5, "side": 8}
    else:
        assert set(places) == {bundles.NOT_HERE}
        assert str(tiny_run.parent) not in told and "builtin" not in told
        with pytest.raises(BackboneError, match="is not on this machine"):
            locate(RunSpec.parse(run / "spec.yaml").backbone.path)
    assert_same(tiny_run, run)


def test_an_export_may_hide_places(tiny_run, tmp_path, runs):
    bundles.export(tiny_run, tmp_path / "a.zip", hide=True)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        told = archive.read("manifest.json").decode() + archive.read("spec.yaml").decode()
    assert "/" not in open_run(bundles.import_zip(tmp_path / "a.zip", trusted=True)).manifest.backbone.path
    assert "set.npz" not in told and "letters" in told
    assert "set.npz" in bundles.spec_text(tiny_run)
    assert "set.npz" not in bundles.spec_text(tiny_run, hide=True)


@pytest.mark.parametrize(
    "name",
    [
        "../escape.json",
        "/tmp/escape.json",
        "C:/escape.json",
        "tables\\..\\..\\escape.json",
        "tables/../../escape.parquet",
        "tables/unknown.parquet",
        "scores.zarr/../../escape",
        "snapshots.zarr/../zarr.json",
        "snapshots.zarr/ä/zarr.json",
        "backbone/model.pt",
        "backbone/model.pkl",
        "backbone/../escape.json",
        "inner.zip",
        "imported.json",
        "status.json",
        "work/x.npz",
        "tables/",
        "MANIFEST.json",
        "manifest.json ",
    ],
)
def test_other_names_are_refused(name, members, refused):
    assert "is no file of an exploration" in refused([*members.items(), (name, b"{}")])


def test_a_member_twice_or_in_another_case(members, refused):
    with pytest.warns(UserWarning, match="Duplicate"):
        assert "twice" in refused([*members.items(), ("spec.yaml", members["spec.yaml"])])
    tap = "snapshots.zarr/Down_blocks.0.resnets.0/zarr.json"
    assert "only in case" in refused([*members.items(), (tap, b"{}")])


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFDIR])
def test_links_and_devices_are_refused(kind, members, refused):
    info = zipfile.ZipInfo("spec.yaml")
    info.external_attr = (kind | 0o777) << 16
    found = [(name, data) for name, data in members.items() if name != "spec.yaml"]
    assert "link or a device" in refused([*found, (info, b"/etc/passwd")])


def test_encrypted_and_oddly_packed_members(members, tmp_path, runs):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(RunError, match="stored and deflate"):
        bundles.import_zip(path, trusted=True)


def test_limits_count_what_is_written_not_what_headers_say(members, runs, tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, bytes(400 * 2**20) if name == "images.parquet" else data)
    with pytest.raises(RunError, match=r"images\.parquet unpacks to more than"):
        bundles.import_zip(path, trusted=True)
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    assert raw[central + 46 : central + 60] == b"images.parquet"
    struct.pack_into("<I", raw, central + 24, 10)  # it says that it unpacks to 10 bytes
    path.write_bytes(raw)
    with pytest.raises(RunError, match=r"images\.parquet (is damaged|unpacks)"):
        bundles.import_zip(path, trusted=True)
    assert not list(runs.iterdir())


def test_too_many_members_and_too_many_bytes(tiny_zip, runs):
    with pytest.raises(RunError, match="has at most 5"):
        read_zip(tiny_zip, runs, max_members=5)
    with pytest.raises(RunError, match="unpacks to more than"):
        read_zip(tiny_zip, runs, max_bytes=10_000)
    assert not list(runs.iterdir())


def test_the_servers_room_is_kept(tiny_zip, runs, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "0.00005")
    with pytest.raises(RunError, match="may take"):
        bundles.import_zip(tiny_zip, trusted=True)
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "1")
    monkeypatch.setenv("CFS_EXPLORE_MAX_RUNS", "1")
    bundles.import_zip(tiny_zip, trusted=True)
    with pytest.raises(RunError, match="at most 1 runs"):
        bundles.import_zip(tiny_zip, trusted=True)


@pytest.mark.parametrize("cut", [0, 1, 100, 5_000, -10])
def test_a_torn_zip(cut, tiny_zip, tmp_path, runs):
    path = tmp_path / "torn.zip"
    path.write_bytes(tiny_zip.read_bytes()[:cut])
    with pytest.raises(RunError, match="not a readable zip"):
        bundles.import_zip(path, trusted=True)
    with pytest.raises(RunError, match="does not exist"):
        bundles.import_zip(tmp_path / "nothing.zip", trusted=True)


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
        "wrong type": images.set_column(7, "width", pa.array(["8"] * len(images))),
        "rows": images.slice(1),
        "no column thumbnail": images.drop_columns(["thumbnail"]),
        "dataset and role": images.set_column(0, "dataset", pa.array(["bright"] * len(images))),
        "value of": images.set_column(3, "name", pa.array(["x" * 10**6] * len(images))),
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
        ("name: x", "Field required"),
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


def test_a_backbone_outside_the_bundle_is_not_reached_by_dots(members, runs, tmp_path):
    """A spec that names another run's backbone keeps that name for the owner only."""
    manifest, spec = json.loads(members["manifest.json"]), yaml.safe_load(members["spec.yaml"])
    place = "../other/uploads/model"
    manifest["backbone"]["path"] = manifest["spec"]["backbone"]["path"] = place
    spec["backbone"] = {"path": place}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        told = {"manifest.json": json.dumps(manifest).encode(), "spec.yaml": yaml.safe_dump(spec).encode()}
        for name, data in (members | told).items():
            archive.writestr(name, data)
    run = bundles.import_zip(tmp_path / "a.zip", trusted=False)
    assert place not in (run / "manifest.json").read_text() + (run / "spec.yaml").read_text()


def test_rename(tiny_zip, runs):
    run = bundles.import_zip(tiny_zip, trusted=True)
    bundles.rename(run, "  Another (name) ")
    assert open_run(run).name == open_run(run).manifest.spec["name"] == "Another (name)"
    assert RunSpec.parse(run / "spec.yaml").name == "Another (name)"
    for name in ("", "<b>x</b>", "x" * 65, "two\nlines", "../x"):
        with pytest.raises(SpecError, match="cannot be a name"):
            bundles.rename(run, name)
    with pytest.raises(RunError, match="bundled"):
        bundles.rename(BUNDLES / "digits", "Mine")
    assert open_run(run).name == "Another (name)"
    jobs.delete(run)
    assert list(runs_root().glob("*/manifest.json")) == []
