"""The run description: one meaning from page, command line and Python; every mistake named by its field."""

import math

import pytest
import yaml

from cfs_explore.errors import CFSError, SpecError
from cfs_explore.levels import DEFAULT_LAMS
from cfs_explore.reports import image_set
from cfs_explore.spec import RunSpec
from cfs_explore.studies import DIAGNOSTICS, STANDARD, WORDS, Counts

MINIMAL = {
    "name": "a run",
    "backbone": "google/ddpm",
    "id": {"train": {"name": "cats", "source": "cats.zip"}},
    "ood": [{"name": "dogs", "source": {"builtin": "letters", "n": 20}}],
}
FULL = MINIMAL | {
    "backbone": {"path": "net", "family": "unet2d", "schedule": "ddpm-linear-1000"},
    "id": {"run": "digits"},
    "levels": {"high": 8, "low": -4, "count": 5, "grid": 50},
    "alignment": "uniform_t",
    "draws": 5,
    "taps": ["conv_in", "conv_act"],
    "keep": "none",
    "keep_level": 3,
    "seed": 9,
    "resize": "pad",
    "filter": "bilinear",
    "precision": "bf16",
    "batch_size": 16,
    "shard_size": 100,
    "description": "Größe: null",
    "ood": [
        {
            "name": "faces",
            "source": {"torchvision": "CelebA"},
            "centre_crop": 140,
            "resize": "squash",
            "filter": "bicubic",
        },
        {"name": "half", "source": "list.txt", "half": "second", "half_seed": 3, "limit": 9},
    ],
}


def one_set(**changes) -> dict:
    return {"ood": [{"name": "faces", "source": "faces.zip"} | changes]}


def test_a_set_is_resized_in_its_own_way_or_as_the_run_is():
    plain, full = RunSpec.parse(MINIMAL), RunSpec.parse(FULL)
    assert plain.fitting(plain.ood[0]) == plain.fitting(None) == {"policy": "crop", "filter": "bicubic"}
    assert full.fitting(full.ood[0]) == {"policy": "squash", "filter": "bicubic"}
    assert full.fitting(full.ood[1]) == {"policy": "pad", "filter": "bilinear"}
    assert full.ood[1].part() == {"half": "second", "half_seed": 3, "centre_crop": None}


def test_defaults():
    spec = RunSpec.parse(MINIMAL)
    assert spec.lams == list(DEFAULT_LAMS) and spec.draws == 1 and spec.taps == "all" and spec.keep == "sparse_ed"
    assert spec.backbone.path == "google/ddpm"


@pytest.mark.parametrize(
    ("asked", "stages"),
    [
        ({}, list(STANDARD)),
        ({"diagnostics": "standard"}, list(STANDARD)),
        ({"diagnostics": "map"}, []),
        ({"diagnostics": []}, []),
        ({"diagnostics": "all"}, list(DIAGNOSTICS)),
        ({"diagnostics": ["levels", "separation"]}, ["separation", "levels"]),
    ],
)
def test_diagnostics_by_a_word_or_by_their_names(asked, stages):
    assert RunSpec.parse(MINIMAL | asked).stages == stages


def test_the_standard_diagnostics_need_no_forwards():
    counts = Counts(1000, 500, (300, 200), 8, 5, highest=9.0, milestones=3)
    assert {name for name, stage in DIAGNOSTICS.items() if stage.forwards(counts) == 0} == set(WORDS["standard"])


@pytest.mark.parametrize("content", [MINIMAL, FULL])
def test_survives_yaml(tmp_path, content):
    spec = RunSpec.parse(content)
    (tmp_path / "spec.yaml").write_text(spec.to_yaml(), encoding="utf-8")
    assert RunSpec.parse(tmp_path / "spec.yaml") == spec
    assert RunSpec.parse(spec) is spec


