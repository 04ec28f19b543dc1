"""The stage that judges where scores come from, on real runs of the tiny backbone: planted patches and masks."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cfs_explore.contracts import Cell
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics import Groups, auroc
from cfs_explore.diagnostics.delong import delong
from cfs_explore.errors import SourceError
from cfs_explore.images.planted import corners_of, marks, planted
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study, where
from cfs_explore.pipeline.stages.where import compute
from cfs_explore.probe.score_map import at_size, cell_maps
from cfs_explore.store import Run, open_run
from cfs_explore.studies import DIAGNOSTICS


class Counted(Progress):
    """Adds up what is said to be done."""

    done = 0

    def advance(self, count, *words, **options):
        self.done += count
        super().advance(count, *words, **options)


def study_of(run, tiny) -> Study:
    progress = Counted()
    progress.start("where", 1, "forwards")
    return Study(open_run(run), progress, backbone=tiny)


@pytest.fixture(scope="module")
def tables(finished, tiny, tmp_path_factory):
    """Of the finished run, computed once."""
    path = shutil.copytree(finished.path, tmp_path_factory.mktemp("where") / "copy")
    return compute(study_of(path, tiny))


@pytest.fixture
def study(finished, tiny, tmp_path):
    return study_of(shutil.copytree(finished.path, tmp_path / "copy"), tiny)


def test_tables_cost_and_resuming(study, tables):
    run = study.run
    again = compute(study)
    declared = DIAGNOSTICS["where"]
    assert {name: list(table) for name, table in again.items()} == {t.name: t.column_names for t in declared.tables}
    assert study.progress.done == declared.forwards(run.counts)
    cells = len(run.levels) * len(run.taps)
    assert len(again["localisation"]) == cells * 2 * 2 * len(run.ood_names)
    assert len(again["localisation_best"]) == 3 * 2 * len(run.ood_names)
    assert again["localisation_pixels"]["ood"].tolist() == run.ood_names
    compute(study)
    assert study.progress.done == 2 * declared.forwards(run.counts)  # kept, and counted as done
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name], rtol=1e-3)
