"""The sharing stage on real runs of the tiny backbone: against direct reading, its cost, memory, resuming, reasons."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics.sharing import cka_limits, linear_cka
from cfs_explore.errors import CFSError
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study, sharing
from cfs_explore.pipeline.stages.sharing import compute
from cfs_explore.readings.encoder_reuse import EncoderReuse, reused_taps, reused_work
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.tap_maps import TapMaps, map_sizes
from cfs_explore.store import Run, open_run
from cfs_explore.studies import DIAGNOSTICS


class Counted(Progress):
    """Adds up what is said to be done."""

    done = 0

    def advance(self, count, *words, **options):
        self.done += count
        super().advance(count, *words, **options)


@pytest.fixture
def study(finished, tiny, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy")
    progress = Counted()
    progress.start("sharing", 1, "forwards")
    return Study(open_run(tmp_path / "copy"), progress, backbone=tiny)


def read(study, reading):
    """(level, image, feature) of ID-test on the first draw."""
    sample = study.sample("id_test")
    noise = keyed_noise(sample.ids, 1, study.backbone.input_shape, study.spec.seed)
    return Reader(study.backbone, reading)(to_signed(sample.pixels), noise)[:, 0]


def test_tables_cost_and_resuming(study, forwards):
    run = study.run
    study.backbone.taps()
    forwards.clear()
    tables = compute(study)
    assert {name: set(table) for name, table in tables.items()} == {
        table.name: set(table.column_names) for table in DIAGNOSTICS["sharing"].tables
    }
    planned = DIAGNOSTICS["sharing"].forwards(run.counts)
    assert planned == run.id_test.count * 2 * 3 == study.progress.done
    tried = [size for size in forwards if size == 1]  # of sizes, and of whether the encoder can be used again
    assert sum(forwards) - len(tried) == planned and len(tried) < 10
    pairs = len(run.levels) * (len(run.levels) - 1)
    assert len(tables["sharing"]) == len(run.taps) * pairs // 2 and len(tables["reuse"]) == pairs
    assert (tables["reuse"]["saved"] == reused_work(study.backbone)).all() and (tables["reuse"]["note"] == "").all()
    forwards.clear()
    study.pieces.begin()
    again = compute(study)
    assert all(size == 1 for size in forwards) and study.progress.done == 2 * planned
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])


def test_numbers_are_those_of_the_maps(study):
    run = study.run
    found, tap = compute(study)["sharing"], run.taps[3]
    reading = TapMaps(run.levels, [tap], map_sizes(study.backbone, [tap], run.levels[0]))
    maps = read(study, reading).astype(float)
    row = found[found["tap"] == tap.name].iloc[0]
    apart = ((maps[0] - maps[1]) ** 2).sum(1)
    assert row["delta"] == pytest.approx((apart / maps.shape[2]).mean())
    assert row["delta_rel"] == pytest.approx((apart / ((maps**2).sum(2).mean(0))).mean())
    assert row["cka"] == pytest.approx(linear_cka(maps)[0, 1])
    limits = [part[0, 1] for part in cka_limits(maps)]
    assert [row["cka_lo"], row["cka_hi"]] == pytest.approx(limits) and limits[0] < row["cka"] < limits[1]
    assert row["n_id"] == run.id_test.count and (row["level"], row["other_level"]) == (0, 1)


def test_reuse_is_the_readings(study):
    run = study.run
    reading = EncoderReuse(run.levels, reused_taps(study.backbone))
    errors = read(study, reading)[0].mean(0)
    found = compute(study)["reuse"]
    assert found["error"].tolist() == pytest.approx(errors.tolist(), rel=1e-5)
    assert list(zip(found["encoder_level"], found["level"], strict=True)) == reading.pairs == [(0, 1), (1, 0)]


def test_little_memory_takes_taps_in_parts_and_gives_the_same(study, monkeypatch):
    whole = compute(study)
    shutil.rmtree(study.run.path / "work")
    sizes = map_sizes(study.backbone, study.run.taps, study.run.levels[0])
    enough = max(sizes.values()) * study.run.id_test.count * len(study.run.levels) * 4
    monkeypatch.setattr(sharing, "MAP_BYTES", enough)
    study.progress.done = 0
    parts = list(sharing._parts(study.run.taps, sizes, study.run.id_test.count * 2 * 4))
    assert len(parts) > 2 and [tap for part in parts for tap in part] == list(study.run.taps)
    again = compute(study)
    for name, table in whole.items():
        pd.testing.assert_frame_equal(table, again[name], rtol=1e-4, atol=1e-7)
    assert study.progress.done == DIAGNOSTICS["sharing"].forwards(study.run.counts)


def test_less_memory_takes_fewer_images_and_says_how_many(study, monkeypatch):
    sizes = map_sizes(study.backbone, study.run.taps, study.run.levels[0])
    monkeypatch.setattr(sharing, "MAP_BYTES", 3 * max(sizes.values()) * len(study.run.levels) * 4)
    tables = compute(study)
    assert (tables["sharing"]["n_id"] == 3).all() and (tables["reuse"]["n_id"] == 3).all()
    assert study.progress.done == DIAGNOSTICS["sharing"].forwards(study.run.counts)
    monkeypatch.setattr(sharing, "MAP_BYTES", 100)
    with pytest.raises(CFSError, match="too many to compare two images"):
        compute(study)


def test_a_network_that_does_not_allow_it_says_so(study, monkeypatch):
    monkeypatch.setattr(sharing, "why_not", lambda *given: "It has no encoder.")
    found = compute(study)["reuse"]
    assert found[["error", "saved"]].isna().all(axis=None) and (found["note"] == "It has no encoder.").all()
    assert study.progress.done == DIAGNOSTICS["sharing"].forwards(study.run.counts)


def test_one_level_has_nothing_to_share(study):
    manifest = study.run.manifest
    study.run = Run(study.run.path, manifest.model_copy(update={"levels": manifest.levels[:1]}))
    with pytest.raises(CFSError, match="needs two levels"):
        compute(study)


def test_images_that_belong_together_count_as_groups(study, monkeypatch):
    alone = compute(study)["sharing"]
    names = np.array([str(i // 3) for i in range(study.run.id_test.count)], dtype=object)
    monkeypatch.setattr(Run, "names_of_groups", lambda *given: names)
    together = compute(study)["sharing"]
    pd.testing.assert_series_equal(alone["delta_rel"], together["delta_rel"])
    assert (alone["delta_rel_hi"] != together["delta_rel_hi"]).any()
