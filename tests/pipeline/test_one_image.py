"""An OOD set of one picture, or of a few: its rows say why they are missing, all else stands, in every command."""

from dataclasses import replace

import pytest

from cfs_explore.cli import main
from cfs_explore.diagnostics import ScoreError
from cfs_explore.figures.catalogue import KINDS, make_figures
from cfs_explore.figures.choices import choose
from cfs_explore.figures.claims import CLAIMS, claims_table
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore

#: Pictures of the small sets; the last is large enough for everything.
COUNTS = (1, 2, 3, 24)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    spec = {
        "name": "one image",
        "backbone": str(BUNDLES / "digits" / "backbone"),
        "id": {"run": str(BUNDLES / "digits")},
        "ood": [{"name": f"of {n}", "source": {"builtin": "letters", "n": 24, "side": 16}, "limit": n} for n in COUNTS],
        "levels": [-2, 1, 4, 6],
        "draws": 1,
    }
    return explore(spec, tmp_path_factory.mktemp("one") / "run", device="cpu")


def test_the_rows_of_a_small_set_say_why(run):
    table = claims_table(run).set_index(["ood", "claim"])
    alone = table.loc["of 1"]
    assert (alone["verdict"] == "missing").all() and len(alone) == len(CLAIMS) - 1
    assert alone["note"].str.contains("too few images to judge: 421 ID, 1 OOD").all()
    measured = [claim for claim in CLAIMS if claim not in ("stable", "trained", "beyond statistics", "no trajectory")]
    assert (table.loc["of 24"].loc[measured, "verdict"] != "missing").all()


@pytest.mark.parametrize("count", COUNTS)
def test_every_figure_is_there_or_says_why(run, count):
    figures, missing = make_figures(run, choices=choose(run, ood=f"of {count}"))
    assert "map-heatmap" in figures and "map-heatmap" not in missing


def test_a_figure_that_needs_more_images_says_so_beside_the_others(run, monkeypatch):
    def refuse(*_):
        raise ScoreError("Halves need 4 images of each class. Got 421 and 1 instead.")

    monkeypatch.setitem(KINDS, "map-roc", replace(KINDS["map-roc"], make=refuse))
    figures, missing = make_figures(run, ["map"], choose(run, ood="of 1"))
    assert "map-heatmap" in figures and "Got 421 and 1" in missing["map-roc"]


@pytest.mark.parametrize(
    "command",
    [["claims"], ["report", "--out", "report.html"], ["protocol", "--ood", "of 1"], ["export", "all.zip"]],
    ids=lambda command: command[0],
)
def test_commands_end_well(run, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main([command[0], str(run.path), *command[1:]])
    assert "of 1" in capsys.readouterr().out or command[0] in ("report", "export")
