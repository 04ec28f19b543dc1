"""The map while it is measured: fair samples that grow, no number of the finished run changed, and stopping early."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore import jobs
from cfs_explore.diagnostics import auroc_map
from cfs_explore.errors import RunCancelled
from cfs_explore.explorations.missing import measured_of
from cfs_explore.pipeline import diagnose, explore, growth
from cfs_explore.scoring import Moments, pair_squares
from cfs_explore.spec import RunSpec
from cfs_explore.store import SetWork, open_run
from cfs_explore.store.growing import growing_map
from cfs_explore.wording import counted


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """A look after every shard, at sets of any size."""
    monkeypatch.setattr(growth, "SECONDS", 0.0)
    monkeypatch.setattr(growth, "SHARE", 1e9)


@pytest.fixture(scope="session")
def small_shards(spec) -> dict:
    return spec | {"shard_size": 2, "batch_size": 8}


@pytest.fixture(scope="session")
def plain(small_shards, tmp_path_factory):
    """The finished run, measured without a look at it; read only."""
    patch = pytest.MonkeyPatch()
    patch.setattr(growth, "SECONDS", 3600.0)
    run = explore(small_shards, tmp_path_factory.mktemp("plain") / "run", device="cpu")
    patch.undo()
    return run


@pytest.fixture
def calm(monkeypatch):
    """No look, for tests that need none."""
    monkeypatch.setattr(growth, "SECONDS", 3600.0)


def watch(seen: list):
    """Keeps what a map so far says: counts, scores and the map by OOD set."""

    def look(run):
        counts = {entry.name: entry.count for entry in run.manifest.sets if entry.role == "ood"}
        ids = {name: run.images("ood", name)["image_id"].tolist() for name in counts}
        seen.append((run.id_test.count, counts, ids, {name: run.auroc_map(name) for name in counts}))

    return look


def test_watching_changes_no_number(small_shards, plain, tmp_path, assert_same_tables):
    seen = []
    grown = explore(small_shards, tmp_path / "grown", device="cpu", on_map=watch(seen))
    assert len(seen) > 5 and growing_map(grown.path) is None
    assert_same_tables(grown, plain)


def test_maps_so_far_are_those_of_the_images_they_name(small_shards, tmp_path):
    seen = []
    run = explore(small_shards, tmp_path / "run", device="cpu", on_map=watch(seen))
    n_id, counts, ids, maps = seen[len(seen) // 2]
    assert 0 < n_id < run.id_test.count and counts
    rows = {role: run.images(role, name)["image_id"].tolist() for role, name in (("id_test", None), ("ood", "bright"))}
    chosen = [rows["ood"].index(image_id) for image_id in ids["bright"]]
    scores = run.scores("ood", "bright")[chosen]
    frame = maps["bright"]
    assert (frame["n_ood"] == len(chosen)).all() and (frame["n_id"] == n_id).all()
    work_order = np.sort(np.random.default_rng(run.manifest.spec["seed"]).permutation(run.id_test.count)[:n_id])
    again = auroc_map(run.scores("id_test")[work_order], scores, run.levels, run.taps)
    pd.testing.assert_series_equal(frame["auroc"], again["auroc"])


def test_sets_grow_in_turns_and_at_random(small_shards, tmp_path):
    seen = []
    explore(small_shards, tmp_path / "run", device="cpu", on_map=watch(seen))
    every = [counts for _, counts, _, _ in seen]
    assert {name for counts in every for name in counts} == {"bright", "folder", "letters"}
    full = every[-1]
    for n_id, counts, _, _ in seen:  # nobody waits for another set to end
        behind = [name for name in full if counts.get(name, 0) < min(full[name], n_id - 4)]
        assert not behind, (n_id, counts)
    first = seen[0][2]["bright"]
    whole = seen[-1][2]["bright"]
    assert first != whole[: len(first)]  # not the first files of the folder


def test_stopping_early_makes_a_smaller_exploration(small_shards, plain, tmp_path):
    stop = []
    spec = small_shards | {"diagnostics": ["separation", "controls"]}
    part = explore(spec, tmp_path / "part", device="cpu", on_map=stop.append, enough=lambda: len(stop) > 2)
    assert 0 < part.id_test.count < plain.id_test.count
    assert part.entry("id_train").count == plain.entry("id_train").count
    for name in (None, "bright", "letters"):
        role = "ood" if name else "id_test"
        rows = plain.images(role, name)["image_id"].tolist()
        there = [rows.index(image_id) for image_id in part.images(role, name)["image_id"]]
        assert there == sorted(there)
        np.testing.assert_array_equal(part.scores(role, name), plain.scores(role, name)[there])
    assert any("were measured, drawn at random, since the run was stopped early" in w for w in part.manifest.warnings)
    n = counted(part.entry("ood", "bright").count, "image")
    assert f"bright: only {n}, so its confidence intervals are wide." in part.manifest.warnings
    assert set(part.manifest.stages) == {"separation"}  # controls need forwards: left for later
    later = diagnose(part, ["controls"], device="cpu")
    assert later.manifest.stages["controls"].state == "done"
    excess = later.table("excess")
    assert (excess.loc[excess["ood"] == "bright", "n_ood"] == part.entry("ood", "bright").count).all()


def test_a_cancelled_run_can_be_kept(small_shards, tmp_path, monkeypatch):
    run = jobs.create_at(tmp_path / "run", RunSpec.parse(small_shards))
    maps = []

    def cancel_after_two(so_far):
        maps.append(so_far)
        if len(maps) == 2:
            (run / "cancel").touch()

    with pytest.raises(RunCancelled):
        jobs.work(run, device="cpu", on_map=cancel_after_two)
    assert growing_map(run) is not None and not (run / "manifest.json").exists()
    jobs.work(run, device="cpu", keep=True)
    kept = open_run(run)
    assert 0 < kept.id_test.count < 12 and not (run / "keep").exists()
    assert jobs.read_status(run).state == "finished"


def test_a_stop_waits_until_every_set_has_images(small_shards, tmp_path):
    run = explore(small_shards, tmp_path / "run", device="cpu", enough=lambda: True)
    assert {entry.count for entry in run.manifest.sets if entry.role != "id_train"} == {2}


@pytest.mark.usefixtures("calm")
def test_pairs_do_not_depend_on_shards(small_shards, tmp_path):
    """All pairs of a block count, however small the shards were (theory 11)."""
    sums = []
    for size in (1, 5, 100):
        run = explore(small_shards | {"shard_size": size}, tmp_path / str(size), device="cpu")
        sums.append(run.pair_squares())
        assert not list(run.path.rglob("blocks"))
    assert [pairs for _, pairs in sums] == [2 * 12 * 11] * 3
    np.testing.assert_allclose(sums[0][0], sums[2][0], rtol=1e-4)
    np.testing.assert_allclose(sums[1][0], sums[2][0], rtol=1e-4)


@pytest.mark.usefixtures("calm")
def test_pairs_within_full_blocks(small_shards, tmp_path, monkeypatch):
    """With blocks of five images, shards of two make blocks of four; the last one holds what is left."""
    monkeypatch.setattr("cfs_explore.pipeline.shards.block_size", lambda reader, draws: 5)
    run = explore(small_shards, tmp_path / "run", device="cpu")
    assert run.pair_squares()[1] == 2 * 3 * (4 * 3)
    one = np.random.default_rng(0).normal(size=(1, 1, 3, 4)).astype(np.float32)
    moments = Moments(1, np.zeros((1, 4)), np.ones((1, 4)), np.zeros((1, 4)))
    gram = one[0, 0] @ one[0, 0].T
    expected = (gram**2).sum() - (np.diag(gram) ** 2).sum()
    np.testing.assert_allclose(pair_squares(one, moments, {"tap": slice(0, 4)})[0], expected, rtol=1e-5)


def test_shards_of_another_size_are_measured_again(small_shards, plain, tmp_path, assert_same_tables):
    """As another version leaves them: they hold other rows."""
    maps = []

    def stop(so_far):
        maps.append(so_far)
        raise RunCancelled("enough seen")

    with pytest.raises(RunCancelled):
        explore(small_shards, tmp_path / "run", device="cpu", on_map=stop)
    work = SetWork(tmp_path / "run" / "work" / "id-test")
    work.write_moments(work.moments() | {"size": np.int64(3)})
    again = explore(small_shards, tmp_path / "run", device="cpu")
    assert_same_tables(again, plain)


def test_every_set_is_shown_as_soon_as_each_had_its_turn(small_shards, tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "SHARE", 1e-9)
    monkeypatch.setattr(growth, "MOST_SECONDS", 3600.0)  # no other look but the first
    seen = []
    explore(small_shards | {"shard_size": 4}, tmp_path / "run", device="cpu", on_map=watch(seen))
    assert [set(counts) for _, counts, _, _ in seen][-1] == {"bright", "folder", "letters"}
    assert len(seen) <= 2


def test_a_run_that_is_about_to_end_is_not_held_up_by_looks(small_shards, tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "SECONDS", 3600.0)
    seen = []
    explore(small_shards, tmp_path / "run", device="cpu", on_map=watch(seen))
    assert not seen


def test_stored_id_images_do_not_count_as_measured(small_shards, plain, tmp_path):
    """Of a run that was stopped early and takes its ID statistics from another."""
    spec = small_shards | {"id": {"run": str(plain.path)}, "seed": 1}
    part = explore(spec, tmp_path / "part", device="cpu", enough=lambda: True)
    counts = [part.entry("ood", name).count for name in part.ood_names]
    whole = sum(plain.entry("ood", name).count for name in plain.ood_names)
    assert measured_of(part) == (sum(counts), whole) and sum(counts) < whole


def test_looks_are_spaced_also_where_nothing_has_grown(monkeypatch):
    monkeypatch.setattr(growth, "SECONDS", 3600.0)
    looks = []
    monkeypatch.setattr(growth, "measured_parts", lambda plan, most: looks.append(most) or [])
    watched = growth.Growth(None, None)
    for _ in range(5):
        watched.look(None)
    assert len(looks) == 1
