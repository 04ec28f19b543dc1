"""``cfs-explore detectors``: what there is, and a run's detectors against CFS."""

import shutil

import pytest
import yaml

from cfs_explore import detectors
from cfs_explore.cli import main
from cfs_explore.figures.falsifier import detector_rows
from cfs_explore.headlines.falsifier import room_words
from cfs_explore.store import open_run
from cfs_explore.studies.detectors import budget_told


def refused(capsys, *arguments) -> str:
    """What a refused command says, in one line."""
    with pytest.raises(SystemExit) as stopped:
        main([str(each) for each in arguments])
    assert stopped.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    return line


def test_the_list_has_every_detector_with_its_paper_and_meaning(capsys):
    main(["detectors", "--list"])
    out, rule = capsys.readouterr().out.rstrip().split("\n\n")
    assert "--budget times its map's forwards" in rule and "3, or what about a minute has room for" in rule
    lines = out.splitlines()
    heads = {line.split()[0]: line for line in lines if not line.startswith(" ")}
    assert list(heads) == list(detectors.names())
    text = " ".join(" ".join(lines).split())
    for name, head in heads.items():
        detector = detectors.described(name)
        assert detector.title in head and detector.variant in head and detector.paper in head
        assert detector.meaning and " ".join(detector.meaning.split()) in text


def test_titles_with_their_variants_tell_all_detectors_apart():
    found = [(detectors.described(name).title, detectors.described(name).variant) for name in detectors.names()]
    assert len(set(found)) == len(found)


def test_snapshots_are_no_trajectory():
    said = {name: detectors.described(name).trajectory for name in detectors.names()}
    assert not [name for name, trajectory in said.items() if trajectory and name.startswith(("cfs", "head"))]
    assert said["msma"] and not said["scoped_single"]


def test_a_run_is_measured_and_told(rivals_run, tmp_path, capsys):
    run = shutil.copytree(rivals_run.path, tmp_path / "run")
    main(["detectors", str(run), "--budget", "4", "--images", "6", "--train", "8", "--device", "cpu"])
    out = capsys.readouterr().out
    found = open_run(run)
    rows = found.table("falsifier").query("network == 'trained'").set_index("detector")
    assert yaml.safe_load((run / "spec.yaml").read_text())["detectors"] == {"train": 8, "images": 6, "budget": 4.0}
    assert set(rows["n_train"]) == {8} and set(rows["n_id"]) == {6}
    line = next(line for line in out.splitlines() if line.split()[:1] == ["CFS(1x2)"])
    assert f"{rows.loc['cfs_1x2', 'auroc']:.3f}" in line and "nan" not in line.lower()
    dear = rows.loc["ddpm_ood"]
    assert f"DDPM-OOD (original levels): {dear['note']}" in out.splitlines()
    assert out.splitlines()[-1].startswith("For bright, ") and "**" not in out
    counts = found.counts._replace(budget=4.0)
    assert out.splitlines()[0] == f"The detectors take {budget_told(counts)}."
    assert f"{room_words(detector_rows(found, 'falsifier', 'bright'))} cfs-explore detectors" in out
    assert f" --budget {rows['needed'].max():.10g} measures all" in out
    before = (run / "tables" / "falsifier.parquet").stat().st_mtime_ns
    main(["detectors", str(run), "--device", "cpu"])  # measured already
    assert (run / "tables" / "falsifier.parquet").stat().st_mtime_ns == before
    assert capsys.readouterr().out == out


def test_a_budget_without_room_for_cfs_is_refused_in_one_line(rivals_run, tmp_path, capsys):
    run = shutil.copytree(rivals_run.path, tmp_path / "run")
    said = refused(capsys, "detectors", run, "--budget", "0.01", "--device", "cpu")
    assert "There is nothing to compare with" in said and "no room for them" in said
    assert said.endswith("The tables that were made before are still there.") and open_run(run).has_table("falsifier")


def test_mistakes(rivals_run, tmp_path, capsys):
    assert "or --list for what there is" in refused(capsys, "detectors")
    run = shutil.copytree(rivals_run.path, tmp_path / "run")
    assert "images" in refused(capsys, "detectors", run, "--images", "1")
    assert "no-such-run" in refused(capsys, "detectors", "no-such-run")
    before = (run / "spec.yaml").read_bytes()
    assert "no finished run 'nowhere'" in refused(capsys, "detectors", run, "--background", "nowhere")
    assert (run / "spec.yaml").read_bytes() == before
    assert "There is no device 'foo'" in refused(capsys, "detectors", run, "--budget", "5", "--device", "foo")


def test_a_background_can_be_taken_back(rivals_run, tmp_path, capsys):
    run = shutil.copytree(rivals_run.path, tmp_path / "run")
    few = ("--budget", "4", "--images", "6", "--train", "8", "--device", "cpu")
    main(["detectors", str(run), *few, "--background", "digits"])
    assert "the background" in open_run(run).table("falsifier").query("detector == 'likelihood_ratio'")["note"].iloc[0]
    main(["detectors", str(run), "--background", "none", "--device", "cpu"])
    assert "needs a second network" in capsys.readouterr().out
