"""A run without its snapshots: smaller, and all its numbers are still there."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore import bundles
from cfs_explore.cli import main
from cfs_explore.errors import RunError
from cfs_explore.store import open_run


def size(folder) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def slim_run(tiny_run, tmp_path, capsys):
    """A copy of the run that the command has worked on, and what it said."""
    shutil.copytree(tiny_run, tmp_path / "copy")
    main(["slim", str(tmp_path / "copy")])
    return tmp_path / "copy", capsys.readouterr().out


def test_it_says_what_it_freed(tiny_run, slim_run):
    path, said = slim_run
    snapshots = size(tiny_run / "snapshots.zarr")
    assert snapshots > 0 and said == f"Freed: {snapshots / 1e6:.1f} MB\n"
    assert size(path) == pytest.approx(size(tiny_run) - snapshots, abs=200)


def test_scores_moments_and_tables_stay(tiny_run, slim_run):
    before, after = open_run(tiny_run), open_run(slim_run[0])
    assert np.array_equal(before.scores("ood", "bright"), after.scores("ood", "bright"))
    assert np.array_equal(before.moments("id_train")["mean"], after.moments("id_train")["mean"])
    for path in (tiny_run / "tables").iterdir():
        pd.testing.assert_frame_equal(before.table(path.stem), after.table(path.stem))
    assert len(after.table("heads")) > 0


def test_its_snapshots_are_refused_with_the_remedy(slim_run):
    run = open_run(slim_run[0])
    with pytest.raises(RunError, match="were not kept; add it to `keep` and run again"):
        run.snapshots(run.taps[0].name, "id_test")


def test_it_can_still_be_exported_and_imported(slim_run, runs, tmp_path):
    bundles.export(slim_run[0], tmp_path / "slim.zip")
    assert open_run(bundles.import_zip(tmp_path / "slim.zip", trusted=True)).manifest.kept["taps"] == []


def test_an_unfinished_run_is_left_alone(tmp_path, capsys):
    (tmp_path / "snapshots.zarr").mkdir()
    with pytest.raises(SystemExit):
        main(["slim", str(tmp_path)])
    assert "no finished run" in capsys.readouterr().err and (tmp_path / "snapshots.zarr").is_dir()
