"""Groups of OOD sets in spec, manifest and command: kept, changed without measuring, refused where they are wrong."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.cli import main
from cfs_explore.diagnostics import auroc
from cfs_explore.errors import RunError, SpecError
from cfs_explore.figures import set_groups
from cfs_explore.figures.detector import detector_of, preset_cells
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import claim
from cfs_explore.pipeline.set_groups import write_set_groups
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run, open_run
from cfs_explore.store.digests import check_files

SPEC = {
    "name": "a run",
    "backbone": "google/ddpm",
    "id": {"train": {"name": "cats", "source": "cats.zip"}},
    "ood": [
        {"name": "dogs", "source": "dogs.zip", "set_group": "near"},
        {"name": "letters", "source": "letters.zip"},
    ],
}
BUNDLED = ("digits", "digits-narrow", "cifar10-ddpm", "cifar10-edm", "cifar10-uvit")


@pytest.fixture
def narrow(tmp_path):
    """A copy of a bundle that tests may change."""
    shutil.copytree(BUNDLES / "digits-narrow", tmp_path / "narrow")
    return tmp_path / "narrow"


def groups_of(spec: RunSpec) -> dict:
    return {each.name: each.set_group for each in spec.ood}


def test_the_field_is_kept_and_its_absence_leaves_no_trace():
    spec = RunSpec.parse(SPEC)
    assert groups_of(spec) == {"dogs": "near", "letters": None}
    assert RunSpec.parse(spec.model_dump()) == spec and "set_group: near" in spec.to_yaml()
    assert "set_group" not in spec.regrouped({}).to_yaml()
    assert groups_of(spec.regrouped({"letters": "covariate"})) == {"dogs": None, "letters": "covariate"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ood": [{"name": "a", "source": "a", "set_group": "nearby"}]}, "set_group: .*'near', 'far' or 'covariate'"),
        (
            {"ood": [{"name": "a", "source": "a", "group": "near"}]},
            "which images of a set belong together.*`set_group: near`",
        ),
        (
            {"id": {"train": {"name": "a", "source": "a", "set_group": "far"}}},
            "`set_group` is of OOD sets; leave it out",
        ),
    ],
)
def test_wrong_fields_are_named_with_the_remedy(change, message):
    with pytest.raises(SpecError, match=message):
        RunSpec.parse(SPEC | change)


def test_a_group_of_images_and_a_group_of_sets_stand_side_by_side():
    content = SPEC | {"ood": [{"name": "a", "source": "a", "group": "class", "set_group": "far"}]}
    assert (RunSpec.parse(content).ood[0].group, RunSpec.parse(content).ood[0].set_group) == ("class", "far")


@pytest.mark.parametrize("bundle", BUNDLED)
def test_bundles_say_the_same_in_spec_and_manifest(bundle):
    run = open_run(BUNDLES / bundle)
    from_spec = groups_of(RunSpec.parse(run.path / "spec.yaml"))
    assert {name: group for group, names in run.set_groups.items() for name in names} == from_spec
    check_files(run.path, run.manifest)


def test_a_run_without_the_field_has_no_groups(narrow):
    content = json.loads((narrow / "manifest.json").read_text())
    for each in content["spec"]["ood"]:
        each.pop("set_group")
    (narrow / "manifest.json").write_text(json.dumps(content))
    run = Run(narrow)
    assert run.set_groups == {}
    with pytest.raises(RunError, match=r"No OOD set of .* is in a group. `cfs-explore groups .* --near SET"):
        set_groups.detector_groups(run)


def test_groups_change_without_measuring(narrow):
    before = Run(narrow)
    write_set_groups(narrow, {"letters": "far", "photo patches": "far"})
    after = Run(narrow)
    assert after.set_groups == {"far": ("letters", "photo patches")}
    assert groups_of(RunSpec.parse(narrow / "spec.yaml")) == {
        "digits 7-9": None,
        "letters": "far",
        "flipped": None,
        "blurred": None,
        "photo patches": "far",
    }
    assert after.manifest.files == before.manifest.files and after.digest != before.digest
    with pytest.raises(SpecError, match=r"has no OOD set called dogs\. It has: digits 7-9, letters"):
        write_set_groups(narrow, {"dogs": "near"})
    with pytest.raises(SpecError, match=r"letters: the group of a set is one of near, far, covariate\. Got 'odd'"):
        write_set_groups(narrow, {"letters": "odd"})
    assert Run(narrow).set_groups == after.set_groups


def test_the_same_spec_with_other_groups_is_the_same_run(narrow):
    spec = RunSpec.parse(narrow / "spec.yaml")
    claim(spec.regrouped({"letters": "near"}), narrow)
    assert Run(narrow).set_groups == {"near": ("letters",)}
    with pytest.raises(RunError, match="holds a run with another spec"):
        claim(spec.regrouped({"letters": "near"}).model_copy(update={"seed": 5}), narrow)


def test_the_command_prints_every_group(capsys):
    main(["groups", "digits"])
    printed = capsys.readouterr().out
    digits = open_run(BUNDLES / "digits")
    table = set_groups.detector_groups(digits)
    for row in table.to_dict("records"):
        assert f"{row['auroc']:.3f}" in printed
    assert "Far: photo patches (n = 250); one set, so no spread over sets." in printed
    assert "the 1,250 images of the covariate sets count as ID" in printed


def test_the_command_groups_sets_and_writes_a_table(narrow, tmp_path, capsys):
    main(["groups", str(narrow), "--near", "letters", "--far", "photo patches", "--none"])
    printed = capsys.readouterr().out
    assert Run(narrow).set_groups == {"near": ("letters",), "far": ("photo patches",)}
    assert "No full-spectrum AUROC: no set is in the group covariate" in printed and "full spectrum:" not in printed
    assert "In no group: digits 7-9, flipped, blurred." in printed
    main(["groups", str(narrow), "--covariate", "blurred", "--csv", str(tmp_path / "table.csv")])
    assert Run(narrow).set_groups["near"] == ("letters",)
    frame = pd.read_csv(tmp_path / "table.csv")
    assert set(frame["spectrum"]) == {"standard", "full"}
    with pytest.raises(SystemExit):
        main(["groups", str(narrow), "--near", "cats"])
    assert "has no OOD set called cats" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["groups", str(narrow), "--near", "letters", "--far", "letters"])
    assert "letters cannot be both near and far. Name it in one group." in capsys.readouterr().err


def test_set_rows_are_the_table_of_detectors():
    digits = open_run(BUNDLES / "digits")
    found, published = set_groups.detector_groups(digits), digits.table("detectors")
    rows = found[(found["spectrum"] == "standard") & (found["ood"] != "")]
    assert len(rows) == 2 * 7
    for row in rows.to_dict("records"):
        same = published[(published["ood"] == row["ood"]) & (published["name"] == row["detector"])].iloc[0]
        assert (row["auroc"], row["lo"], row["hi"]) == pytest.approx(tuple(same[["auroc", "lo", "hi"]]), abs=1e-6)


def test_a_cell_of_the_map_is_its_detector():
    """The single cell that CFS-dec(1x1) is."""
    digits = open_run(BUNDLES / "digits")
    (cell,) = preset_cells(digits)["CFS-dec(1x1)"]
    maps, detectors = set_groups.cell_groups(digits), set_groups.detector_groups(digits)
    level, tap = digits.cell(cell)
    ours = maps[(maps["level"] == level) & (maps["tap_index"] == tap)]
    theirs = detectors[(detectors["detector"] == "CFS-dec(1x1)") & (detectors["ood"] == "")]
    for one, other in (("auroc", "auroc"), ("auroc_lo", "lo"), ("auroc_hi", "hi")):
        assert ours[one].tolist() == pytest.approx(theirs[other].tolist(), abs=1e-9)


def test_full_spectrum_of_a_set_from_its_images():
    digits = open_run(BUNDLES / "digits")
    detector = detector_of(digits, preset_cells(digits)["CFS(1x2)"])
    pooled = [detector.scores(digits, "id_test")]
    pooled += [detector.scores(digits, "ood", name) for name in digits.set_groups["covariate"]]
    value = auroc(np.concatenate(pooled), detector.scores(digits, "ood", "photo patches")).value
    table = set_groups.detector_groups(digits)
    rows = table[(table["spectrum"] == "full") & (table["set_group"] == "far") & (table["row"] == 0)]
    assert rows["auroc"].tolist() == pytest.approx([value])
    assert rows["detector"].tolist() == ["CFS(1x2)"]
