"""The controls stage on a small run: its tables, what it costs, and that a killed one goes on where it stopped."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import CONSEQUENCE, auroc, compose
from cfs_explore.errors import RunCancelled
from cfs_explore.images.reencode import reencode
from cfs_explore.images.statistics import image_statistics
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.scoring import Moments
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies import controls as declared


@pytest.fixture(scope="module")
def _few():
    patch = pytest.MonkeyPatch()
    patch.setattr(declared, "UNTRAINED_SEEDS", (1, 2))
    patch.setattr(declared, "CONTROL_TRAIN", 12)
    patch.setattr(declared, "CONTROL_IMAGES", 8)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def copy_run(finished, tmp_path_factory):
    def copy():
        path = tmp_path_factory.mktemp("controls") / "run"
        shutil.copytree(finished.path, path)
        return open_run(path)

    return copy


@pytest.fixture(scope="module")
def run(copy_run, tiny, _few):
    """The finished run after the stage, with what it reported."""
    events = []
    run = run_stages(Study(copy_run(), Progress(events.append), backbone=tiny), ["controls"])
    run.events = [event for event in events if event.stage == "controls"]
    return run


def test_tables_have_a_row_for_everything(run):
    cells, sets = len(run.levels) * len(run.taps), len(run.ood_names)
    assert run.manifest.stages["controls"].state == "done"
    controls, excess = run.table("controls"), run.table("excess")
    assert len(controls) == 3 * cells * sets  # two seeds, and re-encoded
    assert set(controls["seed"].dropna()) == {1, 2} and controls["seed"].isna().sum() == cells * sets
    assert len(excess) == 2 * 2 * cells * sets  # two controls, one draw and both
    assert not excess[["excess", "lo", "hi", "p", "trained"]].isna().any(axis=None)
    best = run.table("best_excess")
    names = {"untrained", "re-encoded", "input tap", "statistics", "best statistic"}
    assert (best.groupby(["ood", "draws"])["control"].agg(set) == names).all()
    statistics = run.table("image_statistics")
    assert (statistics.groupby("ood").size() == 7).all()
    grey = statistics[statistics["statistic"] == "colourfulness"]
    assert grey["auroc"].isna().all() and (grey["note"] != "").all()
    assert excess["n_ood"].max() == 8 and set(excess.loc[excess["ood"] == "folder", "n_ood"]) == {5}


@pytest.fixture
def study(run, tiny):
    """The stage's study inside a started progress."""
    study = Study(run, Progress(), backbone=tiny)
    study.progress.start("by hand", 1, "")
    return study


def test_cost_is_what_was_announced(run):
    expected = 3 * (12 + 8 + 8 + 5 + 8) * len(run.levels)
    assert DIAGNOSTICS["controls"].forwards(run.counts) == expected
    assert run.events[-1].done == run.events[-1].total == expected


def test_trained_side_is_the_map_on_the_same_images(run, study):
    test, out = run.scores("id_test"), run.scores("ood", "bright")
    rows = [study.sample(*which, limit=8).rows for which in (("id_test",), ("ood", "bright"))]
    excess = run.table("excess")
    for draws in (1, 2):
        row = excess.query("control == 'untrained' and ood == 'bright' and level == 1 and draws == @draws").iloc[3]
        parts = [scores[r][:, :draws] for scores, r in zip((test, out), rows, strict=True)]
        assert row.trained == pytest.approx(auroc(*(compose(p, [Cell(1, 3)]) for p in parts)).value)
    controls = run.table("controls").query("control == 'untrained' and ood == 'bright' and level == 1")
    seeds = controls[controls["tap"] == run.taps[3].name]["auroc"]
    assert row.control_auroc == pytest.approx(seeds.mean()) and row.excess == pytest.approx(row.trained - seeds.mean())


