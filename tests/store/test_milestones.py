"""Where the weights that a training kept lie, and after how many steps; every mistake names its folder."""

import json

import pytest

from cfs_explore.errors import SpecError
from cfs_explore.spec import RunSpec
from cfs_explore.store.milestones import count_milestones, find_milestones, read_milestones


@pytest.fixture
def home(tmp_path):
    """A training's folder, as `cfs-explore train` leaves it: 64 steps, of which 0, 1 and 16 are kept."""
    for name in ("unet", "scheduler", *(f"milestones/{step:06d}/unet" for step in (0, 1, 16))):
        (tmp_path / "net" / name).mkdir(parents=True)
    (tmp_path / "net" / "training.json").write_text(json.dumps({"steps": 64}))
    return tmp_path / "net"


def test_they_are_found_in_the_backbones_folder_beside_it_and_where_the_spec_says(home, tmp_path):
    inside = home / "milestones"
    assert find_milestones(str(home)) == find_milestones(str(home / "unet")) == inside
    (home / "net.safetensors").touch()
    assert find_milestones(str(home / "net.safetensors")) == inside
    assert find_milestones("owner/name") is None and find_milestones(str(tmp_path)) is None
    assert find_milestones(str(tmp_path), str(inside)) == inside
    assert count_milestones(str(home)) == 3
    assert count_milestones(str(tmp_path)) == count_milestones(str(home), "gone") == 0


@pytest.mark.parametrize(("backbone", "loaded"), [("", ""), ("unet", "unet"), ("net.safetensors", "net.safetensors")])
def test_each_has_the_layout_of_the_backbone(home, backbone, loaded):
    if backbone.endswith(".safetensors"):
        for folder in (home, *(home / "milestones").iterdir()):
            (folder / backbone).touch()
    kept, last = read_milestones(str(home / backbone))
    assert [each.step for each in kept] == [0, 1, 16] and last == 64
    assert kept[2].folder == home / "milestones" / "000016" and kept[2].place == kept[2].folder / loaded


def test_a_folder_elsewhere_holds_files_called_as_the_backbone(home, tmp_path):
    (home / "milestones").rename(tmp_path / "way")
    for folder in (home, tmp_path / "way" / "000000"):
        (folder / "net.pt").touch()
    kept, last = read_milestones(str(home / "net.pt"), str(tmp_path / "way"))
    assert kept[0].place == tmp_path / "way" / "000000" / "net.pt" and last == 64
    assert read_milestones(str(home), str(tmp_path / "way"))[0][0].place == tmp_path / "way" / "000000"


def wrong(home, *, rename=(), make=(), record=None):
    for old, new in rename:
        (home / "milestones" / old).rename(home / "milestones" / new)
    for name in make:
        (home / "milestones" / name).mkdir()
    if record is not None:
        (home / "training.json").write_text(record)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"make": ["best"]}, "milestones/best is not called by a number of steps, such as 000064"),
        ({"make": ["-1"]}, "milestones/-1 is not called by a number of steps"),
        ({"make": ["²"]}, "is not called by a number of steps"),
        ({"make": ["01"]}, "000001 and .*milestones/01 are both of step 1"),
        ({"rename": [("000000", "000002")]}, "has no folder 000000 with the first weights"),
        ({"make": ["000064"]}, "milestones/000064 is no earlier than the backbone itself, of 64 steps"),
        ({"record": "{}"}, r'training.json does not say .* holds \{"steps": 2500\}'),
        ({"record": '{"steps": "64"}'}, "training.json does not say"),
        ({"record": '{"steps": 0}'}, "training.json does not say"),
        ({"record": "[" * 100_000}, "training.json does not say"),
    ],
)
def test_what_is_wrong_is_named(home, changes, says):
    wrong(home, **changes)
    with pytest.raises(SpecError, match=says):
        read_milestones(str(home))


def test_hidden_folders_and_files_are_none(home):
    (home / "milestones" / ".git").mkdir()
    (home / "milestones" / "README").touch()
    assert len(read_milestones(str(home))[0]) == count_milestones(str(home)) == 3


def test_a_backbone_without_any_and_a_folder_that_is_not_there(home, tmp_path):
    with pytest.raises(SpecError, match=r"has no milestones.*`cfs-explore train` with `milestones: true` keeps them"):
        read_milestones(str(tmp_path))
    with pytest.raises(SpecError, match=r"backbone\.milestones: there is no folder .*gone"):
        read_milestones(str(home), str(tmp_path / "gone"))


def test_the_spec_names_their_folder_and_its_relative_path_starts_at_the_spec(home, tmp_path):
    spec = (
        "name: a\nbackbone: {path: net, milestones: net/milestones}\nid: {run: digits}\nood: [{name: b, source: c}]\n"
    )
    (tmp_path / "spec.yaml").write_text(spec)
    backbone = RunSpec.parse(tmp_path / "spec.yaml").backbone
    assert backbone.milestones == str(home / "milestones")
    assert "milestones" not in backbone.options()


def test_a_folder_that_may_not_be_read_is_named(home, monkeypatch):
    def refused(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refused)
    with pytest.raises(SpecError, match=r"milestones cannot be read \(Permission denied\)\. Make it readable"):
        read_milestones(str(home))
    assert count_milestones(str(home)) == 0
