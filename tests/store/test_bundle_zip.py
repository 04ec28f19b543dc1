"""Explorations as zips: the way there and back changes nothing; anything else is refused, and nothing of it stays."""

import json
import shutil
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml

from cfs_explore import jobs
from cfs_explore.backbones.locate import locate
from cfs_explore.errors import BackboneError, RunError, SpecError
from cfs_explore.explorations import bundles
from cfs_explore.locations import BUNDLES, runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.store.bundle import read_zip, write_zip
from cfs_explore.store.digests import file_digests
from cfs_explore.studies import DIAGNOSTICS, IMAGES, TABLES


def assert_same(left, right) -> None:
    """Two run directories hold the same tables and arrays."""
    for path in [left / "images.parquet", *sorted((left / "tables").glob("*.parquet"))]:
        other = right / path.relative_to(left)
        pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(other), check_exact=True)
    ours, theirs = open_run(left), open_run(right)
    for entry in ours.manifest.sets:
        which = entry.role, entry.name
        for key, values in ours.moments(*which).to_arrays().items():
            np.testing.assert_array_equal(values, theirs.moments(*which).to_arrays()[key])
        if entry.score_start >= 0:
            np.testing.assert_array_equal(ours.scores(*which), theirs.scores(*which))
        for tap in ours.manifest.kept["taps"]:
            np.testing.assert_array_equal(ours.snapshots(tap, *which), theirs.snapshots(tap, *which))
    np.testing.assert_array_equal(ours.pair_squares()[0], theirs.pair_squares()[0])


@pytest.mark.parametrize("name", ["digits", "digits-narrow"])
def test_a_bundle_comes_back_as_it_was(name, runs, tmp_path):
    """With every diagnostic table, so the columns that an import asks for are those that this version writes.

    Their trainings kept no weights, so they have none of those tables.
    """
    bundles.export(BUNDLES / name, tmp_path / "a.zip")
    run = bundles.import_zip(tmp_path / "a.zip", trusted=True)
    assert run.parent == runs and run.name.startswith("digits-")
    assert_same(BUNDLES / name, run)
    packed, came = open_run(BUNDLES / name).manifest, open_run(run).manifest
    assert came == packed.model_copy(update={"spec": came.spec, "files": file_digests(run)})
    assert RunSpec(**came.spec) == RunSpec(**packed.spec)
    written = pd.read_parquet(BUNDLES / name / "images.parquet").columns
    needed = {column.name for column in IMAGES.columns if not column.optional}
    assert needed <= set(written) <= set(IMAGES.column_names)
    assert {p.stem for p in (run / "tables").iterdir()} == set(TABLES) - set(DIAGNOSTICS["training"].table_names)
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
    text = (run / "spec.yaml").read_text() + (run / "manifest.json").read_text()
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
        assert str(tiny_run.parent) not in text and "builtin" not in text
        with pytest.raises(BackboneError, match="is not on this machine"):
            locate(RunSpec.parse(run / "spec.yaml").backbone.path)
    assert_same(tiny_run, run)


def test_an_export_may_hide_places(tiny_run, tmp_path, runs):
    bundles.export(tiny_run, tmp_path / "a.zip", hide=True)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        text = archive.read("manifest.json").decode() + archive.read("spec.yaml").decode()
    assert "/" not in open_run(bundles.import_zip(tmp_path / "a.zip", trusted=True)).manifest.backbone.path
    assert "set.npz" not in text and "letters" in text
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
    assert "is not a file of an exploration" in refused([*members.items(), (name, b"{}")])


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


def test_a_backbone_outside_the_bundle_is_not_reached_by_dots(members, runs, tmp_path):
    """A spec that names another run's backbone keeps that name for the owner only."""
    manifest, spec = json.loads(members["manifest.json"]), yaml.safe_load(members["spec.yaml"])
    place = "../other/uploads/model"
    manifest["backbone"]["path"] = manifest["spec"]["backbone"]["path"] = place
    spec["backbone"] = {"path": place}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        changed = {"manifest.json": json.dumps(manifest).encode(), "spec.yaml": yaml.safe_dump(spec).encode()}
        for name, data in (members | changed).items():
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


def test_what_tells_the_network_beside_its_weights_goes_along(tiny_run, runs, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "backbone").mkdir(exist_ok=True)
    (tmp_path / "run" / "backbone" / "uvit.yaml").write_text("num_heads: 5\n")
    bundles.export(tmp_path / "run", tmp_path / "uvit.zip")
    taken = bundles.import_zip(tmp_path / "uvit.zip", trusted=True)
    assert (taken / "backbone" / "uvit.yaml").read_text() == "num_heads: 5\n"
    assert not (bundles.import_zip(tmp_path / "uvit.zip", trusted=False) / "backbone").exists()


def test_a_zip_of_a_version_whose_default_was_all_diagnostics(members, runs, tmp_path):
    """Its spec.yaml leaves out what was the default then; its manifest tells it."""
    manifest, spec = json.loads(members["manifest.json"]), yaml.safe_load(members["spec.yaml"])
    manifest["spec"]["diagnostics"] = "all"
    del spec["diagnostics"], manifest["seconds_per_forward"]
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for name, data in (
            members | {"manifest.json": json.dumps(manifest), "spec.yaml": yaml.safe_dump(spec)}
        ).items():
            archive.writestr(name, data)
    run = bundles.import_zip(tmp_path / "old.zip", trusted=True)
    assert RunSpec.parse(run / "spec.yaml").diagnostics == open_run(run).manifest.spec["diagnostics"] == "all"


@pytest.mark.parametrize("speed", [-1, float("inf"), "fast"])
def test_a_speed_that_is_none_is_refused(members, refused, speed):
    manifest = json.loads(members["manifest.json"]) | {"seconds_per_forward": speed}
    assert "seconds_per_forward" in refused(members | {"manifest.json": json.dumps(manifest)})


@pytest.mark.parametrize("zip64", [False, True])
def test_a_zip_of_a_million_members_is_refused_by_its_directory(zip64, runs, tmp_path):
    """Whatever its last records say: what zipfile would make of the members takes ten times their bytes."""
    entry, count = b"PK\1\2" + bytes(42), 600_000
    size = len(entry) * count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0)
    if zip64:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, 0)
        end = record + struct.pack("<4sLQL", b"PK\6\7", 0, size, 1) + end[:12] + b"\xff" * 8 + bytes(2)
    path = tmp_path / "many.zip"
    path.write_bytes(entry * count + end)
    tracemalloc.start()
    with pytest.raises(RunError, match="more than 20,000 members; an exploration has at most 20,000"):
        bundles.import_zip(path, trusted=False)
    assert tracemalloc.get_traced_memory()[1] < 2 * size
    tracemalloc.stop()
    assert not list(runs.iterdir())