def test_levels_from_clean_to_noisy_each_once():
    assert RunSpec.parse(MINIMAL | {"levels": [1, 5, -3, 5.0]}).lams == [5, 1, -3]
    lams = RunSpec.parse(FULL).lams
    assert (lams[0], lams[-1], len(lams)) == (8, -4, 5) and lams == sorted(lams, reverse=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: unknown field"),
        ({"ood": [{"name": "a", "source": "b", "size": 3}]}, r"ood\.0\.size: unknown field"),
        ({"diagnostics": "most"}, "'map', 'standard' or 'all'"),
        ({"draws": "many"}, r"draws: .*integer.*got 'many'"),
        ({"draws": 0}, r"draws: .*greater than or equal to 1, got 0"),
        ({"levels": "all"}, r"levels.*got 'all'"),
        ({"levels": []}, "levels: give at least one log-SNR"),
        ({"levels": {"high": 1, "low": 2, "count": 3}}, "a range needs high > low"),
        ({"alignment": "psnr"}, r"alignment: .*'logsnr', 'uniform_t'"),
        ({"resize": "stretch"}, r"resize: .*'crop', 'squash' or 'pad'"),
        ({"filter": "lanczos"}, r"filter: .*'bicubic' or 'bilinear', got 'lanczos'"),
        (one_set(resize="zoom"), r"ood\.0\.resize: .*'crop', 'squash' or 'pad', got 'zoom' \(set 'faces'\)"),
        (one_set(filter="box"), r"ood\.0\.filter: .*'bicubic' or 'bilinear', got 'box' \(set 'faces'\)"),
        (one_set(centre_crop=0), r"ood\.0\.centre_crop: .*greater than 0, got 0 \(set 'faces'\)"),
        (one_set(centre_crop=1.5), r"ood\.0\.centre_crop: .*integer.*\(set 'faces'\)"),
        (one_set(half="third"), r"ood\.0\.half: .*'first' or 'second', got 'third' \(set 'faces'\)"),
        (one_set(half_seed=-1), r"ood\.0\.half_seed: .*greater than or equal to 0, got -1 \(set 'faces'\)"),
        (one_set(center_crop=140), r"ood\.0\.center_crop: unknown field; check its spelling \(set 'faces'\)"),
        ({"id": {"train": {"name": "b", "source": "c", "half": 1}}}, r"id\.train\.half: .* \(set 'b'\)"),
        ({"precision": "fp8"}, r"precision: .*'auto', 'fp32' or 'bf16'"),
        ({"ood": []}, r"ood: .*at least 1 item"),
        ({"ood": [{"name": "x", "source": "a"}] * 2}, "two sets are called x"),
        ({"ood": [{"name": "../x", "source": "a"}]}, r"ood\.0\.name"),
        ({"ood": [{"name": "x"}]}, r"ood\.0\.source"),
        ({"ood": {"name": "x"}}, r"ood: .*list"),
        ({"id": {}}, "id: give either `run` .* or `train`"),
        ({"id": {"run": "a", "train": {"name": "b", "source": "c"}}}, "not both"),
        ({"id": {"train": {"name": "b", "source": "c"}, "test_fraction": 1.0}}, r"id\.test_fraction: .*less than 1"),
        ({"backbone": {"family": "unet2d"}}, r"backbone\.path"),
        ({"backbone": 3}, "backbone"),
        ({"name": ""}, "name"),
        ({"batch_size": -4}, r"batch_size: .*greater than 0, got -4"),
        ({"conditioning_labels": 3}, r"conditioning_labels: .*list, got 3"),
        ({"conditioning_labels": ["cat"]}, r"conditioning_labels\.0: .*integer, got 'cat'"),
        ({"conditioning_labels": [True]}, r"conditioning_labels\.0: .*integer, got True"),
        ({"conditioning_labels": [-1]}, r"conditioning_labels\.0: .*greater than or equal to 0, got -1"),
        ({"conditioning_labels": [3, 1, 3]}, r"conditioning_labels: has 3 twice; give each once"),
        ({"conditioning_labels": list(range(9))}, r"conditioning_labels: .*at most 8 items"),
        (
            {"conditioning_labels": [1], "conditioning": "published"},
            r"conditioning_labels: needs .*leave `conditioning`",
        ),
        (
            {"conditioning_prompts": ["a"], "conditioning_offset": 1},
            r"conditioning_prompts: needs .*conditioning_offset",
        ),
        ({"conditioning_prompts": "a cat"}, r"conditioning_prompts: .*list, got 'a cat'"),
        ({"conditioning_prompts": [3]}, r"conditioning_prompts\.0: .*string, got 3"),
        ({"conditioning_prompts": [" "]}, r"conditioning_prompts\.0: .*at least 1 character"),
        ({"conditioning_prompts": ["a", " a"]}, r"conditioning_prompts: has 'a' twice"),
        ({"conditioning_prompts": ["a\nb"]}, r"conditioning_prompts\.0: a prompt is one line"),
        ({"conditioning_prompts": ["a" * 201]}, r"conditioning_prompts\.0: .*at most 200 characters"),
        ({"conditioning_prompts": ["a"], "conditioning_labels": [1]}, r"conditioning_prompts: .*not both"),
    ],
)
def test_mistakes_name_the_field_and_what_was_given(changes, message):
    with pytest.raises(SpecError, match=message) as error:
        RunSpec.parse(MINIMAL | changes)
    assert "\n" not in str(error.value)


