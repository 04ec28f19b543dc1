"""The conditioning stage: the truth costs nothing, a network that does not listen loses nothing, and by hand."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.diagnostics import auroc
from cfs_explore.errors import RunCancelled
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.scoring import Moments
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

VARIANTS = ["matched", "lam - 2", "lam - 1", "lam + 1", "lam + 2"]


@pytest.fixture(scope="module")
def copy_run(finished, tmp_path_factory):
    def copy():
        path = tmp_path_factory.mktemp("conditioning") / "run"
        shutil.copytree(finished.path, path)
        return open_run(path)

    return copy


@pytest.fixture(scope="module")
def run(copy_run, tiny):
    events = []
    run = run_stages(Study(copy_run(), Progress(events.append), backbone=tiny), ["conditioning"])
    run.events = [event for event in events if event.stage == "conditioning"]
    return run


def test_a_row_for_every_variant_set_and_cell(run):
    table = run.table("conditioning")
    assert table["variant"].unique().tolist() == VARIANTS
    assert len(table) == len(VARIANTS) * len(run.ood_names) * len(run.levels) * len(run.taps)
    assert table.groupby("variant")["offset"].first().to_dict() == dict(zip(VARIANTS, (0, -2, -1, 1, 2), strict=True))
    assert not table.isna().any(axis=None)


def test_the_stage_ends_at_the_announced_forwards(run):
    images = run.counts.train + sum(run.counts.scored)
    expected = DIAGNOSTICS["conditioning"].forwards(run.counts)
    assert expected == images * len(run.levels) * 6  # with room for a published conditioning
    assert run.events[-1].done == run.events[-1].total == expected


def test_the_truth_loses_nothing_and_a_wrong_level_something(run, tiny):
    table = run.table("conditioning")
    truth = table[table["variant"] == "matched"]
    assert (truth[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None) and (truth["told_lam"] == truth["lam"]).all()
    wrong = table[table["variant"] == "lam - 2"]
    assert (wrong["loss"] != 0).any()
    expected = wrong["level"].map(lambda k: tiny.match(run.levels[k].lam - 2).lam)
    assert wrong["told_lam"].tolist() == expected.tolist()
    np.testing.assert_allclose(wrong["loss"], truth["auroc"].to_numpy() - wrong["auroc"].to_numpy())


def test_taps_before_the_conditioning_lose_nothing(run):
    """The first convolution has not heard of the level yet."""
    first = run.table("conditioning").query("tap == 'conv_in'")
    assert (first[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None) and first["variant"].nunique() == 5


def test_a_misconditioned_map_by_hand(run, tiny):
    study = Study(run, Progress(), backbone=tiny)
    study.progress.start("by hand", 1, "")
    level, other = run.levels[1], tiny.match(run.levels[1].lam + 1)
    samples = [study.sample(*which) for which in (("id_train",), ("id_test",), ("ood", "bright"))]
    train, test, out = (next(study.blocks(s, [level], conditioning=[other]))[1] for s in samples)
    tap = len(run.taps) - 1
    last = slice(-2 * run.taps[tap].channels, None)
    reference = Moments.of(train)
    mean, variance = reference.mean[0, last], reference.variance[0, last]
    scores = [((block[0, 0, :, last] - mean) ** 2 / variance).mean(axis=1) for block in (test, out)]
    rows = run.table("conditioning").query("variant == 'lam + 1' and ood == 'bright' and level == 1")
    row = rows[rows["tap"] == run.taps[tap].name].iloc[0]
    assert (row.auroc, row.lo, row.hi) == pytest.approx(tuple(auroc(*scores)), rel=1e-6)


class Deaf:
    """A backbone that hears the same level whatever it is given, and has a published conditioning: the same."""

    def __init__(self, backbone):
        self._backbone, self._level = backbone, backbone.match(0.0)

    def __getattr__(self, name):
        return getattr(self._backbone, name)

    def forward(self, x, level):
        return self._backbone.forward(x, self._level)

    def published(self):
        return Deaf(self._backbone)


def test_a_network_that_ignores_its_conditioning_loses_exactly_nothing(copy_run, tiny):
    events = []
    run = run_stages(Study(copy_run(), Progress(events.append), backbone=Deaf(tiny)), ["conditioning"])
    table = run.table("conditioning")
    assert table["variant"].unique().tolist() == [*VARIANTS, "published"]
    assert (table[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None)
    published = table[table["variant"] == "published"]
    assert published["told_lam"].isna().all() and published["offset"].isna().all()
    last = [event for event in events if event.stage == "conditioning"][-1]
    assert last.done == last.total == DIAGNOSTICS["conditioning"].forwards(run.counts)


def test_a_run_conditioned_on_wrong_levels_is_no_baseline(copy_run, tiny):
    study = Study(copy_run(), Progress(), backbone=tiny)
    study.spec = study.spec.model_copy(update={"conditioning_offset": 1.0})
    entry = run_stages(study, ["conditioning"]).manifest.stages["conditioning"]
    assert entry.state == "skipped" and "conditioning: matched" in entry.why


def test_a_stopped_stage_goes_on_where_it_stopped(copy_run, tiny, run, forwards):
    copy, limit = copy_run(), DIAGNOSTICS["conditioning"].forwards(run.counts) // 2
    with pytest.raises(RunCancelled):
        run_stages(Study(copy, Progress(cancelled=lambda: sum(forwards) > limit), backbone=tiny), ["conditioning"])
    again = run_stages(Study(open_run(copy.path), Progress(), backbone=tiny), ["conditioning"])
    assert sum(forwards) < DIAGNOSTICS["conditioning"].forwards(run.counts) * 1.1  # at most one set measured twice
    pd.testing.assert_frame_equal(again.table("conditioning"), run.table("conditioning"))
