"""The complementarity stage on whole runs: its two tables against the scores, and runs that cannot have them all."""

import pytest

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import COMPLEMENTARITY_COLUMNS, PAIR_COLUMNS, auroc, compose, paired_auroc_difference
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.complementarity import compute
from cfs_explore.studies import DIAGNOSTICS


def tables_of(run):
    progress = Progress()
    progress.start("test", 0, "")
    return compute(Study(run, progress))


@pytest.fixture(scope="module")
def tables(finished):
    return tables_of(finished)


def test_tables_are_those_of_the_stage_and_complete(finished, tables):
    assert tuple(tables) == DIAGNOSTICS["complementarity"].table_names
    rows, pairs = tables["complementarity"], tables["pair_gain"]
    keys = ["ood", "level", "preset", "scale"]
    assert len(rows) == 3 * 2 * len(finished.manifest.presets) * 2 and not rows.duplicated(keys).any()
    taps = len(finished.taps)
    assert len(pairs) == 3 * 2 * taps * (taps - 1) // 2
    assert not pairs.duplicated(["ood", "level", "tap_a", "tap_b"]).any()
    assert set(zip(pairs["level"], pairs["lam"], strict=True)) == {(k, x.lam) for k, x in enumerate(finished.levels)}


def test_preset_rows_are_those_of_the_composed_detectors(finished, tables):
    names = [tap.name for tap in finished.taps]
    rows = tables["complementarity"].query("ood == 'bright' and scale == 's'")
    ids, oods = finished.scores("id_test"), finished.scores("ood", "bright")
    for row in rows.itertuples():
        assert [row.encoder, row.decoder] == finished.manifest.presets[row.preset]
        e, d = (Cell(row.level, names.index(name)) for name in (row.encoder, row.decoder))
        scores = {
            key: (compose(ids, cells), compose(oods, cells)) for key, cells in (("e", [e]), ("d", [d]), ("avg", [e, d]))
        }
        for key, pair in scores.items():
            assert getattr(row, f"auroc_{key}") == pytest.approx(auroc(*pair).value)
        better = scores["d" if row.better == "decoder" else "e"]
        assert row.auroc_gain == pytest.approx(paired_auroc_difference(*scores["avg"], *better).value)
        assert (row.n_id, row.n_ood) == (len(ids), len(oods))
        assert row.d2 >= max(row.d2_e, row.d2_d, row.d2_avg) - 1e-9
    gains = tables["pair_gain"].query("ood == 'bright'").set_index(["level", "tap_a", "tap_b"])["auroc"]
    for row in rows.itertuples():
        assert gains[row.level, row.encoder, row.decoder] == pytest.approx(row.auroc_avg)


def test_a_run_without_presets_has_pairs_and_an_empty_table(quick_run):
    assert quick_run.manifest.presets == {}
    tables = tables_of(quick_run)
    assert tables["complementarity"].empty
    assert list(tables["complementarity"].columns)[6:] == list(COMPLEMENTARITY_COLUMNS[1:])
    assert list(tables["pair_gain"].columns)[3:] == list(PAIR_COLUMNS) and len(tables["pair_gain"]) == 1
