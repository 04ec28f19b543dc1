"""The map along training, on a real network of a few steps: step 0, the last step, wrong weights, a killed stage."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import auroc, best_cell, compose
from cfs_explore.errors import RunCancelled, SpecError
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.store import evenly_spaced, open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies import controls as declared

STEPS, IMAGES = [0, 1, 2, 4, 5], 8


@pytest.fixture(scope="module", autouse=True)
def _few():
    patch = pytest.MonkeyPatch()
    patch.setattr(declared, "CONTROL_IMAGES", IMAGES)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def spec_of(spec):
    """A spec on a backbone; one draw, so that statistics of ID-train are those of the map."""
    return lambda backbone: spec | {"backbone": str(backbone), "draws": 1}


@pytest.fixture(scope="module")
def run(spec_of, kept_training, tmp_path_factory):
    """A finished run with the stage, and what it reported."""
    events = []
    found = explore(spec_of(kept_training), tmp_path_factory.mktemp("grown") / "run", device="cpu")
    found = diagnose(found, ["training"], device="cpu", report=events.append)
    found.events = [event for event in events if event.stage == "training"]
    return found


def map_at(run, step, ood="bright") -> np.ndarray:
    table = run.table("training_map").query("step == @step and ood == @ood")
    return table.sort_values(["level", "tap_index"])["auroc"].to_numpy()


def map_by_hand(run, ood="bright") -> np.ndarray:
    """AUROC of every cell of a run's own map, first draw, on the images that the stage takes."""
    parts = [run.scores("id_test"), run.scores("ood", ood)]
    parts = [scores[evenly_spaced(len(scores), IMAGES), :1] for scores in parts]
    cells = [Cell(k, t) for k in range(len(run.levels)) for t in range(len(run.taps))]
    return np.array([auroc(*(compose(part, [cell]) for part in parts)).value for cell in cells])


def test_tables_have_a_row_for_everything(run):
    assert run.manifest.stages["training"].state == "done"
    maps, steps = run.table("training_map"), run.table("training_steps")
    cells, sets = len(run.levels) * len(run.taps), len(run.ood_names)
    assert len(maps) == len(STEPS) * cells * sets and len(steps) == len(STEPS) * sets
    for table in (maps, steps):
        assert sorted(set(table["step"])) == STEPS and set(table.loc[table["own"], "step"]) == {5}
    assert set(zip(steps["ood"], steps["n_id"], steps["n_ood"], strict=True)) == {
        ("bright", 8, 8),
        ("folder", 8, 5),
        ("letters", 8, 8),
    }


def test_step_0_is_a_run_on_the_first_weights(run, spec_of, kept_training, tmp_path):
    other = explore(spec_of(kept_training / "milestones" / "000000"), tmp_path / "run", device="cpu")
    assert other.manifest.backbone.fingerprint != run.manifest.backbone.fingerprint
    for ood in run.ood_names:
        np.testing.assert_allclose(map_at(run, 0, ood), map_by_hand(other, ood), atol=1e-6)
    assert np.abs(map_at(run, 0) - map_at(run, 5)).max() > 0.05  # the test could tell them apart


def test_the_last_step_is_the_runs_own_map(run):
    for ood in run.ood_names:
        np.testing.assert_allclose(map_at(run, 5, ood), map_by_hand(run, ood), atol=1e-6)
        rows = run.table("training_map").query("ood == @ood and step == 5")
        assert (rows[["to_come", "to_come_lo", "to_come_hi"]] == 0).all(axis=None)


def test_numbers_of_a_step_are_those_of_its_map(run):
    for row in run.table("training_steps").query("ood == 'bright'").to_dict("records"):
        own, first = map_at(run, row["step"]), map_at(run, 0)
        assert row["mean"] == pytest.approx(own.mean()) and row["excess"] == pytest.approx(own.mean() - first.mean())
        assert row["highest"] == own.max()
        assert run.cell_number(row["level"], row["tap_index"]) == own.argmax()
        assert row["excess_lo"] <= row["excess"] <= row["excess_hi"]
        to_come = run.table("training_map").query("ood == 'bright' and step == @row['step']")["to_come"]
        np.testing.assert_allclose(to_come, map_at(run, 5) - own, atol=1e-12)


def test_the_best_cell_and_the_pair_of_the_last_step(run):
    """By the functions that judge a map, of its scores on the same images."""
    parts = [run.scores("id_test"), run.scores("ood", "bright")]
    parts = [scores[evenly_spaced(len(scores), IMAGES), :1] for scores in parts]
    row = run.table("training_steps").query("ood == 'bright' and own").iloc[0]
    assert row[["best", "best_lo", "best_hi"]].tolist() == pytest.approx(list(best_cell(*parts).honest))
    names, level = [tap.name for tap in run.taps], run.manifest.kept["level"]
    pair = [Cell(level, names.index(name)) for name in run.manifest.presets["sparse_ed"]]
    expected = auroc(*(compose(part, pair) for part in parts))
    assert row[["pair", "pair_lo", "pair_hi"]].tolist() == pytest.approx(list(expected))


