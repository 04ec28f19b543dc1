"""The look from the command line: a table to read, data to process, the warnings of a run before the run."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from cfs_explore.cli import main
from cfs_explore.diagnostics import CONSEQUENCE
from cfs_explore.errors import SourceError
from cfs_explore.reports.image_set import as_text, facts, parse_source, write_sheet


@pytest.fixture
def two_sets(tmp_path):
    """30 grey PNG of 8 x 8 as ID; as OOD 20 JPEG of 9 x 8 in colour, two ID images and a repeated one as PNG."""
    rng = np.random.default_rng(0)
    for name in ("id", "ood"):
        (tmp_path / name).mkdir()
    grey = rng.integers(0, 256, (31, 8, 8), np.uint8)
    for i in range(30):
        Image.fromarray(grey[i]).save(tmp_path / "id" / f"{i:02d}.png")
    for i in range(20):
        Image.fromarray(rng.integers(0, 256, (8, 9, 3), np.uint8)).save(tmp_path / "ood" / f"{i:02d}.jpg")
    for name, i in (("leak-a", 3), ("leak-b", 21), ("one", 30), ("two", 30)):
        Image.fromarray(grey[i]).save(tmp_path / "ood" / f"{name}.png")
    return str(tmp_path / "ood"), str(tmp_path / "id")


def test_a_set_against_the_id_set(two_sets):
    found = json.loads(json.dumps(facts(*two_sets)))  # plain data
    assert (found["set"]["total"], found["id"]["total"]) == (24, 30)
    assert found["overlap"] == [["leak-a.png", "03.png"], ["leak-b.png", "21.png"]]
    assert found["set"]["duplicates"] == [["one.png", "two.png"]]
    overlap, difference = found["warnings"]
    assert overlap.startswith("ood: 2 of 24 images are also in the ID set")
    assert difference == (
        "ood differs from the ID set in codec (83 % JPEG; ID: all PNG), native size (83 % 9x8; ID: all 8x8), "
        f"colour (83 % colour; ID: all grey): {CONSEQUENCE}"
    )
    text = as_text(found)
    assert "Native size" in text and "83 % 9x8, 17 % 8x8" in text and "twice: one.png = two.png" in text
    assert "also in the ID set: leak-a.png = 03.png" in text and f"warning: {difference}" in text


def test_a_set_alone(two_sets):
    found = facts(two_sets[1])
    assert found["id"] is None and found["overlap"] == found["warnings"] == []
    assert as_text(found).splitlines()[1].split() == ["Images", "30"]


def test_what_spoils_a_set_is_said_of_it_alone(two_sets, tmp_path):
    (tmp_path / "one").mkdir()
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(tmp_path / "one" / "a.png")
    warnings = facts(str(tmp_path / "one"), two_sets[1])["warnings"]
    assert [text[:30] for text in warnings] == ["A single picture: the map can ", "Every picture is of one flat c"]


def test_a_sample_of_each(two_sets):
    steps = []
    found = facts(*two_sets, sample=10, seed=1, progress=lambda done, total: steps.append((done, total)))
    assert [found[part]["looked_at"] for part in ("set", "id")] == [10, 10]
    assert found["set"]["summary"]["Images"] == "10 of 24, drawn at random"
    assert steps == [(i, 10) for i in range(1, 11)] * 2


def test_a_sheet_is_written(two_sets, tmp_path):
    write_sheet(two_sets[0], tmp_path / "sheet.png")
    assert Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())).width > 300
    write_sheet(two_sets[0], tmp_path / "nowhere" / "sheet.png")
    assert (tmp_path / "nowhere" / "sheet.png").read_bytes() == (tmp_path / "sheet.png").read_bytes()


def test_the_command_prints_and_writes(two_sets, tmp_path, capsys):
    ood, known = two_sets
    main(["survey", ood, "--against", known, "--sample", "20"])
    expected = facts(ood, known, sample=20)
    assert capsys.readouterr().out.rstrip() == as_text(expected)
    main(["survey", ood, "--json", "--sheet", str(tmp_path / "sheet.png")])
    assert json.loads(capsys.readouterr().out)["set"]["duplicates"] == [["one.png", "two.png"]]
    assert (tmp_path / "sheet.png").is_file()


@pytest.mark.parametrize("wrong", [{"sample": 0}, {"sample": -3}, {"seed": -1}])
def test_impossible_samples(two_sets, wrong):
    with pytest.raises(SourceError, match="allowed are a sample from 1 on"):
        facts(two_sets[0], **wrong)


def test_sources_on_the_command_line():
    assert parse_source("textures.zip") == "textures.zip"
    assert parse_source("{builtin: letters, n: 9}") == {"builtin": "letters", "n": 9}
    with pytest.raises(SourceError, match="no mapping in YAML"):
        parse_source("{builtin: ")
    assert facts(parse_source("{builtin: letters, n: 9}"))["set"]["total"] == 9
