"""Stored ID statistics: a second run pays for its OOD images alone and gets the numbers of a run that pays for all."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.errors import RunError
from cfs_explore.explorations import bundles
from cfs_explore.pipeline import explore, reuse
from cfs_explore.store import open_run


@pytest.fixture
def new_ood(write_images):
    return [{"name": "new", "source": str(write_images(6, "zip", seed=11))}]


def on_top_of(base, spec, ood, **changes) -> dict:
    return spec | {"id": {"run": str(base.path)}, "ood": ood} | changes


def test_only_ood_images_are_measured(finished, spec, new_ood, forwards, tmp_path):
    run = explore(on_top_of(finished, spec, new_ood), tmp_path / "run", device="cpu")
    assert sum(forwards) == 6 * 2 * 2  # images x levels x draws
    assert run.manifest.warnings == ["new: only 6 images, so its confidence intervals are wide."]
    assert run.manifest.presets == finished.manifest.presets
    names = [(s.role, s.name, s.count, s.samples) for s in run.manifest.sets]
    assert names == [("id_train", "ramps", 24, 48), ("id_test", "ramps", 12, 24), ("ood", "new", 6, 12)]


def test_equals_a_run_that_measures_everything(finished, spec, new_ood, tmp_path, assert_same_tables):
    reused = explore(on_top_of(finished, spec, new_ood), tmp_path / "reused", device="cpu")
    whole = explore(spec | {"ood": new_ood}, tmp_path / "whole", device="cpu")
    for name in ("auroc_map", "detectors", "best_cell", "heads"):
        pd.testing.assert_frame_equal(reused.table(name), whole.table(name), rtol=1e-6)
    for which in (("id_test",), ("ood", "new")):
        np.testing.assert_allclose(reused.scores(*which), whole.scores(*which), rtol=1e-5)
        pd.testing.assert_frame_equal(reused.images(*which), whole.images(*which))


def test_a_part_of_the_stored_cells(finished, spec, new_ood, forwards, tmp_path, monkeypatch):
    """Fewer levels, draws and taps than were stored: cut out, not measured."""
    part = {"levels": [-1.0], "draws": 1, "taps": ["mid_block.resnets.0", "conv_act"], "keep": "none"}
    run = explore(on_top_of(finished, spec, new_ood, **part), tmp_path / "run", device="cpu")
    assert sum(forwards) == 6
    samples_of = {s.role: s.samples for s in run.manifest.sets}
    assert samples_of == {"id_train": 48, "id_test": 24, "ood": 6}  # what the moments are of: two draws were stored
    assert all(run.moments(role).count == samples for role, samples in samples_of.items())
    bundles.export(run.path, tmp_path / "run.zip")
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "imported"))
    assert open_run(bundles.import_zip(tmp_path / "run.zip", trusted=True)).manifest.sets == run.manifest.sets
    names = [t.name for t in finished.taps]
    t = [names.index(tap.name) for tap in run.taps]
    assert np.array_equal(run.scores("id_test"), finished.scores("id_test")[:, :1, 1:2][..., t])
    for k, c in ((0, slice(0, 32)), (1, slice(32, 48))):
        columns = finished_columns(finished)[names[t[k]]]
        np.testing.assert_array_equal(run.moments("id_train").mean[0, c], finished.moments("id_train").mean[1, columns])


def finished_columns(run):
    from cfs_explore.scoring import feature_columns

    return feature_columns(run.taps)


def test_a_run_on_a_run_on_a_run(finished, spec, new_ood, forwards, tmp_path):
    first = explore(on_top_of(finished, spec, new_ood), tmp_path / "first", device="cpu")
    forwards.clear()
    second = explore(on_top_of(first, spec, new_ood), tmp_path / "second", device="cpu")
    assert sum(forwards) == 24
    pd.testing.assert_frame_equal(first.table("auroc_map"), second.table("auroc_map"))
    forwards.clear()
    third = explore(on_top_of(second, spec, new_ood, levels=[2.0]), tmp_path / "third", device="cpu")
    assert sum(forwards) > 42 * 2  # measured again: the images are found through two runs
    assert third.entry("id_train").count == 24


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"levels": [5.0, 2.0]}, "no statistics at lam = 2"),
        ({"draws": 3}, "it has 2 draws, not 3"),
    ],
)
def test_falls_back_with_a_warning(finished, spec, new_ood, tmp_path, changes, reason):
    run = explore(on_top_of(finished, spec, new_ood, **changes), tmp_path / "run", device="cpu")
    (note,) = [w for w in run.manifest.warnings if "do not serve" in w]
    assert "The stored statistics of tiny run do not serve" in note and reason in note
    assert run.entry("id_train").count == 24
    whole = explore(spec | changes | {"ood": new_ood}, tmp_path / "whole", device="cpu")
    pd.testing.assert_frame_equal(run.table("auroc_map"), whole.table("auroc_map"))


@pytest.mark.parametrize("changes", [{"keep": ["conv_in"]}, {"keep_level": -1.0}])
def test_snapshots_of_other_cells_are_not_worth_a_measurement(finished, spec, new_ood, forwards, tmp_path, changes):
    run = explore(on_top_of(finished, spec, new_ood, **changes), tmp_path / "run", device="cpu")
    assert sum(forwards) == 24
    assert any("kept the snapshots of other cells" in w for w in run.manifest.warnings)
    assert run.manifest.kept["taps"] == [] and not (run.path / "snapshots.zarr").exists()
    assert run.table("heads").empty and len(run.auroc_map("new")) == 32


@pytest.mark.parametrize("taps", ["all", "sparse_ed", "sparse_ed_id"])
def test_a_base_without_the_taps_that_a_policy_picks(quick_run, quick_spec, new_ood, tmp_path, taps):
    """The base measured two other taps: it cannot serve, and must not stand in the way."""
    assert quick_run.manifest.presets == {}
    changed = on_top_of(quick_run, quick_spec, new_ood, taps=taps)
    run = explore(changed, tmp_path / "run", device="cpu")
    assert any("did not measure" in w for w in run.manifest.warnings)
    assert set(run.manifest.presets) == {"sparse_ed", "sparse_ed_id"} if taps == "all" else taps in run.manifest.presets


def test_another_backbone(finished, spec, new_ood, save_unet, tmp_path):
    other = save_unet({"_class_name": "DDPMScheduler"}, seed=5)
    run = explore(on_top_of(finished, spec, new_ood, backbone=str(other)), tmp_path / "run", device="cpu")
    assert any("it used another backbone" in w for w in run.manifest.warnings)


def test_another_resize_matters_only_for_images_that_were_resized(spec, quick_spec, write_images, new_ood, tmp_path):
    large = {"train": {"name": "large", "source": str(write_images(30, side=12))}}
    base = explore(quick_spec | {"id": large}, tmp_path / "base", device="cpu")
    run = explore(on_top_of(base, quick_spec, new_ood, resize="pad"), tmp_path / "run", device="cpu")
    assert any("resized by crop, not pad" in w for w in run.manifest.warnings)


def test_a_run_that_is_not_there_or_not_finished(spec, new_ood, tmp_path):
    for i, name in enumerate(("no-such-run", str(tmp_path))):
        with pytest.raises(RunError, match=r"There is no finished run .* Give its folder, or a bundle"):
            explore(spec | {"id": {"run": name}, "ood": new_ood}, tmp_path / f"run-{i}", device="cpu")


def test_a_base_that_was_measured_again_is_adopted_again(spec, quick_spec, new_ood, tmp_path, assert_same_tables):
    """A run that was begun on the old statistics ends with the new ones alone, also in the scores of its OOD sets."""
    base = explore(quick_spec, tmp_path / "base", device="cpu")
    changed = on_top_of(base, quick_spec, new_ood)

    def stop(event):
        if event.stage == "saving":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(changed, tmp_path / "run", device="cpu", report=stop)
    assert (tmp_path / "run" / "work" / "ood-00" / "moments.npz").is_file()
    shutil.rmtree(base.path)
    other = explore(quick_spec | {"seed": 8}, base.path, device="cpu")  # another split of the same images
    run = explore(changed, tmp_path / "run", device="cpu")
    np.testing.assert_array_equal(run.scores("id_test"), other.scores("id_test"))
    pd.testing.assert_frame_equal(run.images("id_train"), other.images("id_train"))
    assert_same_tables(run, explore(changed, tmp_path / "anew", device="cpu"))


def test_a_base_that_is_the_same_is_not_adopted_twice(quick_run, quick_spec, new_ood, tmp_path, monkeypatch):
    def stop(event):
        if event.stage == "saving":
            raise KeyboardInterrupt

    changed = on_top_of(quick_run, quick_spec, new_ood)
    with pytest.raises(KeyboardInterrupt):
        explore(changed, tmp_path, device="cpu", report=stop)
    monkeypatch.setattr(reuse, "remove", lambda path: pytest.fail(f"{path} was adopted again"))
    assert explore(changed, tmp_path, device="cpu").ood_names == ["new"]


def test_the_base_is_left_as_it_was(finished, spec, new_ood, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in finished.path.rglob("*") if p.is_file()}
    explore(on_top_of(finished, spec, new_ood), tmp_path / "run", device="cpu")
    assert {p: p.stat().st_mtime_ns for p in finished.path.rglob("*") if p.is_file()} == before
    assert open_run(finished.path).digest == finished.digest
