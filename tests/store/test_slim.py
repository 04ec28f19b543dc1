"""A run without snapshots: smaller, and all its numbers are still there."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.cli import main
from cfs_explore.errors import RunError
from cfs_explore.explorations import bundles
from cfs_explore.store import open_run


def size(folder) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=[[], ["--all"]], ids=["ID-train", "all"])
def slim_run(request, tiny_run, tmp_path, capsys):
    """A copy of the run that the command has worked on, and what it said."""
    shutil.copytree(tiny_run, tmp_path / "copy")
    main(["slim", str(tmp_path / "copy"), *request.param])
    return tmp_path / "copy", capsys.readouterr().out


def test_it_says_what_it_freed(tiny_run, slim_run):
    path, said = slim_run
    freed = size(tiny_run / "snapshots.zarr") - size(path / "snapshots.zarr")
    assert freed > 0 and said == f"Freed: {freed / 1e6:.1f} MB\n"
    assert size(path) == pytest.approx(size(tiny_run) - freed, abs=1_500)  # and the manifest's lines


def test_scores_moments_and_tables_stay(tiny_run, slim_run):
    before, after = open_run(tiny_run), open_run(slim_run[0])
    assert np.array_equal(before.scores("ood", "bright"), after.scores("ood", "bright"))
    assert np.array_equal(before.moments("id_train").mean, after.moments("id_train").mean)
    for path in (tiny_run / "tables").iterdir():
        pd.testing.assert_frame_equal(before.table(path.stem), after.table(path.stem))
    assert len(after.table("heads")) > 0


def test_what_went_is_refused_with_the_remedy_and_the_rest_is_as_it_was(tiny_run, slim_run):
    before, after = open_run(tiny_run), open_run(slim_run[0])
    for tap in before.manifest.kept["taps"]:
        with pytest.raises(RunError, match=r"[Rr]un (it )?again"):
            after.snapshots(tap, "id_train")
        for which in (("id_test",), ("ood", "letters")):
            if after.manifest.kept["taps"]:
                assert np.array_equal(after.snapshots(tap, *which), before.snapshots(tap, *which))
            else:
                with pytest.raises(RunError, match="add it to `keep` and run again"):
                    after.snapshots(tap, *which)


def test_it_can_still_be_exported_and_imported(slim_run, runs, tmp_path):
    bundles.export(slim_run[0], tmp_path / "slim.zip")
    taken = open_run(bundles.import_zip(tmp_path / "slim.zip", trusted=True))
    assert taken.manifest.kept == open_run(slim_run[0]).manifest.kept


def test_an_unfinished_run_is_left_alone(tmp_path, capsys):
    (tmp_path / "snapshots.zarr").mkdir()
    with pytest.raises(SystemExit):
        main(["slim", str(tmp_path)])
    assert "no finished run" in capsys.readouterr().err and (tmp_path / "snapshots.zarr").is_dir()
