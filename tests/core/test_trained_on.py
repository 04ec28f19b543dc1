"""ID images of another set than the backbone's training set: said where both are known, and nowhere else."""

import copy
import json
import shutil
import zipfile

import pytest

from cfs_explore.explorations import bundles
from cfs_explore.explorations.trained_on import training_difference, training_source
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run

CIFAR = {"torchvision": "CIFAR10", "split": "train"}


@pytest.fixture
def digits():
    return open_run(BUNDLES / "digits")


def changed(run, *, trained_on=None, source=None, path=None):
    """The run with another spec."""
    other = copy.copy(run)
    spec = copy.deepcopy(run.manifest.spec)
    if trained_on is not None:
        spec["backbone"]["trained_on"] = trained_on
    if source is not None:
        spec["id"]["train"]["source"] = source
    if path is not None:
        spec["backbone"]["path"] = path
    other.manifest = run.manifest.model_copy(update={"spec": spec})
    return other


@pytest.mark.parametrize("bundle", ["digits", "digits-narrow", "cifar10-ddpm", "cifar10-edm", "cifar10-uvit"])
def test_bundles_have_the_images_that_their_backbones_were_trained_on(bundle):
    run = open_run(BUNDLES / bundle)
    assert training_source(run) is not None and training_difference(run) == ""


@pytest.mark.parametrize(
    ("trained_on", "source", "said"),
    [
        (None, {"builtin": "digits", "classes": [7, 8]}, "digits 7, 8, not digits 0, 1, 2, 3, 4, 5, 6."),
        (CIFAR, {"torchvision": "CIFAR100"}, "CIFAR100, not CIFAR10."),
        (CIFAR, {"torchvision": "CIFAR10", "split": "test"}, ""),  # another part of the same set
        (CIFAR, {"hub": "uoft-cs/cifar10"}, ""),  # perhaps the same images under another name
        (CIFAR, "cifar100.zip", ""),
        ("cifar10.zip", "other.zip", ""),
    ],
)
def test_it_is_said_where_names_tell(digits, trained_on, source, said):
    found = training_difference(changed(digits, trained_on=trained_on, source=source))
    assert found == (f"ID differs from the backbone's training set: {said}" if said else "")


def test_without_a_record_nothing_is_said(digits, tmp_path):
    (tmp_path / "training.json").write_text('{"spec": {"data": 5}}')
    for path in ("google/ddpm-cifar10-32", str(tmp_path), str(tmp_path / "none")):
        run = changed(digits, source={"torchvision": "CIFAR100"}, path=path)
        assert training_source(run) is None and training_difference(run) == ""


def test_a_run_that_names_no_places_reads_no_record(tmp_path):
    shutil.copytree(BUNDLES / "digits-narrow", tmp_path / "run")
    assert training_source(open_run(tmp_path / "run")) is not None
    (tmp_path / "run" / bundles.MARK).write_text(json.dumps({"imported": "2026-01-01", "places": False}))
    assert training_source(open_run(tmp_path / "run")) is None


def test_the_field_is_kept_and_is_no_option_of_the_network():
    content = {
        "name": "a run",
        "backbone": {"path": "net", "trained_on": CIFAR},
        "id": {"run": "digits"},
        "ood": [{"name": "dogs", "source": "dogs.zip"}],
    }
    spec = RunSpec.parse(content)
    assert spec.backbone.trained_on == CIFAR and "trained_on" not in spec.backbone.options()
    assert RunSpec.parse(spec.model_dump()) == spec and "trained_on" in spec.to_yaml()
    assert "trained_on" not in RunSpec.parse(content | {"backbone": "net"}).to_yaml()


def test_an_export_without_places_hides_it(tmp_path):
    shutil.copytree(BUNDLES / "digits-narrow", tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["spec"]["backbone"]["trained_on"] = "/secret/place"
    path.write_text(json.dumps(manifest))
    bundles.export(tmp_path / "run", tmp_path / "run.zip", hide=True)
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        found = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith("manifest.json"))))
    assert found["spec"]["backbone"]["trained_on"] == bundles.NOT_HERE
