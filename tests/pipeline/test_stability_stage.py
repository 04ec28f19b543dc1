"""The stability stage on real runs of the tiny backbone: against direct extraction, its cost, resuming, few draws."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.corruption import keyed_noise
from cfs_explore.diagnostics.reliability import icc
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.stability import compute
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies.stability import LOCAL_DRAWS


@pytest.fixture
def copy(tmp_path):
    def make(run, name="copy"):
        shutil.copytree(run.path, tmp_path / name)
        return open_run(tmp_path / name)

    return make


def started():
    progress = Progress()
    progress.start("stability", 1, "forwards")
    return progress


@pytest.fixture
def study(finished, copy, tiny):
    return Study(copy(finished), started(), backbone=tiny)


def reference_variance(run):
    train = run.moments("id_train")
    return np.maximum(train.m2[0] / train.count, VARIANCE_FLOOR)


def test_tables_cost_and_resuming(study, forwards):
    run = study.run
    tables = compute(study)
    assert set(tables) == set(DIAGNOSTICS["stability"].table_names)
    assert sum(forwards) == DIAGNOSTICS["stability"].forwards(run.counts)
    cells = len(run.taps) * len(run.levels)
    assert len(tables["stability"]) == cells * (1 + len(run.ood_names))
    assert len(tables["drift"]) == 3 * cells
    again = compute(study)
    assert sum(forwards) == DIAGNOSTICS["stability"].forwards(run.counts)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])


def test_batches_do_not_matter(finished, copy, tiny):
    found = []
    for size in (7, 64):
        study = Study(copy(finished, str(size)), started(), backbone=tiny)
        study.spec = study.spec.model_copy(update={"batch_size": size})
        found.append(compute(study))
    for name in found[0]:
        pd.testing.assert_frame_equal(found[0][name], found[1][name], rtol=2e-3, atol=1e-6)


def test_stability_is_the_icc_of_each_sets_own_snapshots(study, tiny):
    run = study.run
    table = compute(study)["stability"]
    entry, tap, level = run.entry("ood", "folder"), run.taps[3], 1
    sample = study.sample("ood", "folder")
    noise = keyed_noise(sample.ids, run.draws, tiny.image_shape, study.spec.seed)
    z = Reader(tiny, TapSnapshots([run.levels[level]], [tap]))(sample.pixels.astype(np.float32) / 127.5 - 1, noise)[0]
    train, start = run.moments("id_train"), sum(2 * each.channels for each in run.taps[:3])
    part = slice(start, start + 2 * tap.channels)
    z = z / np.sqrt(np.maximum(train.m2[level, part] / train.count, VARIANCE_FLOOR))
    msb = run.draws * z.mean(axis=0).var(axis=0, ddof=1).sum()
    row = table[(table["set"] == "folder") & (table["level"] == level) & (table["tap"] == tap.name)].iloc[0]
    assert row["icc_features"] == pytest.approx(icc(msb, z.var(axis=0, ddof=1).mean(axis=0).sum(), run.draws), rel=1e-3)
    assert (row["n"], row["draws"], row["role"]) == (entry.count, run.draws, "ood")


def test_local_law_measures_what_direct_extraction_does(study, tiny):
    run = study.run
    table = compute(study)["local_law"]
    sample, lam = study.sample("id_test"), 3.0
    level = tiny.match(lam)
    noise = keyed_noise(sample.ids, LOCAL_DRAWS, tiny.image_shape, study.spec.seed)
    z = Reader(tiny, TapSnapshots([level], run.taps))(sample.pixels.astype(np.float32) / 127.5 - 1, noise)[0]
    part = slice(0, 2 * run.taps[0].channels)
    within = (z.var(axis=0, ddof=1) / reference_variance(run))[:, part].mean()
    row = table[(table["lam"] == level.lam) & (table["tap_index"] == 0)].iloc[0]
    assert row["within"] == pytest.approx(within, rel=1e-4)
    assert table["lam"].is_monotonic_decreasing
    assert table["lam"].max() == pytest.approx(tiny.reach[1])


def test_drift_keeps_its_causes_apart(study, tiny):
    run = study.run
    table = compute(study)["drift"].set_index(["level", "tap_index", "cause"])
    sample = study.sample("id_test")
    x0 = torch.from_numpy(sample.pixels.astype(np.float32) / 127.5 - 1)
    noise = torch.from_numpy(keyed_noise(sample.ids, 1, tiny.image_shape, study.spec.seed)[0])
    cleanest, level = run.levels
    corrupted = level.a * x0 + level.b * noise
    stem = slice(0, 2 * run.taps[0].channels)  # the first convolution is not conditioned on the level
    clean = dataclasses.replace(cleanest, a=1.0, b=0.0)

    def snapshots(images, level):
        reader = Reader(tiny, TapSnapshots([clean], run.taps), conditioning=[level])
        return reader(images.numpy(), noise[None].numpy())[0, 0]

    reference = snapshots(x0, cleanest)
    for cause, z in {
        "noise": snapshots(corrupted, cleanest),
        "conditioning": snapshots(x0, level),
        "both": snapshots(corrupted, level),
    }.items():
        drift = (z.astype(np.float64) - reference) / np.sqrt(reference_variance(run))
        assert table.loc[(1, 0, cause), "drift"] == pytest.approx((drift[:, stem] ** 2).mean(), rel=1e-4)
        last = slice(-2 * run.taps[-1].channels, None)
        assert table.loc[(1, len(run.taps) - 1, cause), "drift"] == pytest.approx(
            (drift[:, last] ** 2).mean(), rel=1e-3
        )
        own = drift.var(axis=0, ddof=1)[stem].mean()
        assert table.loc[(1, 0, cause), "own"] == pytest.approx(own, rel=1e-3, abs=1e-9)
    assert table.loc[(1, 0, "conditioning"), "drift"] == 0
    assert (table.xs((0, "conditioning"), level=("level", "cause"))["drift"] == 0).all()
    both, alone = (table.xs((0, cause), level=("level", "cause"))["drift"] for cause in ("both", "noise"))
    pd.testing.assert_series_equal(both, alone)


def test_one_draw_leaves_the_maps_part_open(quick_run, copy, tiny):
    tables = compute(Study(copy(quick_run), started(), backbone=tiny))
    assert tables["stability"][["icc_features", "icc_scores", "spearman", "spearman_lo"]].isna().all(axis=None)
    assert (tables["stability"]["draws"] == 1).all()
    assert np.isfinite(tables["local_law"]["icc"]).all()
    assert np.isfinite(tables["drift"]["drift"]).all()
