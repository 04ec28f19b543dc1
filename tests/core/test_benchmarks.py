"""Presets of published benchmarks: their lists, specs that open where the images are, and errors where they are not."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cfs_explore.cli import main
from cfs_explore.contracts import SET_GROUPS
from cfs_explore.errors import SpecError
from cfs_explore.images import open_source
from cfs_explore.spec import RunSpec
from cfs_explore.spec.benchmark_spec import benchmark_spec, other_sizes
from cfs_explore.spec.benchmarks import BENCHMARKS
from cfs_explore.spec.run import ImageSet

OPENOOD = [name for name, each in BENCHMARKS.items() if each.kind == "openood"]


def lay_out(name: str, data: Path, images: int = 2) -> Path:
    """OpenOOD's folder of a benchmark, with so many tiny images in every list."""
    benchmark = BENCHMARKS[name]
    for k, part in enumerate([benchmark.train, benchmark.test, *benchmark.ood]):
        folder, _, rest = part.source.partition("/")
        imglist = data / "benchmark_imglist" / rest
        imglist.parent.mkdir(parents=True, exist_ok=True)
        home = data / folder / f"set{k}"
        home.mkdir(parents=True)
        for i in range(images):
            pixels = np.random.default_rng([k, i]).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(home / f"{i}.png")
        imglist.write_text("".join(f"set{k}/{i}.png -1\n" for i in range(images)))
    return data


@pytest.mark.parametrize("name", OPENOOD)
def test_a_spec_of_openood_opens_its_lists(name, tmp_path):
    spec = benchmark_spec(name, lay_out(name, tmp_path), "owner/net", groups=SET_GROUPS, limit=2)
    assert RunSpec.parse(yaml.safe_load(spec.to_yaml())) == spec
    assert [each.name for each in spec.ood] == [part.name for part in BENCHMARKS[name].ood]
    ids = set()
    for each in (spec.id.train, spec.id.test, *spec.ood):
        with open_source(each.source) as source:
            assert len(source) == 2 and each.limit == 2
            ids |= {source.read(i).image_id for i in range(2)}
    assert len(ids) == 2 * (2 + len(spec.ood))  # every set has its own list and its own images


@pytest.mark.parametrize("name", OPENOOD)
def test_near_and_far_are_chosen_by_name(name, tmp_path):
    data = lay_out(name, tmp_path)
    for group in ("near", "far"):
        spec = benchmark_spec(name, data, "owner/net", groups=[group])
        assert [each.name for each in spec.ood] == [part.name for part in BENCHMARKS[name].ood if part.group == group]
        assert all(each.description.lower().startswith(f"{group} ood") for each in spec.ood)
    assert not {part.name for part in BENCHMARKS[name].ood if part.group == "covariate"} & {
        each.name for each in benchmark_spec(name, data, "owner/net").ood
    }


def test_what_is_not_there_is_named_with_where_to_get_it(tmp_path):
    data = lay_out("openood-cifar10", tmp_path)
    (data / "benchmark_imglist" / "cifar10" / "test_tin.txt").unlink()
    (data / "benchmark_imglist" / "cifar10" / "test_svhn.txt").write_text("elsewhere/0.png -1\n")
    with pytest.raises(SpecError) as refused:
        benchmark_spec("openood-cifar10", data, "owner/net")
    assert f"Tiny ImageNet: {data / 'benchmark_imglist/cifar10/test_tin.txt'}" in str(refused.value)
    assert f"SVHN: {data / 'images_classic/elsewhere'}" in str(refused.value)
    assert "MNIST" not in str(refused.value) and "scripts/download/download.py" in str(refused.value)


def test_lists_of_another_size_are_told(tmp_path):
    data = lay_out("openood-imagenet", tmp_path)
    told = other_sizes("openood-imagenet", benchmark_spec("openood-imagenet", data, "owner/net"))
    assert "NINCO: 2 images in the list; the published one has 5,879." in told and len(told) == 5


