"""The zip of flagged images with their maps: names that are safe everywhere, and the command that writes it."""

import io
import re
import zipfile

import numpy as np
import pytest

from cfs_explore.cli import main
from cfs_explore.figures.choices import choose
from cfs_explore.figures.image_where import Looked
from cfs_explore.figures.triage import find, scoring_cells
from cfs_explore.probe.inputs import ProbeImage
from cfs_explore.probe.network import Probe
from cfs_explore.probe.where import Where
from cfs_explore.reports import flagged_maps

HOSTILE = (
    "../../etc/passwd",
    "C:\\x\\y.png",
    ".hidden",
    "",
    "…",
    "a" * 300,
    "new\nline",
    "nul\x00",
    "<b>",
    "ünï",
    "CON.",
)


def test_whatever_images_are_called_the_names_in_the_zip_are_safe(digits, letters):
    found, cells = find(digits, letters), scoring_cells(digits, letters)
    generator = np.random.default_rng(0)
    looked = [
        Looked(
            ProbeImage(f"{k:016x}", generator.integers(0, 255, (1, 16, 16), dtype=np.uint8), name),
            Where(generator.normal(size=(2, 8, 8)).astype(np.float32), 1.0),
        )
        for k, name in enumerate(HOSTILE)
    ]
    content = flagged_maps.maps_zip(digits, found, cells, looked, len(looked))
    assert content == flagged_maps.maps_zip(digits, found, cells, looked, len(looked))
    archive = zipfile.ZipFile(io.BytesIO(content))
    names = archive.namelist()
    assert len(names) == len(set(map(str.lower, names))) == len(HOSTILE) + 2 and archive.testzip() is None
    assert all(re.fullmatch(r"\d{3}-[A-Za-z0-9][A-Za-z0-9._-]{0,59}-[0-9a-f]{8}\.png", name) for name in names[:-2])
    with np.load(io.BytesIO(archive.read("maps.npz")), allow_pickle=False) as arrays:
        assert arrays["name"].tolist() == [name.rstrip("\x00") for name in HOSTILE]
    assert "Not in here" not in archive.read("about.txt").decode()


def test_the_command_writes_the_highest_scores(digits, tmp_path, capsys):
    out = tmp_path / "new" / "flagged.zip"
    given = ["--ood", "letters", "--detector", "CFS-dec(1x1)", "--set", "triage_rate=2"]
    main(["triage", "digits", *given, "--most", "5", "--out", str(out)])
    choices = choose(digits, ood="letters", detector=["CFS-dec(1x1)"], options={"triage_rate": "2"})
    rows = flagged_maps.flagged(find(digits, choices))
    assert f"(5 of {len(rows)} flagged images)" in capsys.readouterr().out
    ids = digits.images("ood", "letters")["image_id"].to_numpy()
    scores = digits.scores("ood", "letters").mean(axis=1)
    ((level, tap),) = [digits.cell(cell) for cell in scoring_cells(digits, choices)]
    with np.load(io.BytesIO(zipfile.ZipFile(out).read("maps.npz"))) as arrays:
        assert arrays["image_id"].tolist() == ids[rows[:5]].tolist()
        np.testing.assert_allclose(arrays["slot_score"], scores[rows[:5], level, tap], rtol=1e-4)
        np.testing.assert_allclose(arrays["score"].mean(axis=(1, 2)), arrays["slot_score"], rtol=1e-4)


def test_maps_of_one_position_are_not_written(digits, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Probe, "where", lambda *_: Where(np.full((2, 1, 1), 1.5, np.float32), 1.5))
    with pytest.raises(SystemExit):
        main(["triage", "digits", "--ood", "letters", "--out", str(tmp_path / "x.zip")])
    assert "there is nothing to localise. Its slot score is 1.50" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--detector", "msma"], "msma is no mean of cells: it has no maps"),
        (["--most", "201"], "--most takes a whole number from 1 to 200"),
        (["--set", "where_part=score"], "They have: triage_rate, triage_by"),
        (["--set", "triage_rate"], "--set takes NAME=VALUE"),
        (["--ood", "blurred", "--set", "triage_rate=0.1"], "No image of blurred is flagged"),
    ],
)
def test_what_cannot_be_written_says_why(given, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["triage", "digits", *given, "--out", str(tmp_path / "x.zip")])
    assert stopped.value.code == 2 and message in capsys.readouterr().err and not list(tmp_path.iterdir())
