"""Whatever becomes of a run directory: reading names the damaged file and what to run, and shows nothing of it."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cfs_explore.cli import main
from cfs_explore.errors import CFSError, DamageError, RunError
from cfs_explore.explorations import bundles
from cfs_explore.store import Manifest, drop_snapshots, open_run, write_json
from cfs_explore.store.digests import file_digests

FILES = [
    "images.parquet",
    "tables/auroc_map.parquet",
    "tables/detectors.parquet",
    "scores.zarr/zarr.json",
    "scores.zarr/c/0/0/0/0",
    "moments.zarr/count/c/0",
    "moments.zarr/mean/zarr.json",
    "moments.zarr/mean/c/1/0/0",
    "moments.zarr/m2_within/c/0/0/0",
    "moments.zarr/pairs/c",
    "moments.zarr/pair_squares/c/0/0",
    "snapshots.zarr/{tap}/zarr.json",
    "snapshots.zarr/{tap}/c/0/0",
]
#: What may stand in the place of a file.
OTHERS = {
    "images.parquet": "tables/skipped.parquet",
    "tables/auroc_map.parquet": "tables/detectors.parquet",
    "tables/detectors.parquet": "tables/best_cell.parquet",
    "scores.zarr/zarr.json": "moments.zarr/mean/zarr.json",
    "moments.zarr/mean/zarr.json": "scores.zarr/zarr.json",
    "snapshots.zarr/{tap}/zarr.json": "scores.zarr/zarr.json",
}


def cut(path: Path, _run: Path, _name: str) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def halve(path: Path, _run: Path, _name: str) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path, _run: Path, _name: str) -> None:
    path.write_bytes(b"")


def zero(path: Path, _run: Path, _name: str) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def remove(path: Path, _run: Path, _name: str) -> None:
    path.unlink()


def swap(path: Path, run: Path, name: str) -> None:
    other = OTHERS.get(name, "moments.zarr/m2/c/1/0/0")
    shutil.copyfile(run / other, path)


def folder(path: Path, _run: Path, _name: str) -> None:
    path.unlink()
    path.mkdir()


def read_all(run) -> list:
    """Everything that pages and commands ask a run for."""
    found = [run.table(path.stem) for path in sorted((run.path / "tables").glob("*.parquet"))]
    found += [run.table("auroc_map"), run.table("detectors"), *run.pair_squares()]
    for entry in run.manifest.sets:
        which = entry.role, entry.name
        found += [run.images(*which), *run.moments(*which).to_arrays().values()]
        found += [run.scores(*which)] if entry.score_start >= 0 else []
        found += [run.snapshots(tap, *which) for tap in run.manifest.kept["taps"]]
    return found


@pytest.fixture
def copy(tiny_run, tmp_path):
    return Path(shutil.copytree(tiny_run, tmp_path / "copy", ignore=shutil.ignore_patterns("work", "uploads")))


def without_digests(run: Path) -> None:
    """As an older version wrote it."""
    manifest = Manifest.read(run)
    write_json(run / "manifest.json", manifest.model_copy(update={"files": {}}).model_dump(mode="json"))


def test_a_whole_run_is_read_with_and_without_digests(copy):
    manifest = Manifest.read(copy)
    assert manifest.files == file_digests(copy) and len(manifest.files) > 15
    checked = read_all(open_run(copy))
    without_digests(copy)
    again = read_all(open_run(copy))
    for a, b in zip(checked, again, strict=True):
        assert a.equals(b) if isinstance(a, pd.DataFrame) else np.array_equal(a, b)


@pytest.mark.parametrize("damage", [cut, halve, empty, zero, remove, swap, folder], ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("digests", [True, False], ids=["digests", "none"])
def test_every_damage_is_named_with_its_remedy(name, damage, digests, copy):
    file = name.format(tap=open_run(copy).manifest.kept["taps"][0])
    if not digests:
        without_digests(copy)
        if damage is swap and "/c/" in name and name.startswith("moments"):
            pytest.skip("a chunk of the same kind: only a digest tells it from the right one")
    read_all(open_run(copy))  # what was whole a moment ago is looked at again
    damage(copy / file, copy, name)
    with pytest.raises(DamageError) as caught:
        read_all(open_run(copy))
    message = str(caught.value)
    assert file in message or (file.rsplit("/c", 1)[0] in message and "/c" in file), message
    assert f"`cfs-explore run {copy} --fresh`" in message


@pytest.mark.parametrize("position", range(0, 400, 7))
def test_a_changed_byte_of_a_chunk_is_never_shown(position, copy):
    path = copy / "scores.zarr/c/0/0/0/0"
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << position % 8
    path.write_bytes(data)
    with pytest.raises(DamageError, match=r"scores\.zarr/c/0/0/0/0 of tiny run is damaged"):
        open_run(copy).scores("id_test")
    without_digests(copy)  # a decoder that is given it anyway must not end the process
    with contextlib.suppress(DamageError):
        open_run(copy).scores("id_test")


@pytest.mark.parametrize("damage", [cut, empty, remove, zero], ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", ["manifest.json", "spec.yaml"])
def test_texts(name, damage, copy, runs, capsys):
    damage(copy / name, copy, name)
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", str(copy), "--stages", "separation"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert name in said or (damage is remove and "no finished run" in said), said


def test_a_manifest_of_another_run_describes_none_of_these_files(copy, tiny_run):
    content = json.loads((copy / "manifest.json").read_text())
    content["files"] = {name: [size, "0" * 32] for name, (size, _) in content["files"].items()}
    write_json(copy / "manifest.json", content)
    with pytest.raises(DamageError, match="its content is not what was written"):
        open_run(copy).scores("id_test")


def test_a_damaged_table_of_a_stage_tells_the_stage(copy):
    from cfs_explore.pipeline import diagnose

    run = diagnose(copy, "separation")
    cut(copy / "tables/separation.parquet", copy, "")
    with pytest.raises(DamageError, match=r"diagnose .* --stages separation --fresh` computes it again"):
        run.table("separation")
    assert len(diagnose(copy, "separation", fresh=True).table("separation"))


def test_damage_is_no_reason_to_skip_a_stage_or_to_drop_its_tables(copy):
    from cfs_explore.pipeline import diagnose

    before = diagnose(copy, "separation").table("separation")
    scores = copy / "scores.zarr/c/0/0/0/0"
    data = scores.read_bytes()
    scores.write_bytes(data[:-1])
    with pytest.raises(DamageError):
        diagnose(copy, "separation", fresh=True)
    assert open_run(copy).manifest.stages["separation"].state == "done"
    assert open_run(copy).table("separation").equals(before)


@pytest.mark.parametrize("everything", [False, True])
def test_a_smaller_run_tells_digests_of_what_is_left(copy, everything):
    drop_snapshots(copy, everything=everything)
    manifest = Manifest.read(copy)
    assert manifest.files == file_digests(copy)
    run = open_run(copy)
    run.scores("ood", "bright")
    if not everything:
        run.snapshots(manifest.kept["taps"][0], "ood", "bright")


def test_commands_say_which_file(copy, capsys):
    cut(copy / "scores.zarr/c/0/0/0/0", copy, "")
    cut(copy / "tables/detectors.parquet", copy, "")
    for command in (["claims", str(copy)], ["report", str(copy)], ["export", str(copy), str(copy / "x.zip")]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        assert "is damaged" in capsys.readouterr().err, command
    assert not (copy / "x.zip").exists()


def test_an_import_with_a_missing_chunk_is_refused(members, refused):
    for name in ("scores.zarr/c/0/0/0/0", "moments.zarr/m2/c/1/0/0"):
        rest = {key: data for key, data in members.items() if key != name}
        assert refused(rest) == f"{name} is missing."


def test_an_import_that_tells_other_digests_is_refused(tiny_run, members, refused):
    files = Manifest.read(tiny_run).files
    content = json.loads(members["manifest.json"]) | {"files": files | {"images.parquet": [5, "0" * 32]}}
    said = refused(members | {"manifest.json": json.dumps(content).encode()})
    assert said.startswith("images.parquet is not the file that was packed")


def test_what_an_import_may_be_is_exported_again(tiny_run, runs, tmp_path):
    bundles.export(tiny_run, tmp_path / "a.zip")
    run = bundles.import_zip(tmp_path / "a.zip", trusted=True)
    assert Manifest.read(run).files == file_digests(run)
    bundles.export(run, tmp_path / "b.zip")


def test_a_folder_that_is_gone(copy):
    run = open_run(copy)
    copy.rename(copy.with_name("elsewhere"))
    for read in (lambda: run.scores("id_test"), lambda: run.table("auroc_map"), lambda: run.images("id_test")):
        with pytest.raises(RunError, match=str(copy)):
            read()
    assert isinstance(DamageError("x"), CFSError)
