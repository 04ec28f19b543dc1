"""The alignment stage: its variants, what each is measured on, and alignment to another run."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import auroc, compose
from cfs_explore.errors import RunCancelled
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.scoring import Moments
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

TABLES = DIAGNOSTICS["alignment"].table_names


@pytest.fixture(scope="module")
def copy_run(finished, tmp_path_factory):
    def copy(**changes):
        path = tmp_path_factory.mktemp("alignment") / "run"
        shutil.copytree(finished.path, path)
        if changes:  # as if the run had been made with them
            spec = yaml.safe_load((path / "spec.yaml").read_text()) | changes
            (path / "spec.yaml").write_text(yaml.safe_dump(spec))
            run = open_run(path)
            manifest = run.manifest.model_copy(update={"spec": run.manifest.spec | changes})
            (path / "manifest.json").write_text(manifest.model_dump_json())
        return open_run(path)

    return copy


@pytest.fixture(scope="module")
def run(copy_run, tiny):
    events = []
    run = run_stages(Study(copy_run(), Progress(events.append), backbone=tiny), ["alignment"])
    run.events = [event for event in events if event.stage == "alignment"]
    return run


def test_levels_of_every_variant(run, tiny):
    levels = run.table("alignment_levels")
    assert levels["variant"].unique().tolist() == ["logsnr", "lam - 0.5", "lam + 0.5", "uniform_t"]
    lams = levels.pivot(index="variant", columns="index", values="lam")
    own = [level.lam for level in run.levels]
    assert lams.loc["logsnr"].tolist() == own
    for shift, name in ((-0.5, "lam - 0.5"), (0.5, "lam + 0.5")):
        assert lams.loc[name].tolist() == [tiny.match(lam + shift).lam for lam in own]
    assert lams.loc["uniform_t"].tolist() == [tiny.match(level.requested, "uniform_t").lam for level in run.levels]
    assert levels["reachable"].all() and (levels.groupby("variant")["requested"].agg(list).map(len) == 2).all()


def test_the_stage_ends_at_the_announced_forwards(run):
    expected = DIAGNOSTICS["alignment"].forwards(run.counts)
    images = run.counts.train + sum(run.counts.scored)
    assert expected == images * len(run.levels) * 4
    assert run.events[-1].done == run.events[-1].total == expected


def test_a_shifted_map_by_hand(run, tiny):
    """Statistics fitted again at the shifted level, first draw."""
    study = Study(run, Progress(), backbone=tiny)
    study.progress.start("by hand", 1, "")
    level = tiny.match(run.levels[0].lam - 0.5)
    samples = [study.sample(*which) for which in (("id_train",), ("id_test",), ("ood", "bright"))]
    train, test, out = (next(study.blocks(sample, [level]))[1] for sample in samples)
    reference, first = Moments.of(train), slice(0, 2 * run.taps[0].channels)
    mean, variance = reference.mean[0, first], reference.variance[0, first]
    scores = [((block[0, 0, :, first] - mean) ** 2 / variance).mean(axis=1) for block in (test, out)]
    maps = run.table("alignment_maps").query("variant == 'lam - 0.5' and ood == 'bright' and index == 0")
    row = maps[maps["tap"] == run.taps[0].name].iloc[0]
    assert (row.auroc, row.lo, row.hi) == pytest.approx(tuple(auroc(*scores)), rel=1e-6)
    assert row.lam == level.lam and row.requested == run.levels[0].requested


def test_the_baseline_agrees_with_the_map_of_one_draw(run):
    """All images fit under the caps, and the statistics of one draw differ little from those of two."""
    maps = run.table("alignment_maps").query("variant == 'logsnr' and ood == 'bright'")["auroc"].to_numpy()
    scores = [run.scores(*which)[:, :1] for which in (("id_test",), ("ood", "bright"))]
    stored = [
        auroc(*(compose(part, [Cell(k, t)]) for part in scores)).value for k in (0, 1) for t in range(len(run.taps))
    ]
    assert np.abs(maps - stored).mean() < 0.03


def test_sensitivity_has_a_row_per_variant_and_set(run):
    table = run.table("sensitivity")
    assert len(table) == 4 * len(run.ood_names) and (table["baseline"] == "logsnr").all()
    own = table[table["variant"] == "logsnr"]
    np.testing.assert_allclose(own[["spearman", "spearman_lo", "spearman_hi"]], 1)
    assert (own[["moved_levels", "moved_depth", "cost_of_moving"]] == 0).all(axis=None)
    assert (own["best_tap"] == own["baseline_tap"]).all() and (own["cfs_place"] == own["baseline_place"]).all()
    moved = table[table["variant"] == "uniform_t"]
    assert set(moved["best_tap"]) <= {tap.name for tap in run.taps}
    assert (table["cost_of_moving"] >= 0).all() and table["cfs_auroc"].between(0, 1).all()
    best = run.table("alignment_maps").groupby(["variant", "ood"])["auroc"].max()
    np.testing.assert_allclose(table["best_auroc"], best.loc[list(zip(table["variant"], table["ood"], strict=True))])


def test_aligned_to_a_copy_of_itself_nothing_moves(copy_run, tiny, tmp_path):
    """The reference is the same network on the same images: its curves are this one's."""
    reference = run_stages(Study(copy_run(), Progress(), backbone=tiny), ["levels"])
    events = []
    copy = copy_run(reference=str(reference.path))
    run = run_stages(Study(copy, Progress(events.append), backbone=tiny), ["alignment"])
    assert run.manifest.stages["alignment"].state == "done", run.manifest.stages["alignment"].why
    levels = run.table("alignment_levels").set_index("variant")
    assert levels.index.unique().tolist()[-2:] == ["score_norm", "perceptual"]
    own = levels.loc["logsnr", "lam"].tolist()
    assert levels.loc["score_norm", "lam"].tolist() == own and levels.loc["perceptual", "lam"].tolist() == own
    same = run.table("sensitivity").query("variant == 'perceptual'")
    np.testing.assert_allclose(same["spearman"], 1, atol=1e-6)
    last = [event for event in events if event.stage == "alignment"][-1]
    assert last.done == last.total == DIAGNOSTICS["alignment"].forwards(run.counts)


