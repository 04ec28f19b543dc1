"""docs/inputs.md keeps to the code: its examples are understood, and it names every option and every set."""

import re
from pathlib import Path

import yaml

from cfs_explore.images import TORCHVISION_SETS
from cfs_explore.images.reference import KINDS, read_reference
from cfs_explore.images.tarball import TAR_EXTENSIONS
from cfs_explore.spec import RunSpec

TEXT = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text(encoding="utf-8")


def test_its_spec_is_a_spec():
    sets = yaml.safe_load(re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL).group(1))
    spec = RunSpec.parse({"name": "a", "backbone": "b/c", "id": {"run": "digits"}, **sets})
    assert len([read_reference(s.source) for s in spec.ood if isinstance(s.source, dict)]) == 4


def test_its_parts_are_those_of_a_spec():
    text = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1]
    spec = RunSpec.parse({"name": "a", "backbone": "b/c", **yaml.safe_load(text)})
    assert [s.half for s in (spec.id.train, spec.id.test)] == ["first", "second"]
    assert spec.fitting(spec.ood[0]) == {"policy": "crop", "filter": "bicubic"} and spec.ood[0].centre_crop == 140
    assert spec.fitting(spec.ood[1]) == {"policy": "squash", "filter": "bilinear"}


def test_every_mapping_in_it_is_understood():
    mappings = [yaml.safe_load(text) for text in re.findall(r"`(\{\w+: .*?\})`", TEXT)]
    assert len(mappings) >= 7
    assert {read_reference(mapping).kind for mapping in mappings} == {"builtin", *KINDS}


def test_every_option_and_name_is_documented():
    for word in {*KINDS, *sum(KINDS.values(), ()), *TORCHVISION_SETS}:
        assert re.search(rf"\b{word}\b", TEXT), word
    assert [e for e in TAR_EXTENSIONS if f"`{e}`" not in TEXT] == [".tzst", ".tbz2", ".tar.xz", ".txz"]