def test_cost_is_what_was_announced(run):
    n_train, sets = run.counts.train, 8 + 8 + 5 + 8
    expected = 4 * (n_train + sets) * len(run.levels)
    assert run.counts.milestones == 4 and DIAGNOSTICS["training"].forwards(run.counts) == expected
    assert run.events[-1].done == run.events[-1].total == expected


@pytest.fixture
def copied(run, kept_training, tmp_path):
    """A copy of the run before the stage, whose spec names a copy of the milestones that a test may spoil."""

    def copy(spoil):
        way = shutil.copytree(kept_training, tmp_path / "net") / "milestones"
        path = shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("training_*.parquet"))
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["stages"].pop("training")
        manifest["files"] = {name: each for name, each in manifest["files"].items() if "training_" not in name}
        manifest["spec"]["backbone"]["milestones"] = str(way)
        (path / "manifest.json").write_text(json.dumps(manifest))
        spec = Study(open_run(path), Progress()).spec
        backbone = spec.backbone.model_copy(update={"milestones": str(way)})
        (path / "spec.yaml").write_text(spec.model_copy(update={"backbone": backbone}).to_yaml())
        spoil(way)
        return path

    return copy


def test_a_killed_stage_goes_on_where_it_stopped(copied, run, every_forward):
    """Stopped half way, the second attempt repeats no finished set and ends with the same tables."""
    path, total = copied(lambda way: None), run.events[-1].total
    study = Study(open_run(path), Progress(cancelled=lambda: sum(every_forward) > total // 2), device="cpu")
    with pytest.raises(RunCancelled):
        run_stages(study, ["training"])
    before = sum(every_forward)
    again = diagnose(path, ["training"], device="cpu")
    one_set = (run.counts.train + 1) * len(run.levels)
    assert total // 2 < before < sum(every_forward) <= total + one_set  # at most one set is measured twice
    for name in ("training_map", "training_steps"):
        pd.testing.assert_frame_equal(again.table(name), run.table(name))


def other_network(way, save_unet):
    shutil.rmtree(way / "000002")
    shutil.copytree(save_unet({"_class_name": "DDPMScheduler"}, block_out_channels=(8, 24)), way / "000002")


def other_schedule(way, save_unet):
    path = way / "000002" / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"beta_schedule": "squaredcos_cap_v2"}))


def no_weights(way, save_unet):
    shutil.rmtree(way / "000002" / "unet")


def damaged(way, save_unet):
    next((way / "000002" / "unet").glob("*.safetensors")).write_bytes(b"no weights")


def other_name(way, save_unet):
    (way / "000002").rename(way / "second")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (other_network, "000002 holds another architecture or noise schedule than"),
        (other_schedule, "000002 holds another architecture or noise schedule than"),
        (no_weights, "000002 does not load:"),
        (damaged, "000002 does not load:"),
        (other_name, "second is not called by a number of steps"),
        (lambda way, _: shutil.rmtree(way), "there is no folder"),
    ],
)
def test_weights_that_do_not_fit_are_named_before_any_is_measured(copied, save_unet, every_forward, spoil, says):
    path = copied(lambda way: spoil(way, save_unet))
    found = diagnose(path, ["training", "complementarity"], device="cpu")
    entry = found.manifest.stages["training"]
    assert entry.state == "skipped" and says in entry.why and entry.why.startswith("backbone.milestones: ")
    assert entry.why.endswith(".")
    assert found.manifest.stages["complementarity"].state == "done" and sum(every_forward) == 0
    assert not found.has_table("training_map")


def test_a_run_without_milestones_has_no_such_stage_and_all_says_why(finished, tmp_path):
    from cfs_explore.explorations.missing import missing_stages

    path = shutil.copytree(finished.path, tmp_path / "run")
    run = open_run(path)
    assert run.counts.milestones == 0 and DIAGNOSTICS["training"].forwards(run.counts) == 0
    assert "training" not in missing_stages(run)
    found = diagnose(run, ["training"], device="cpu")
    entry = found.manifest.stages["training"]
    assert entry.state == "skipped" and "has no milestones" in entry.why and "milestones: true" in entry.why


def test_a_folder_that_a_spec_names_wrongly_is_refused_before_any_image_is_read(tiny_spec, kept_training, tmp_path):
    spec = tiny_spec(8, 4, name="wrong", diagnostics="map")
    spec = spec | {"backbone": {"path": str(kept_training), "milestones": str(tmp_path / "nowhere")}}
    spec["id"]["train"]["source"] = str(tmp_path / "gone")
    with pytest.raises(SpecError, match=r"backbone\.milestones: there is no folder .*nowhere"):
        explore(spec, tmp_path / "run", device="cpu")
