"""The ablation stage on real runs of the tiny backbone: against composed detectors, its cost, shifts, odd runs."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import auroc, compose
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study, ablation
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies import ablation as declared
from cfs_explore.studies.ablation import ABLATION_SHIFTS


def study_of(run, folder, backbone):
    shutil.copytree(run.path, folder)
    progress = Progress()
    progress.start("ablation", 1, "forwards")
    return Study(open_run(folder), progress, backbone=backbone)


@pytest.fixture
def study(finished, tmp_path, tiny):
    return study_of(finished, tmp_path / "copy", tiny)


def test_tables_cost_and_resuming(study, forwards):
    run = study.run
    (table,) = ablation.compute(study).values()
    assert sum(forwards) == DIAGNOSTICS["ablation"].forwards(run.counts)
    assert set(table["levels"]) == {1, 2} and set(table["shift"]) == set(ABLATION_SHIFTS)
    assert list(table["taps"].unique()) == ["decoder", "encoder", "pair", "four", "all"]
    assert len(table) == len(run.ood_names) * 3 * 2 * 5
    assert not table.duplicated(["ood", "shift", "levels", "taps"]).any()
    pd.testing.assert_frame_equal(ablation.compute(study)["ablation"], table)
    assert sum(forwards) == DIAGNOSTICS["ablation"].forwards(run.counts)


def test_without_a_shift_it_is_the_maps_detectors(study):
    run = study.run
    table = ablation.compute(study)["ablation"].set_index(["ood", "shift", "levels", "taps"])
    names = [tap.name for tap in run.taps]
    taps = {"pair": [names.index(name) for name in run.manifest.presets["sparse_ed"]], "all": list(range(len(names)))}
    for which, members in taps.items():
        cells = [Cell(run.manifest.kept["level"], t) for t in members]
        of_draw = [
            auroc(
                *(compose(s[:, m : m + 1], cells) for s in (run.scores("id_test"), run.scores("ood", "bright")))
            ).value
            for m in range(run.draws)
        ]
        row = table.loc["bright", 0.0, 1, which]
        assert row["auroc"] == pytest.approx(np.mean(of_draw)) and row["sd"] == pytest.approx(np.std(of_draw, ddof=1))
        assert (row["n_train"], row["n_id"], row["n_ood"]) == (run.counts.train, run.counts.test, 11)


def test_shifts_are_measured_where_they_say(study, monkeypatch):
    """No shift measured again, as for many ID-train images, is the map; a true shift is another level."""
    table = ablation.compute(study)["ablation"].set_index(["shift", "ood", "levels", "taps"])
    lams = [float(table.loc[(shift, "bright", 1, "all"), "lams"]) for shift in ABLATION_SHIFTS]
    assert lams == pytest.approx([4.5, 5.0, 5.5], abs=0.1)
    assert not np.allclose(table.loc[0.5]["auroc"], table.loc[0.0]["auroc"])
    monkeypatch.setattr(ablation, "ablation_shifts", lambda train: list(ABLATION_SHIFTS))
    again = ablation.compute(study)["ablation"].set_index(["shift", "ood", "levels", "taps"])
    np.testing.assert_allclose(again.loc[0.0]["auroc"], table.loc[0.0]["auroc"], atol=0.02)


def test_more_id_train_images_than_the_ablation_takes(study, monkeypatch, forwards):
    for module in (declared, ablation):
        monkeypatch.setattr(module, "ABLATION_TRAIN", 8)
    table = ablation.compute(study)["ablation"]
    assert set(table["n_train"]) == {8}
    assert sum(forwards) == DIAGNOSTICS["ablation"].forwards(study.run.counts)


def test_sets_larger_than_the_ablation_takes(study, monkeypatch):
    for module in (declared, ablation):
        monkeypatch.setattr(module, "ABLATION_IMAGES", 4)
    table = ablation.compute(study)["ablation"]
    assert set(table["n_id"]) == set(table["n_ood"]) == {4}


def test_one_draw_and_no_published_taps(quick_spec, tiny, tmp_path):
    run = explore(quick_spec | {"taps": ["mid_block.resnets.0", "conv_in"]}, tmp_path / "run", device="cpu")
    assert run.manifest.presets == {}
    table = ablation.compute(study_of(run, tmp_path / "copy", tiny))["ablation"]
    assert set(table["taps"]) == {"all"} and set(table["levels"]) == {1} and set(table["n_taps"]) == {2}
    assert table["sd"].isna().all() and table["auroc"].notna().all()


def test_only_the_pair_was_measured(quick_spec, tiny, tmp_path):
    run = explore(quick_spec | {"taps": "sparse_ed"}, tmp_path / "run", device="cpu")
    assert list(ablation.tap_sets(run)) == ["decoder", "encoder", "pair", "all"]
