"""Mutated run descriptions, manifests and statuses: each is read, or refused by a clear error; nothing else happens."""

import json
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from watch import watched

from cfs_explore import jobs
from cfs_explore.errors import CFSError, RunError, SpecError
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import Manifest, open_run

SPEC = (BUNDLES / "digits" / "spec.yaml").read_text()
MANIFEST = json.loads((BUNDLES / "digits-narrow" / "manifest.json").read_text())
FUZZ = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


@st.composite
def mutated_text(draw, text: str) -> str:
    """The text with up to four pieces cut out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(text) - 1)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(
            st.sampled_from(["", text[start:end] * 2]) | st.text(string.printable + "é\x00\u202e", max_size=20)
        )
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def mutated_tree(draw, tree):
    """The nested dicts and lists with one value or key changed somewhere."""
    if isinstance(tree, dict) and tree and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(tree)))
        if draw(st.integers(0, 9)) == 0:
            return {k: v for k, v in tree.items() if k != key} | {draw(st.text(max_size=8)): tree[key]}
        return tree | {key: draw(mutated_tree(tree[key]))}
    if isinstance(tree, list) and tree and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(tree) - 1))
        return [*tree[:place], draw(mutated_tree(tree[place])), *tree[place + 1 :]]
    return draw(values)


@FUZZ
@given(text=mutated_text(SPEC))
def test_specs_as_text(text, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        with watched(tmp_path):
            spec = RunSpec.parse(path)
    except CFSError as error:
        text = str(error)
    else:
        text = "spec.yaml"
        assert RunSpec.parse(yaml.safe_load(spec.to_yaml())) == spec
    assert "spec.yaml" in text


@FUZZ
@given(content=mutated_tree(yaml.safe_load(SPEC)))
def test_specs_as_values(content):
    if isinstance(content, dict):
        try:
            spec = RunSpec.parse(content)
        except SpecError:
            return
        assert spec.lams and spec.ood


@pytest.mark.parametrize(
    "text",
    [
        "name: !!python/object/apply:os.system ['touch {marker}']",
        "!!python/object/new:subprocess.Popen [['touch', '{marker}']]",
        "name: !!python/name:os.system",
        "name: !custom {{a: 1}}",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: *b",
        "- just\n- a list",
        "name: 2001-01-01\nbackbone: {{path: [1]}}",
        "{{[1, 2]: 3}}",
        "? {{a: 1}}\n: 2",
        "1: 2",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "x" * 10,
        "[" * 3000,
        "\x00",
    ],
)
def test_hostile_yaml_runs_nothing(tmp_path, text):
    marker = tmp_path / "ran"
    path = tmp_path / "spec.yaml"
    path.write_text(text.format(marker=marker) if "{marker}" in text else text.replace("{{", "{").replace("}}", "}"))
    with watched(tmp_path), pytest.raises(SpecError, match=r"spec\.yaml"):
        RunSpec.parse(path)
    assert not marker.exists()


@FUZZ
@given(content=mutated_tree(MANIFEST))
@example(content=MANIFEST | {"levels": [{}]})
@example(content=MANIFEST | {"taps": [{"name": 1}]})
@example(content=MANIFEST | {"taps": [MANIFEST["taps"][0] | {"": 1}]})
@example(content=MANIFEST | {"levels": [MANIFEST["levels"][0] | {"other": 1.0}]})
def test_manifests(content, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    try:
        with watched(tmp_path):
            run = open_run(tmp_path)
    except RunError:
        return
    assert isinstance(run.manifest, Manifest)
    assert len(run.levels) == len(content["levels"]) and repr(run)


@FUZZ
@given(
    text=mutated_text(json.dumps({"state": "running", "pid": 1, "started": 5.0, "done": 3, "total": 9, "eta": None}))
)
def test_statuses(text, tmp_path):
    (tmp_path / "status.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    status = jobs.read_status(Path(tmp_path))
    assert status is None or status.state in ("running", "failed")


@pytest.mark.parametrize(
    "line",
    [
        "levels: [.nan]",
        "levels: [5.0, .inf]",
        "levels: {high: .inf, low: 0, count: 3}",
        "levels: {high: 5, low: 0, count: 3, grid: 1000000000000}",
        "levels: {high: 5, low: 0, count: 1000000, grid: 1000000}",
        "keep_level: .inf",
        "conditioning_offset: .nan",
    ],
)
def test_no_level_is_nan_infinite_or_one_of_a_million(tmp_path, line):
    content = {k: v for k, v in yaml.safe_load(SPEC).items() if not line.startswith(f"{k}:")}
    path = tmp_path / "spec.yaml"
    path.write_text(f"{yaml.safe_dump(content)}\n{line}\n")
    with pytest.raises(SpecError, match=rf"spec\.yaml.*{line.partition(':')[0]}"):
        RunSpec.parse(path)


def test_options_of_a_source_are_numbers(tmp_path):
    path, content = tmp_path / "spec.yaml", yaml.safe_load(SPEC)
    content["ood"][0]["source"] = {"builtin": "letters", "n": float("inf")}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SpecError, match=r"spec\.yaml.*ood\.0\.source"):
        RunSpec.parse(path)


def test_half_a_character_is_reported(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC + '\ndescription: "\\uD800"\n')
    with pytest.raises(SpecError, match=r"spec\.yaml"):
        RunSpec.parse(path)