def test_a_reference_without_curves_says_what_to_run(copy_run, tiny):
    reference = copy_run()
    run = run_stages(Study(copy_run(reference=str(reference.path)), Progress(), backbone=tiny), ["alignment"])
    entry = run.manifest.stages["alignment"]
    assert entry.state == "skipped" and "cfs-explore diagnose" in entry.why and "levels" in entry.why


def test_a_stopped_stage_goes_on_where_it_stopped(copy_run, tiny, run, forwards):
    copy, limit = copy_run(), DIAGNOSTICS["alignment"].forwards(run.counts) // 2
    with pytest.raises(RunCancelled):
        run_stages(Study(copy, Progress(cancelled=lambda: sum(forwards) > limit), backbone=tiny), ["alignment"])
    again = run_stages(Study(open_run(copy.path), Progress(), backbone=tiny), ["alignment"])
    assert sum(forwards) < DIAGNOSTICS["alignment"].forwards(run.counts) * 1.3  # at most one set measured twice
    for name in TABLES:
        pd.testing.assert_frame_equal(again.table(name), run.table(name))


def test_without_presets_the_detectors_are_unknown(quick_run, tiny, tmp_path):
    shutil.copytree(quick_run.path, tmp_path / "run")
    run = run_stages(Study(open_run(tmp_path / "run"), Progress(), backbone=tiny), ["alignment"])
    table = run.table("sensitivity")
    assert run.manifest.stages["alignment"].state == "done"
    assert table["cfs_auroc"].isna().all() and table["best_auroc"].notna().all()
