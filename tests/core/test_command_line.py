"""``cfs-explore``: run, inspect, train; a user's mistake is one line and exit code 2."""

import json
from pathlib import Path

import pytest
import yaml

from cfs_explore.cli import main
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store import find_runs, open_run


@pytest.fixture
def spec_file(tmp_path, tiny_folder, write_images) -> Path:
    content = {
        "name": "From the shell",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(20, seed=1))}},
        "ood": [{"name": "bright", "source": str(write_images(6, seed=2, shift=50))}],
        "levels": [5.0],
        "diagnostics": [],
        "taps": "sparse_ed",
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "spec.yaml"


def refused(capsys, *arguments) -> str:
    """What a refused command says; checks that it is one line and exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.strip()]
    assert out == "" and len(lines) == 1 and lines[0].startswith("cfs-explore: ")
    return lines[0]


def test_run_then_run_again(spec_file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    main(["run", str(spec_file), "--out", str(out), "--device", "cpu"])
    assert f"Finished: {out}" in capsys.readouterr().out.splitlines()
    run = open_run(out)
    assert run.name == "From the shell" and len(run.taps) == 2
    measured = (out / "scores.zarr").stat().st_mtime_ns
    main(["run", str(out)])  # a run directory is resumed; this one is finished
    assert (out / "scores.zarr").stat().st_mtime_ns == measured
    main(["run", str(spec_file), "--out", str(out), "--fresh", "--device", "cpu"])
    assert (out / "scores.zarr").stat().st_mtime_ns > measured
    assert open_run(out).auroc_map("bright").equals(run.auroc_map("bright"))


def test_run_without_out_goes_to_the_runs_root(spec_file, capsys):
    before = set(find_runs(runs_root()))
    main(["run", str(spec_file), "--device", "cpu"])
    (made,) = set(find_runs(runs_root())) - before
    assert made.name.startswith("from-the-shell-")
    assert f"Finished: {made}" in capsys.readouterr().out.splitlines()


def test_out_of_another_run_is_refused_and_kept(spec_file, tmp_path, capsys):
    out = tmp_path / "out"
    main(["run", str(spec_file), "--out", str(out), "--device", "cpu"])
    capsys.readouterr()
    spec_file.write_text(spec_file.read_text().replace("From the shell", "Another"))
    for options in ([], ["--fresh"]):
        assert "holds a run with another spec" in refused(capsys, "run", spec_file, "--out", out, *options)
    assert open_run(out).name == "From the shell" and RunSpec.parse(out / "spec.yaml").name == "From the shell"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draws": "x", "seed": []}, "draws"),
        ({"colour": 1}, "colour: unknown field"),
        ({"backbone": "/nowhere/at/all"}, "/nowhere/at/all is not on this machine"),
        ({"id": {"run": "no-such-run"}}, "no finished run 'no-such-run'"),
        ({"levels": [float("inf")]}, "finite number"),
        ({"ood": [{"name": "gone", "source": "/nowhere.zip"}]}, "/nowhere.zip does not exist"),
        ({"taps": ["nowhere"]}, "Unknown taps: nowhere"),
    ],
)
def test_mistakes_in_the_spec(spec_file, tmp_path, capsys, changes, message):
    spec_file.write_text(yaml.safe_dump(yaml.safe_load(spec_file.read_text()) | changes))
    assert message in refused(capsys, "run", spec_file, "--out", tmp_path / "out")


def test_paths_that_are_not_there(tmp_path, capsys):
    assert "missing.yaml. Give the file of a spec" in refused(capsys, "run", tmp_path / "missing.yaml")
    assert "holds no spec.yaml" in refused(capsys, "run", tmp_path)
    assert "not on this machine" in refused(capsys, "inspect", "/nowhere/at/all")
    assert "not readable YAML" in refused(capsys, "train", tmp_path / "missing.yaml", "--out", tmp_path)


def test_interrupted(spec_file, tmp_path, capsys, monkeypatch):
    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("cfs_explore.jobs.work", stop)
    with pytest.raises(SystemExit) as stopped:
        main(["run", str(spec_file), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 130
    assert "start it again to go on" in capsys.readouterr().err


def test_inspect_as_a_table(tiny, tiny_folder, capsys):
    main(["inspect", str(tiny_folder), "--device", "cpu"])
    out = capsys.readouterr().out
    assert f"tiny: family unet2d, {tiny.parameters:,} parameters" in out
    assert f"fingerprint {tiny.fingerprint}" in out and "-10.12 to 9.21" in out
    lines = out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("tap "))
    rows = [line.split() for line in lines[header + 1 :]]
    assert [row[0] for row in rows] == [t.name for t in tiny.taps()]
    assert rows[4] == ["down_blocks.1.attentions.0", "encoder", "attention", "4", "16", f"{tiny.taps()[4].depth:.1%}"]


def test_inspect_as_json(tiny, tiny_folder, capsys):
    main(["inspect", str(tiny_folder), "--device", "cpu", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["image_shape"] == [1, 8, 8] and facts["taps"] == [t.to_dict() for t in tiny.taps()]
    assert 0 < facts["seconds_per_forward"] < 1


def test_train_then_inspect(tmp_path, write_images, capsys):
    network = {
        "sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "block_out_channels": [8],
        "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "norm_num_groups": 4,
    }  # fmt: skip
    content = {"data": str(write_images(9)), "network": network, "steps": 2, "batch_size": 4, "flip": True}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(content))
    for name in ("first", "second"):
        main(["train", str(tmp_path / "train.yaml"), "--out", str(tmp_path / name), "--device", "cpu"])
    assert capsys.readouterr().out.endswith(f"Saved: {tmp_path / 'second'}\n")
    fingerprints = set()
    for name in ("first", "second"):
        main(["inspect", str(tmp_path / name), "--device", "cpu", "--json"])
        fingerprints.add(json.loads(capsys.readouterr().out)["fingerprint"])
    assert len(fingerprints) == 1  # same seed, same weights
    record = json.loads((tmp_path / "first" / "training.json").read_text())
    assert len(record["loss"]) == 2 and 0 < record["loss"][0] < 10
    assert record["spec"]["steps"] == 2


@pytest.mark.parametrize(
    "changes", [{"steps": 0}, {"colour": 1}, {"network": {"no_such_option": 3}}, {"schedule": {"none_such": 1}}]
)
def test_mistakes_in_a_training_spec(tmp_path, write_images, capsys, changes):
    content = {"data": str(write_images(4)), "network": {"sample_size": 8}, "steps": 1} | changes
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(content))
    said = refused(capsys, "train", tmp_path / "train.yaml", "--out", tmp_path / "out")
    assert str(next(iter(changes))) in said


def test_every_command_has_help(capsys):
    for command in ("run", "app", "inspect", "train"):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0 and f"cfs-explore {command}" in capsys.readouterr().out


def test_diagnose_a_finished_run(spec_file, tmp_path, capsys):
    out = tmp_path / "out"
    main(["run", str(spec_file), "--out", str(out), "--device", "cpu"])
    capsys.readouterr()
    assert "There is no stage seperation" in refused(capsys, "diagnose", out, "--stages", "seperation")
    main(["diagnose", str(out), "--stages", "complementarity,separation"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines[:2]] == ["complementarity: done", "separation: done"]
    assert lines[2].startswith("Not computed: sealed, where, stability, sharing, prediction, controls, ")
    assert " forwards" in lines[2] and lines[2].endswith(f"cfs-explore diagnose {out} --stages all")
    run = open_run(out)
    assert {"complementarity", "separation"} == set(run.manifest.stages)
    assert len(run.table("separation")) == 2 and not (out / "work").exists()
    main(["diagnose", str(out)])  # what the spec asks for: nothing
    assert capsys.readouterr().out.splitlines() == lines[2:]
    main(["diagnose", str(out), "--stages", "standard"])
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert "no finished run" in refused(capsys, "diagnose", tmp_path / "nowhere")


def test_a_run_that_was_kept_early_says_how_to_measure_all(tmp_path, tiny_folder, write_images, capsys):
    spec = {
        "name": "kept",
        "backbone": {"path": str(tiny_folder)},
        "id": {"train": {"name": "ramps", "source": str(write_images(30))}},
        "ood": [{"name": "bright", "source": str(write_images(12, seed=2))}],
        "levels": [5],
        "taps": "sparse_ed",
        "diagnostics": "map",
        "shard_size": 4,
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    out = tmp_path / "out"
    main(["run", str(tmp_path / "spec.yaml"), "--out", str(out), "--device", "cpu", "--keep"])
    first = capsys.readouterr().out
    run = open_run(out)
    count = run.id_test.count + run.entry("ood", "bright").count
    stopped = f"It was stopped early and stays as it is, with {count} of 22 images measured."
    assert 8 <= count < 22 and stopped in first
    main(["run", str(out), "--device", "cpu"])
    again = capsys.readouterr().out
    assert stopped in again and f"cfs-explore run {out / 'spec.yaml'} makes another run" in again
    main(["run", str(out / "spec.yaml"), "--out", str(tmp_path / "all"), "--device", "cpu"])
    assert "stopped early" not in capsys.readouterr().out
    assert open_run(tmp_path / "all").entry("ood", "bright").count == 12


def test_a_spec_that_is_not_there_is_named_with_what_is_expected(tmp_path, capsys):
    said = refused(capsys, "run", tmp_path / "nowhere")
    assert said.startswith(
        f"cfs-explore: There is no {tmp_path / 'nowhere'}. Give the file of a spec (spec.yaml), or a"
    )
    assert refused(capsys, "run", tmp_path).startswith(f"cfs-explore: {tmp_path} holds no spec.yaml. Give the file")
