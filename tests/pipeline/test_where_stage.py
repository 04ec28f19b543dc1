"""The stage that judges where scores come from, on real runs of the tiny backbone: planted patches and masks."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.corruption import to_signed
from cfs_explore.diagnostics import Groups, auroc
from cfs_explore.diagnostics.delong import delong
from cfs_explore.errors import RunCancelled
from cfs_explore.images.planted import corners_of, marks, planted
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.where import compute
from cfs_explore.pipeline.where_sets import _joined
from cfs_explore.probe.score_map import at_size, cell_maps
from cfs_explore.store import Run, open_run
from cfs_explore.studies import DIAGNOSTICS

WHERE = DIAGNOSTICS["where"]


class Counted(Progress):
    """Adds up what is said to be done."""

    done = 0

    def advance(self, count, *words, **options):
        self.done += count
        super().advance(count, *words, **options)


def study_of(path, backbone, **options) -> Study:
    progress = Counted(**options)
    progress.start("where", 1, "forwards")
    return Study(open_run(path), progress, backbone=backbone)


@pytest.fixture
def study(finished, tiny, tmp_path):
    return study_of(shutil.copytree(finished.path, tmp_path / "copy"), tiny)


@pytest.fixture(scope="module")
def tables(finished, tiny, tmp_path_factory):
    """Of the finished run, computed once."""
    return compute(study_of(shutil.copytree(finished.path, tmp_path_factory.mktemp("where") / "copy"), tiny))


def test_tables_cost_and_resuming(study, tables, every_forward):
    run = study.run
    run.taps[0], study.backbone.untrained(0).taps()
    every_forward.clear()
    again = compute(study)
    assert {name: list(table) for name, table in again.items()} == {t.name: t.column_names for t in WHERE.tables}
    planned = WHERE.forwards(run.counts)
    assert planned == 2 * (24 + 12 + 2 * (11 + 5 + 9)) == study.progress.done == sum(every_forward)
    cells = len(run.levels) * len(run.taps)
    assert len(again["localisation"]) == cells * 2 * 2 * len(run.ood_names)
    assert len(again["localisation_best"]) == 3 * 2 * len(run.ood_names)
    assert again["localisation_pixels"]["ood"].tolist() == run.ood_names
    assert not again["localisation"].isna().any(axis=None)
    every_forward.clear()
    study.pieces.begin()
    compute(study)
    assert study.progress.done == 2 * planned and not every_forward  # kept, and counted as done
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name], rtol=1e-3)


def test_a_killed_stage_goes_on_where_it_stopped(finished, tiny, tables, tmp_path, every_forward):
    path = shutil.copytree(finished.path, tmp_path / "copy")
    with pytest.raises(RunCancelled):
        compute(study_of(path, tiny, cancelled=lambda: sum(every_forward) > 120))
    before = sum(every_forward)
    again = compute(study_of(path, tiny))
    assert 120 < before < sum(every_forward) < WHERE.forwards(finished.counts) + 24 + 1  # at most one piece twice
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name], rtol=1e-3)


def test_the_controls_statistics_are_shared(study, every_forward):
    train = study.sample("id_train", limit=2000)
    study.statistics("controls/untrained-0/id_train", train, study.run.levels, backbone=study.backbone.untrained(0))
    every_forward.clear()
    compute(study)
    assert sum(every_forward) == WHERE.forwards(study.run.counts) - len(train) * len(study.run.levels)


@pytest.mark.parametrize("ood", ["bright", "folder"])
def test_numbers_are_those_of_the_maps_of_planted_images(study, tables, ood):
    """A cell by the public map of the images, made here by hand: a square of an OOD image, 3 of 8 pixels wide."""
    run, n = study.run, {"bright": 11, "folder": 5}[ood]
    clean, donors = study.sample("id_test"), study.sample("ood", ood)
    rows = np.linspace(0, 11, n).round().astype(int)
    ids = [clean.ids[row] for row in rows]
    corners = corners_of(ids, study.spec.seed, (8, 8))
    images, marked = clean.original[rows].copy(), marks(corners, 3, (8, 8))
    for image, donor, corner in zip(images, donors.original, corners, strict=True):
        square = (slice(None), *np.ix_(*((start + np.arange(3)) % 8 for start in corner)))  # goes on at the other edge
        image[square] = donor[square]
    assert (images == planted(clean.original[rows], donors.original, corners, 3)).all()
    tap = next(t for t, tap in enumerate(run.taps) if tap.resolution == 4)
    (maps,) = cell_maps(
        run, study.backbone, study.spec, to_signed(images), ids, [run.cell(len(run.taps) + tap)], draws=1
    )
    table = tables["localisation"].query("ood == @ood and network == 'trained' and level == 1 and tap_index == @tap")
    groups = Groups(np.nonzero(~marked)[0], np.nonzero(marked)[0])
    for part, row in zip((0, 1), table.itertuples(), strict=True):
        large = at_size(maps[:, 0, part], (8, 8))
        value, _ = delong(large[~marked][None], large[marked][None], groups)
        assert row.auroc == pytest.approx(value[0], abs=1e-3) and row.lo < row.auroc < row.hi
        stored, scores = run.scores("id_test", level=1)[rows, 0, 0, tap], maps[:, 0, 0].mean(axis=(1, 2))
        assert row.detection == pytest.approx(auroc(stored, scores).value, abs=1e-6)
        assert (row.n_id, row.n_ood, row.side, row.truth) == (n, n, 3, "patch")
        assert row.share == pytest.approx(9 / 64)


def test_the_pixels_are_judged_by_their_squared_z_scores(study, tables):
    x = to_signed(study.sample("id_train").original).astype(float)
    clean, donors = study.sample("id_test"), study.sample("ood", "bright")
    rows = np.linspace(0, 11, 11).round().astype(int)
    corners = corners_of([clean.ids[row] for row in rows], study.spec.seed, (8, 8))
    images = to_signed(planted(clean.original[rows], donors.original, corners, 3))
    z = ((images - x.mean(axis=0)) ** 2 / np.maximum(x.var(axis=0), (0.5 / 127.5) ** 2))[:, 0]
    marked = marks(corners, 3, (8, 8))
    row = tables["localisation_pixels"].iloc[0]
    assert row["auroc"] == pytest.approx(auroc(z[~marked], z[marked]).value) and row["n_train"] == 24


def test_best_cells_are_the_tables(study, tables):
    best, cells = tables["localisation_best"], tables["localisation"]
    for of, rows in best.groupby(["ood", "part"]):
        own = cells.set_index(["network", "ood", "part"]).sort_index().loc[("trained", *of)]
        assert rows["tap"].unique().tolist() == [own["tap"].iloc[own["auroc"].argmax()]]
        assert set(rows["control"]) == {"untrained", "input tap", "pixels"}
        assert (rows["trained"] <= own["auroc"].max() + 0.05).all()  # which is chosen by all images
    pixels = best[best["control"] == "pixels"].drop_duplicates("ood")["auroc"]
    assert pixels.tolist() == pytest.approx(tables["localisation_pixels"]["auroc"].tolist())


@pytest.fixture(scope="module")
def plain_input(tiny_folder, tmp_path_factory):
    """The tiny network with a first layer that hands the image on, in its first channel alone."""
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(tiny_folder, tmp_path_factory.mktemp("plain") / "net")
    path = next((folder / "unet").glob("*.safetensors"))
    weights = load_file(path)
    kernel = np.zeros_like(weights["conv_in.weight"])
    kernel[0, 0, 1, 1] = 1
    save_file(weights | {"conv_in.weight": kernel, "conv_in.bias": np.zeros(8, np.float32)}, path)
    return folder


def test_a_network_of_known_behaviour_localises(plain_input, tiny_spec, tmp_path):
    """A tap that holds the image itself finds white patches where there is little noise, and no ID patches."""
    spec = tiny_spec(90, 1, name="known", diagnostics="map", levels=[9.0, -7.0], draws=1)
    white = tmp_path / "white.npz"
    np.savez(white, images=np.full((30, 8, 8), 255, np.uint8))
    same = {"name": "alike", "source": spec["id"]["train"]["source"], "limit": 30}
    spec |= {"backbone": str(plain_input), "ood": [{"name": "white", "source": str(white)}, same]}
    run = run_stages(Study(explore(spec, tmp_path / "run", device="cpu"), Progress()), ["where"])
    cells = run.table("localisation").query("network == 'trained' and tap == 'conv_in'")
    found = cells.set_index(["ood", "part", "level"]).sort_index()
    assert found.loc[("white", "deviation", 0), "auroc"] > 0.97 and found.loc[("white", "deviation", 0), "aupro"] > 0.9
    assert found.loc[("white", "score", 0), "lo"] > 0.8
    assert abs(found.loc[("white", "deviation", 1), "auroc"] - 0.5) < 0.1  # all but noise
    assert (abs(found.loc[("alike", "deviation"), "auroc"] - 0.5) < 0.1).all()
    best = run.table("localisation_best").query("ood == 'white' and part == 'deviation' and control == 'pixels'")
    assert abs(best["excess"].item()) < 0.05  # pixel by pixel that tap has nothing that the image has not


def test_a_map_of_one_position_has_nothing_to_localise(save_unet, tiny_spec, tmp_path):
    four = {"block_out_channels": (8,) * 4, "down_block_types": ("DownBlock2D",) * 4}
    folder = save_unet({"_class_name": "DDPMScheduler"}, **four, up_block_types=("UpBlock2D",) * 4)
    spec = tiny_spec(40, 12, name="deep", diagnostics="map", levels=[5.0], draws=1) | {"backbone": str(folder)}
    run = run_stages(Study(explore(spec, tmp_path / "run", device="cpu"), Progress()), ["where"])
    cells = run.table("localisation")
    point = cells["resolution"] == 1
    assert point.any() and not point.all()
    numbers = ["auroc", "lo", "hi", "aupro", "aupro_lo", "aupro_hi"]
    assert cells.loc[point, numbers].isna().all(axis=None) and not cells.loc[~point, numbers].isna().any(axis=None)
    assert not cells["detection"].isna().any()
    only = spec | {"taps": cells.loc[point, "tap"].unique().tolist(), "keep": "none"}
    run = run_stages(Study(explore(only, tmp_path / "only", device="cpu"), Progress()), ["where"])
    entry = run.manifest.stages["where"]
    assert entry.state == "skipped" and "1 x 1: there is nothing to localise" in entry.why


def test_one_ood_image_has_numbers_without_a_best_cell(quick_spec, tmp_path, tiny, write_images):
    spec = quick_spec | {"ood": [{"name": "one", "source": str(write_images(1, seed=8))}]}
    run = run_stages(Study(explore(spec, tmp_path / "run", device="cpu"), Progress(), backbone=tiny), ["where"])
    cells = run.table("localisation")
    assert np.isfinite(cells[["auroc", "lo", "hi", "aupro"]]).all(axis=None) and (cells["n_ood"] == 1).all()
    assert run.table("localisation_best")["excess"].isna().all()


def test_what_was_kept_of_other_marks_is_not_taken(study, tables, monkeypatch):
    """As of an older version that planted elsewhere, or of masks that were drawn anew."""
    compute(study)
    monkeypatch.setattr("cfs_explore.pipeline.where_sets.corners_of", lambda ids, *_: np.ones((len(ids), 2), int))
    elsewhere = compute(study)["localisation"]
    shutil.rmtree(study.run.path / "work" / "diagnose" / "where")
    pd.testing.assert_frame_equal(elsewhere, compute(study)["localisation"], rtol=1e-3)
    assert (elsewhere["auroc"] != tables["localisation"]["auroc"]).any()


def test_images_that_belong_together_count_as_one(study, tables, monkeypatch):
    names = np.array([str(i // 4) for i in range(12)], dtype=object)
    original = Run.names_of_groups
    monkeypatch.setattr(Run, "names_of_groups", lambda self, *of: names if of == ("id_test",) else original(self, *of))
    together = compute(study)["localisation"]
    alone = tables["localisation"]
    assert together["auroc"].to_numpy() == pytest.approx(alone["auroc"].to_numpy(), abs=1e-6)
    assert np.nanmean(together["hi"] - together["lo"]) > np.nanmean(alone["hi"] - alone["lo"])


def test_groups_are_joined_through_images_and_patches():
    assert _joined(["a", None, "a", "b", None]).tolist() == [0, 1, 0, 3, 4]
    assert _joined(["a", None, "a", "b", None], [None, None, "x", "x", "y"]).tolist() == [0, 1, 0, 0, 4]
    assert _joined([None] * 3, ["x", "y", "x"]).tolist() == [0, 1, 0]