def test_the_papers_settings_are_torchvisions_sets(tmp_path):
    spec = benchmark_spec("paper-svhn", tmp_path, "owner/net", download=True)
    assert [each.source["torchvision"] for each in spec.ood] == ["CIFAR10", "CIFAR100", "CelebA", "DTD"]
    assert [each.centre_crop for each in spec.ood] == [None, None, 140, None]
    assert spec.fitting(spec.ood[0]) == {"policy": "squash", "filter": "bilinear"}
    assert {each.source["root"] for each in spec.ood} == {str(tmp_path)}
    own = BENCHMARKS["paper-celeba"]
    assert (own.train.centre_crop, own.test.name) == (140, "CelebA")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "openood-mnist"}, "no preset 'openood-mnist'. Presets: openood-cifar10, "),
        ({"groups": ["closer"]}, "no group 'closer' of OOD sets; allowed are near, far, covariate"),
        ({"name": "openood-cifar100", "groups": ["covariate"]}, "has no OOD set of covariate"),
    ],
)
def test_mistakes(change, words, tmp_path):
    given = {"name": "openood-cifar10", "groups": ("near", "far")} | change
    with pytest.raises(SpecError, match=words):
        benchmark_spec(given["name"], tmp_path, "owner/net", groups=given["groups"])


def test_the_group_is_written_where_specs_have_a_field_for_it(tmp_path):
    spec = benchmark_spec("openood-cifar10", lay_out("openood-cifar10", tmp_path), "owner/net", groups=SET_GROUPS)
    groups = [getattr(each, "set_group", None) for each in spec.ood]
    has_field = "set_group" in ImageSet.model_fields
    assert groups == [part.group if has_field else None for part in BENCHMARKS["openood-cifar10"].ood]


def test_the_command_writes_a_spec_and_lists_the_benchmarks(tmp_path, capsys):
    data, out = lay_out("openood-cifar100", tmp_path / "data"), tmp_path / "spec.yaml"
    main(["preset", "openood-cifar100", "--data", str(data), "--backbone", "owner/net", "--out", str(out)])
    assert RunSpec.parse(out) == benchmark_spec("openood-cifar100", data, "owner/net")
    assert "note: CIFAR-10: 2 images in the list; the published one has 9,000." in capsys.readouterr().err
    written = out.read_bytes()
    with pytest.raises(SystemExit):
        main(["preset", "openood-cifar10", "--data", str(data), "--backbone", "owner/net", "--out", str(out)])
    assert "spec.yaml is there already. Give another --out" in capsys.readouterr().err and out.read_bytes() == written
    main(["preset", "--list"])
    text = capsys.readouterr().out
    assert "  near: CIFAR-10, Tiny ImageNet\n  far: MNIST, SVHN, Textures, Places365\n" in text
    assert all(f"{name}: " in text for name in BENCHMARKS)


def test_the_command_says_what_it_lacks(tmp_path, capsys):
    for arguments, words in (
        (["preset"], "Give the name of a benchmark (--list names them), --data, --backbone."),
        (
            ["preset", "paper-cifar10", "--data", str(tmp_path), "--backbone", "x"],
            "does not hold torchvision's CIFAR10",
        ),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2 and words in capsys.readouterr().err


@pytest.mark.parametrize("name", OPENOOD)
def test_the_lists_are_those_of_pytorch_ood(name):
    """An implementation of its own of the same benchmarks: the same lists, in the same groups."""
    theirs = pytest.importorskip(
        "pytorch_ood.benchmark.img.openood", reason="pytorch-ood is not installed, or has no OpenOOD v1.5 by lists"
    )
    of = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "imagenet200": "ImageNet200", "imagenet": "ImageNet"}
    short = name.removeprefix("openood-")
    other, mine = getattr(theirs, f"{of[short]}_OpenOOD"), BENCHMARKS[name]
    files = {title: f"{other._subdir}/{file}" for title, file in other._ood_imglists}
    for group, titles in (("near", other._near_ood), ("far", other._far_ood)):
        found = [part.source.partition("/")[2] for part in mine.ood if part.group == group]
        assert found == [files[title] for title in titles]
    for part, file in ((mine.train, other._train_imglist), (mine.test, other._test_id_imglist)):
        assert part.source.partition("/")[2] == f"{other._subdir}/{file}"


def test_the_documented_sets_are_these():
    text = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text()
    for name, each in BENCHMARKS.items():
        groups = SET_GROUPS if each.kind == "openood" else (None,)
        cells = [", ".join(part.name for part in each.ood if part.group == group) for group in groups]
        assert re.sub(" +", " ", f"| `{name}` | {each.test.name} | {' | '.join(cells)} |") in text
