"""What commands write: a place that cannot be written is one clear line with its name and a remedy, and exit code 2."""

import errno
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from cfs_explore.backbones import edm_snapshot
from cfs_explore.cli import _parser, main
from cfs_explore.figures import claims, folder
from cfs_explore.locations import BUNDLES
from cfs_explore.reports import html, protocol

#: Command -> its arguments, the output last; and what it writes.
COMMANDS = {
    "run": (["run", "spec.yaml", "--device", "cpu", "--out"], "folder"),
    "train": (["train", "train.yaml", "--device", "cpu", "--out"], "folder"),
    "figures": (["figures", "digits", "--what", "map-heatmap", "--format", "svg", "--out"], "folder"),
    "protocol": (["protocol", "digits", "--csv"], "folder"),
    "convert": (["convert", "edm.pkl"], "folder"),
    "report": (["report", "digits", "--out"], "file"),
    "claims": (["claims", "digits", "--csv"], "file"),
    "groups": (["groups", "digits", "--csv"], "file"),
    "preset": (["preset", "paper-cifar10", "--data", ".", "--backbone", "net", "--fetch", "--out"], "file"),
    "survey": (["survey", "{builtin: letters}", "--sample", "5", "--sheet"], "file"),
    "export": (["export", "digits"], "file"),
    "predict": (["predict", "spec.yaml", "--device", "cpu", "--out"], "folder"),
    "verify": (["verify", "digits", "--csv"], "file"),
    "triage": (["triage", "digits", "--most", "1", "--out"], "file"),
}
#: Those that write nothing of their own, or where no option says.
NOTHING = {"app", "inspect", "fetch", "evidence"}
IN_THE_RUNS = {"import", "slim", "diagnose", "detectors", "work"}


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    """A working folder with specs, a file and a folder; what takes long is not computed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "a-folder").mkdir()
    backbone = {"backbone": str(BUNDLES / "digits" / "backbone"), "id": {"run": "digits"}, "levels": [5]}
    letters = {"name": "L", "source": {"builtin": "letters"}, "limit": 20}
    spec = backbone | {"name": "T", "ood": [letters], "draws": 1, "taps": "sparse_ed", "diagnostics": "map"}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    network = {
        "sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "block_out_channels": [8],
        "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "norm_num_groups": 4,
    }  # fmt: skip
    train = {"data": {"builtin": "letters"}, "network": network, "steps": 2, "batch_size": 4}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(train))
    read = edm_snapshot.read_snapshot
    empty = edm_snapshot.Snapshot({"precond": "VPPrecond"}, {"w": torch.zeros(1)})
    monkeypatch.setattr(edm_snapshot, "read_snapshot", lambda path: empty if path.name == "edm.pkl" else read(path))
    table = pd.DataFrame({"claim": ["pair"], "p": [0.1]})
    monkeypatch.setattr(claims, "claims_table", lambda run: table)
    monkeypatch.setattr(protocol, "protocol_tables", lambda *_: {"Levels": table})
    monkeypatch.setattr(html, "html_report", lambda *_: "<html>")
    monkeypatch.setattr(folder, "export_bytes", lambda *_, **__: b"<svg/>")
    monkeypatch.setattr(folder, "has_browser", lambda: True)


def refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([str(each) for each in arguments])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cfs-explore")]
    assert stopped.value.code == 2 and len(lines) == 1
    return lines[0]


def bad_places() -> list[tuple[str, str, str]]:
    """Command, a place that it cannot write, a part of what it says."""
    cases = []
    for command, (_, kind) in COMMANDS.items():
        cases.append((command, "a-file/x", "a-file is a file, no folder. Give another place."))
        cases.append((command, "a-file/x/y.z", "a-file is a file, no folder. Give another place."))
        if kind == "file":
            cases.append((command, "a-folder", "a-folder is a folder. Give the name of a file, such as a-folder/name."))
        else:
            cases.append((command, "a-file", "a-file is a file. Give the name of a folder."))
        if Path("/proc/self").exists():
            cases.append((command, "/proc/x", "/proc"))
    return cases


@pytest.mark.parametrize(("command", "place", "said"), bad_places())
def test_a_place_that_cannot_be_written(capsys, command, place, said):
    line = refused(capsys, *COMMANDS[command][0], place)
    assert place in line and said in line and "Give" in line and "start the run again" not in line
    assert Path("a-file").read_text() == "x" and not list(Path("a-folder").iterdir())


@pytest.mark.parametrize("command", ["figures", "protocol", "report", "claims", "survey", "export"])
def test_folders_on_the_way_are_made(capsys, command):
    main([*COMMANDS[command][0], "new/deeper/x"])
    made = Path("new/deeper/x")
    assert made.is_file() == (COMMANDS[command][1] == "file") and made.exists()


def test_no_work_is_done_for_a_place_that_cannot_be_written(capsys, monkeypatch):
    """As on a disk that is mounted read-only: a trial tells, and leaves nothing."""

    def read_only(*_arguments, **_options):
        raise OSError(errno.EROFS, "Read-only file system", "trial")

    monkeypatch.setattr("cfs_explore.train.train", lambda *_, **__: pytest.fail("it trained"))
    main([*COMMANDS["claims"][0], os.devnull])  # no folder is asked for what is there and can be written
    monkeypatch.setattr("tempfile.mkdtemp", read_only)
    main([*COMMANDS["claims"][0], os.devnull])
    line = refused(capsys, *COMMANDS["train"][0], "new/out")
    assert line.startswith("cfs-explore: new/out cannot be written: ") and "is read-only for this program. Give" in line
    assert not Path("new").exists()


def test_a_file_in_the_way_inside_the_folder_is_named(capsys):
    Path("out").mkdir()
    main([*COMMANDS["figures"][0], "out"])
    (svg,) = Path("out").glob("*.svg")
    svg.unlink()
    svg.mkdir()
    assert f"{svg} is a folder, where a file is to be written" in refused(capsys, *COMMANDS["figures"][0], "out")


def test_a_full_disk_is_said(capsys, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    line = refused(capsys, *COMMANDS["report"][0], "x.html")
    assert line == "cfs-explore: x.html cannot be written: the disk is full. Free some space, or give another place."


def test_a_run_says_that_it_goes_on(capsys, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    Path("out").mkdir()
    monkeypatch.setattr(os, "replace", full)
    assert "start the run again: it continues from there" in refused(capsys, *COMMANDS["run"][0], "out")


def test_what_is_read_is_not_taken_for_what_is_written(capsys):
    assert "missing.pkl is not on this machine. Give the .pkl file." in refused(capsys, "convert", "missing.pkl", "X")
    assert "a-folder is a folder. Give the .pkl file." in refused(capsys, "convert", "a-folder", "X")
    with pytest.raises(SystemExit):
        main(["export", "no-such-run", "x.zip"])
    assert "no finished run 'no-such-run'" in capsys.readouterr().err and not Path("X").exists()


def test_runs_that_have_no_place(capsys, monkeypatch):
    main(["export", "digits", "digits.zip"])
    monkeypatch.setenv("CFS_EXPLORE_RUNS", "a-file/runs")
    for command in (["run", "spec.yaml"], ["import", "digits.zip"]):
        assert "a-file is a file, no folder" in refused(capsys, *command)


def test_every_command_says_what_it_writes():
    commands = _parser()._subparsers._group_actions[0].choices
    writes = {name for name, each in commands.items() if "writes" in each._defaults}
    assert writes == set(commands) - NOTHING == set(COMMANDS) | IN_THE_RUNS | {"look"}
