"""The separation stage on whole runs: its tables follow the scores and snapshots that the run stored."""

import json
import shutil

import numpy as np
import pytest

from cfs_explore import heads
from cfs_explore.diagnostics import auroc, paired_auroc_difference
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.diagnose import diagnose
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.separation import cell_heads, compute, separation
from cfs_explore.store import open_run
from cfs_explore.studies.separation import CELL_HEADS, TOP_CHANNELS


@pytest.fixture(scope="module")
def tables(finished):
    return compute(Study(finished, Progress()))


def test_delta_and_auroc_are_those_of_the_stored_scores(finished, tables):
    table = tables["separation"]
    assert len(table) == len(finished.ood_names) * len(finished.levels) * len(finished.taps)
    assert table["ood"].unique().tolist() == finished.ood_names
    for name, rows in table.groupby("ood", sort=False):
        assert (rows["level"] * len(finished.taps) + rows["tap_index"]).tolist() == list(range(len(rows)))
        means = [
            finished.scores(*which).mean(axis=(0, 1), dtype=float).ravel() for which in [("ood", name), ("id_test",)]
        ]
        np.testing.assert_allclose(rows["delta"], means[0] - means[1], rtol=1e-4, atol=1e-5)
        measured = finished.auroc_map(name)
        np.testing.assert_array_equal(rows["auroc"], measured["auroc"])
        np.testing.assert_array_equal(rows["lo"], measured["auroc_lo"])
        applies = rows["bound"].notna()
        assert (rows["bound"] <= rows["auroc"])[applies].all()
        assert applies.equals(rows["delta"] > 0)


def test_the_effective_dimension_is_there_and_possible(tables):
    table = tables["separation"]
    known = table["d_eff"].notna()
    assert known.mean() > 0.9
    assert ((table["d_eff"] >= 1) & (table["d_eff"] <= table["d"]))[known].all()


def test_kept_cells_have_top_channels_and_heads(finished, tables):
    taps, level = finished.manifest.kept["taps"], finished.manifest.kept["level"]
    top, own = tables["top_channels"], tables["cell_heads"]
    assert list(top) == TOP_CHANNELS.column_names and list(own) == CELL_HEADS.column_names
    assert set(top["tap"]) == set(own["tap"]) == set(taps)
    assert (top["level"] == level).all() and (own["lam"] == finished.levels[level].lam).all()
    assert len(own) == len(finished.ood_names) * len(taps) * len(heads.REGISTRY)
    channels = {tap.name: 2 * tap.channels for tap in finished.taps}
    assert (
        top.groupby(["ood", "tap"])["k"].max() == [channels[tap] for _, tap in top.groupby(["ood", "tap"]).groups]
    ).all()


def test_heads_are_fitted_on_the_tap_alone_and_compared_pairwise(finished, tables):
    tap = finished.manifest.kept["taps"][0]
    train, test, out = (finished.snapshots(tap, *which) for which in (("id_train",), ("id_test",), ("ood", "bright")))
    scores = {
        name: [h.score(test), h.score(out)] for name in ("diag", "knn") for h in [heads.REGISTRY[name]().fit(train)]
    }
    own = tables["cell_heads"].query("ood == 'bright' and tap == @tap").set_index("head")
    assert own.loc["knn", ["auroc", "lo", "hi"]].tolist() == list(auroc(*scores["knn"]))
    paired = paired_auroc_difference(*scores["knn"], *scores["diag"])
    assert own.loc["knn", ["difference", "difference_lo", "difference_hi"]].tolist() == list(paired[:3])
    assert own.loc["diag", ["difference"]].isna().all() and own.loc["diag", "note"] == ""


def test_a_run_without_kept_snapshots_has_empty_tables_with_their_columns(quick_run, tmp_path):
    copy = shutil.copytree(quick_run.path, tmp_path / "run")
    run = diagnose(copy, ["separation"])
    assert run.manifest.stages["separation"].state == "done"
    assert list(run.table("top_channels")) == TOP_CHANNELS.column_names and run.table("top_channels").empty
    assert list(run.table("cell_heads")) == CELL_HEADS.column_names and run.table("cell_heads").empty
    assert run.table("separation")["auroc"].notna().all()


def test_a_run_measured_before_pair_sums_were_kept_has_no_dimension(finished, tmp_path):
    copy = shutil.copytree(finished.path, tmp_path / "run")
    shutil.rmtree(copy / "moments.zarr" / "pairs")
    path = copy / "moments.zarr" / "zarr.json"
    group = json.loads(path.read_text())
    known = group.get("consolidated_metadata")
    if known:
        known["metadata"].pop("pairs", None)
        path.write_text(json.dumps(group))
    table = separation(open_run(copy))
    assert table[["d_eff", "var_gauss", "var_ratio"]].isna().all().all()
    assert table["predicted"].notna().all()


def test_one_ood_image_and_too_few_for_a_head(spec, write_images, tmp_path):
    """A single image has an AUROC and no difference; a head that needs more ID images says so."""
    single = {"name": "single", "source": str(write_images(1, "npz", seed=5, shift=40))}
    few = {"train": {"name": "few", "source": str(write_images(12, "npz", seed=6))}}
    run = explore(spec | {"id": few, "ood": [single]}, tmp_path / "run", device="cpu")
    own = cell_heads(run)
    assert own["n_ood"].eq(1).all() and own["difference"].isna().all()
    noted = own[own["note"] != ""]
    assert noted["head"].unique().tolist() == ["knn"] and noted["auroc"].isna().all()
    assert own[own["note"] == ""]["auroc"].notna().all()
    table = separation(run)
    assert table["auroc"].notna().all() and table[["delta_lo", "predicted", "bound"]].isna().all().all()