def test_labels_and_prompts_to_compare_and_what_they_cost():
    assert RunSpec.parse(MINIMAL).conditions == [] and "conditioning" not in RunSpec.parse(MINIMAL).to_yaml()
    assert RunSpec.parse(MINIMAL | {"conditioning_labels": [7, 0]}).conditions == [7, 0]
    spec = RunSpec.parse(MINIMAL | {"conditioning_prompts": [" a cat ", "Größe"]})
    assert spec.conditions == ["a cat", "Größe"] and RunSpec.parse(yaml.safe_load(spec.to_yaml())) == spec
    counts, stage = Counts(1000, 500, (300, 100), 8, 5, highest=9.0), DIAGNOSTICS["conditioning"]
    each = (500 + 150 + 150 + 100) * 8
    assert stage.forwards(counts) == 6 * each and stage.forwards(counts._replace(conditions=3)) == 9 * each


def test_several_mistakes_are_reported_at_once():
    with pytest.raises(SpecError, match=r"draws: .*; colour: unknown field"):
        RunSpec.parse(MINIMAL | {"colour": "red", "draws": -1})


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch pwned']",
        "name: !!python/name:os.system ''",
        "name: [unclosed",
        "- a list",
        "just text",
        "",
    ],
)
def test_yaml_that_is_not_a_spec(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"spec\.yaml (is not readable YAML|must hold `field: value` lines)"):
        RunSpec.parse(tmp_path / "spec.yaml")
    assert not (tmp_path / "pwned").exists()


def test_files_that_are_not_there_or_not_text(tmp_path):
    with pytest.raises(SpecError, match="not readable YAML"):
        RunSpec.parse(tmp_path / "missing.yaml")
    (tmp_path / "spec.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not readable YAML"):
        RunSpec.parse(tmp_path / "spec.yaml")


def test_relative_paths_start_at_the_specs_folder(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home / "net", home / "base", elsewhere):
        folder.mkdir(parents=True)
    (home / "cats.zip").touch()
    (home / "base" / "manifest.json").touch()
    monkeypatch.chdir(elsewhere)
    (home / "spec.yaml").write_text(RunSpec(**MINIMAL | {"backbone": {"path": "net"}}).to_yaml())
    spec = RunSpec.parse("../home/spec.yaml")
    assert spec.backbone.path == str(home / "net") and spec.id.train.source == str(home / "cats.zip")
    (home / "spec.yaml").write_text(RunSpec(**MINIMAL | {"backbone": {"path": "net"}, "id": {"run": "base"}}).to_yaml())
    assert RunSpec.parse(home / "spec.yaml").id.run == str(home / "base")
    monkeypatch.chdir(home)
    assert RunSpec.parse(MINIMAL).id.train.source == str(home / "cats.zip")  # a dict: from the working folder