def test_reencoded_control_is_the_trained_backbone_on_reencoded_images(run, study):
    """Done by hand for one set: statistics fitted again, first draw."""
    samples = [
        study.sample(*which, limit=limit).altered(reencode)
        for which, limit in ((("id_train",), 12), (("id_test",), 8), (("ood", "bright"), 8))
    ]
    train, test, out = (next(study.blocks(sample, run.levels))[1] for sample in samples)
    reference = Moments.of(train)
    first = slice(0, 2 * run.taps[0].channels)
    scores = [
        ((block[1, 0, :, first] - reference.mean[1, first]) ** 2 / reference.variance[1, first]).mean(axis=1)
        for block in (test, out)
    ]
    table = run.table("controls").query("control == 're-encoded' and ood == 'bright' and level == 1")
    assert table["auroc"].iloc[0] == pytest.approx(auroc(*scores).value)


def test_image_statistics_are_those_of_the_prepared_inputs(run, study):
    train, test, out = (
        image_statistics(study.sample(*which, limit=limit).pixels)["mean"].to_numpy()
        for which, limit in ((("id_train",), 12), (("id_test",), 8), (("ood", "bright"), 8))
    )
    scores = [(values - train.mean()) ** 2 / train.var() for values in (test, out)]
    row = run.table("image_statistics").query("ood == 'bright' and statistic == 'mean'").iloc[0]
    assert row.auroc == pytest.approx(auroc(*scores).value) and (row.n_id, row.n_ood) == (8, 8)


@pytest.mark.usefixtures("_few")
def test_a_killed_stage_goes_on_where_it_stopped(copy_run, tiny, run, every_forward):
    """Stopped half way, the second attempt repeats no finished set and ends with the same tables."""
    limit = 3 * (12 + 8 + 8 + 5 + 8)  # half of the forwards
    copy = copy_run()
    with pytest.raises(RunCancelled):
        run_stages(Study(copy, Progress(cancelled=lambda: sum(every_forward) > limit), backbone=tiny), ["controls"])
    before = sum(every_forward)
    again = run_stages(Study(open_run(copy.path), Progress(), backbone=tiny), ["controls"])
    assert limit < before < sum(every_forward) < run.events[-1].total + 2 * 12 + 1  # at most one set measured twice
    for name in ("controls", "excess", "best_excess", "image_statistics"):
        pd.testing.assert_frame_equal(again.table(name), run.table(name))


@pytest.mark.usefixtures("_few")
def test_a_copy_with_the_trained_weights_has_no_excess(copy_run, tiny, monkeypatch):
    """The tiny network IS its untrained copy of seed 0; only the draws behind the ID statistics differ."""
    monkeypatch.setattr(declared, "UNTRAINED_SEEDS", (0,))
    monkeypatch.setattr(declared, "CONTROL_TRAIN", 100)
    run = run_stages(Study(copy_run(), Progress(), backbone=tiny), ["controls"])
    excess = run.table("excess").query("control == 'untrained' and draws == 1")
    assert excess["excess"].abs().median() < 0.02 and (excess["lo"] <= 0).mean() > 0.9
    assert excess["seed_sd"].isna().all()


def test_one_ood_image_has_values_and_no_best_cell(quick_spec, tmp_path, tiny, write_images):
    from cfs_explore.pipeline import explore

    spec = quick_spec | {"ood": [{"name": "one.a", "source": str(write_images(1, seed=8))}]}
    run = explore(spec, tmp_path / "run", device="cpu")
    run = run_stages(Study(run, Progress(), backbone=tiny), ["controls"])
    assert run.manifest.stages["controls"].state == "done"
    assert np.isfinite(run.table("excess")[["excess", "lo", "hi"]]).all(axis=None)
    assert run.table("best_excess")["excess"].isna().all()


def test_sets_that_were_stored_otherwise_without_loss_are_no_warning(finished):
    """ID images are PNG files; "bright" is an array and the letters are drawn, all grey and of one size."""
    assert not [text for text in finished.manifest.warnings if text.endswith(CONSEQUENCE)]
