"""A run that was made smaller serves as reference: what needs its ID-train snapshots is left out, nothing else."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore import heads
from cfs_explore.explorations import bundles
from cfs_explore.explorations.pictures import find_pictures
from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import choose
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.store import drop_snapshots, open_run

WHY = "has no snapshots of ID-train"


@pytest.fixture(scope="module")
def new_ood(write_images):
    return [{"name": "new", "source": str(write_images(6, "zip", seed=11))}]


@pytest.fixture(scope="module")
def slimmed(finished, tmp_path_factory):
    """The finished run without ID-train's snapshots, and without any."""
    folder = tmp_path_factory.mktemp("slimmed")
    copies = {everything: shutil.copytree(finished.path, folder / f"{everything}") for everything in (False, True)}
    for everything, path in copies.items():
        drop_snapshots(path, everything=everything)
    return {everything: open_run(path) for everything, path in copies.items()}


@pytest.fixture(scope="module")
def on_top(slimmed, spec, new_ood, tmp_path_factory):
    """A run with the stored statistics of the slimmed one, and its stages without forwards."""
    asked = {"id": {"run": str(slimmed[False].path)}, "ood": new_ood, "diagnostics": ["complementarity", "separation"]}
    return explore(spec | asked, tmp_path_factory.mktemp("on-top") / "run", device="cpu")


def test_everything_but_the_other_heads_is_that_of_a_run_on_the_whole_one(finished, on_top, spec, new_ood, tmp_path):
    asked = {"id": {"run": str(finished.path)}, "ood": new_ood, "diagnostics": ["complementarity", "separation"]}
    whole = explore(spec | asked, tmp_path / "run", device="cpu")
    same = ("auroc_map", "detectors", "best_cell", "complementarity", "pair_gain", "separation", "top_channels")
    for name in same:
        pd.testing.assert_frame_equal(on_top.table(name), whole.table(name))
    for tap in finished.manifest.kept["taps"]:
        for which in (("id_test",), ("ood", "new")):
            np.testing.assert_array_equal(on_top.snapshots(tap, *which), whole.snapshots(tap, *which))
    assert on_top.manifest.kept == whole.manifest.kept | {"without": ["id_train"]}
    assert on_top.manifest.warnings == whole.manifest.warnings


def test_the_heads_are_left_out_with_the_reason(on_top):
    assert {name: entry.state for name, entry in on_top.manifest.stages.items()} == {
        "complementarity": "done",
        "separation": "done",
    }
    assert on_top.table("heads")["head"].tolist() == list(heads.REGISTRY)
    assert on_top.table("heads")["note"].str.contains(WHY).all()
    assert on_top.table("cell_heads")["note"].str.contains(WHY).all()
    assert on_top.table("cell_heads")["auroc"].isna().all()


def test_the_reason_stands_in_the_figures_place(on_top):
    kept = {"lam": on_top.levels[on_top.manifest.kept["level"]].lam, "tap": on_top.manifest.kept["taps"][0]}
    figures, missing = catalogue.make_figures(on_top, ["separation", "images", "image"], choose(on_top, **kept))
    assert list(missing) == ["separation-heads"] and WHY in missing["separation-heads"]
    assert {"separation-top-channels", "image-features", "images-scatter"} <= set(figures)


def test_it_can_be_reused_exported_and_imported_itself(on_top, spec, new_ood, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    bundles.export(on_top.path, tmp_path / "slim.zip")
    taken = bundles.import_zip(tmp_path / "slim.zip", trusted=True)
    assert open_run(taken).manifest.kept == on_top.manifest.kept
    again = explore(spec | {"id": {"run": str(taken)}, "ood": new_ood}, tmp_path / "again", device="cpu")
    pd.testing.assert_frame_equal(again.table("auroc_map"), on_top.table("auroc_map"))
    assert again.manifest.kept == on_top.manifest.kept


def test_a_slimmed_run_computes_its_separation_anew(slimmed, tmp_path):
    run = diagnose(shutil.copytree(slimmed[False].path, tmp_path / "run"), "standard", fresh=True)
    assert run.manifest.stages["separation"].state == "done"
    assert run.table("top_channels")["auroc"].notna().any() and run.table("cell_heads")["auroc"].isna().all()


def test_a_run_without_any_snapshots_serves_too(slimmed, spec, new_ood, tmp_path):
    run = explore(spec | {"id": {"run": str(slimmed[True].path)}, "ood": new_ood}, tmp_path / "run", device="cpu")
    assert run.manifest.kept["taps"] == [] and len(run.auroc_map("new")) == 32
    assert any("keeps no snapshots, so none are kept here" in warning for warning in run.manifest.warnings)


def test_sets_without_thumbnails_stay_so(finished, spec, new_ood, tmp_path):
    """The copy must not claim pictures that the run whose statistics it uses does not hold."""
    train = spec["id"]["train"] | {"thumbnails": False}
    base = explore(spec | {"id": {"train": train}}, tmp_path / "base", device="cpu")
    run = explore(spec | {"id": {"run": str(base.path)}, "ood": new_ood}, tmp_path / "run", device="cpu")
    assert [entry.thumbnails for entry in run.manifest.sets] == [False, False, True]
    for entry in run.manifest.sets[:2]:
        found = find_pictures(run, entry)
        assert set(found) == set(run.images(entry.role)["image_id"])


def test_stages_find_the_id_images_again_whatever_the_seed(finished, spec, new_ood, tmp_path):
    """The images were drawn and split by the seed of the run that measured them, not by that of the new one."""
    asked = {"id": {"run": str(finished.path)}, "ood": new_ood, "seed": 1, "diagnostics": ["levels"]}
    run = explore(spec | asked, tmp_path / "run", device="cpu")
    assert run.manifest.stages["levels"].why == ""


def test_a_stage_whose_id_images_are_gone_is_left_out_with_the_way_to_get_them(
    slimmed, spec, new_ood, write_images, tmp_path
):
    train = {"name": "gone", "source": str(shutil.copy(write_images(36, "zip", seed=1), tmp_path / "gone.zip"))}
    base = explore(spec | {"id": {"train": train}}, tmp_path / "base", device="cpu")
    drop_snapshots(base.path)
    (tmp_path / "gone.zip").unlink()
    asked = {"id": {"run": str(base.path)}, "ood": new_ood, "diagnostics": ["separation", "levels"]}
    run = explore(spec | asked, tmp_path / "run", device="cpu")
    assert run.manifest.stages["separation"].state == "done"
    assert run.manifest.stages["levels"].state == "skipped" and "gone.zip" in run.manifest.stages["levels"].why