def test_relative_paths_in_mappings_start_at_the_specs_folder(tmp_path, monkeypatch):
    home = tmp_path / "home"
    for folder in (home / "images", home / "local-set"):
        folder.mkdir(parents=True)
    for name in ("list.txt", "table.csv", "a.png", "b.png"):
        (home / name).touch()
    monkeypatch.chdir(tmp_path)
    sources = [
        {"imglist": "list.txt", "root": "images"},
        {"path": "table.csv", "column": "file"},
        {"files": ["a.png", "b.png", "gone.png"], "labels": ["x", "y", "z"]},
        {"hub": "local-set"},
        {"hub": "owner/name", "split": "test"},
        {"torchvision": "DTD", "root": "images"},
        {"builtin": "letters", "n": 20},
    ]
    sets = [{"name": f"s{i}", "source": source} for i, source in enumerate(sources)]
    (home / "spec.yaml").write_text(RunSpec(**MINIMAL | {"backbone": {"path": "net"}, "ood": sets}).to_yaml())
    assert [s.source for s in RunSpec.parse(home / "spec.yaml").ood] == [
        {"imglist": str(home / "list.txt"), "root": str(home / "images")},
        {"path": str(home / "table.csv"), "column": "file"},
        {"files": [str(home / "a.png"), str(home / "b.png"), "gone.png"], "labels": ["x", "y", "z"]},
        {"hub": str(home / "local-set")},
        *sources[4:5],
        {"torchvision": "DTD", "root": str(home / "images")},
        sources[6],
    ]


def test_a_bundles_name_is_not_mistaken_for_a_folder_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert RunSpec.parse(MINIMAL | {"id": {"run": "digits"}}).id.run == "digits"


@pytest.mark.parametrize("source", ["x" * 5000, "a\0b"])
def test_what_cannot_be_a_path_is_left_for_the_opener_to_refuse(source):
    assert RunSpec.parse(MINIMAL | {"ood": [{"name": "x", "source": source}]}).ood[0].source == source


def test_specs_are_frozen_values():
    spec = RunSpec.parse(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        spec.draws = 3
    assert spec == RunSpec.parse(MINIMAL) and spec != RunSpec.parse(MINIMAL | {"seed": 1})
    assert math.isclose(spec.id.test_fraction, 1 / 3)


def test_dates_in_yaml_are_the_texts_that_they_look_like(tmp_path):
    """Else a folder named by its day cannot be passed on, and 2024-02-30 is an error of the reader's."""
    path = tmp_path / "spec.yaml"
    path.write_text(
        "name: 2024-02-30\nbackbone: {path: 2024-01-01}\nid: {train: {name: a, source: {builtin: digits}}}\n"
        "ood: [{name: 2024-01-01, source: {path: 2001-12-14t21:59:43.10-05:00, key: 2024-01-02}}]\n"
    )
    spec = RunSpec.parse(path)
    assert (spec.name, spec.backbone.path, spec.ood[0].name) == ("2024-02-30", "2024-01-01", "2024-01-01")
    assert spec.ood[0].source == {"path": "2001-12-14t21:59:43.10-05:00", "key": "2024-01-02"}
    path.write_text(spec.to_yaml())
    assert RunSpec.parse(path) == spec


@pytest.mark.parametrize(
    "value",
    [
        "!!timestamp 2024-01-01",
        "!!binary aGk=",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "{1: 2}",
        "{2024-01-01: 2, 3: 4}",
        "{null: 2}",
        "{true: 2}",
        "9" * 5000,
    ],
)
def test_what_json_cannot_hold_is_refused_in_yaml_too(tmp_path, value):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "name: a\nbackbone: {path: b}\nid: {train: {name: a, source: {builtin: digits}}}\n"
        f"ood: [{{name: c, source: {{builtin: letters, x: {value}}}}}]\n"
    )
    with pytest.raises(SpecError, match=r"spec\.yaml is not readable YAML"):
        RunSpec.parse(path)
    with pytest.raises(CFSError, match="YAML"):
        image_set.parse_source(f"{{builtin: letters, x: {value}}}")
