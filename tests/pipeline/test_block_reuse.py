"""What one run measured, another takes from the cache: without forwards, to the same bits, and only if all is equal."""

import itertools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cfs_explore.errors import RunCancelled
from cfs_explore.locations import runs_root
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.progress import Progress
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots

pytestmark = pytest.mark.slow

#: Forwards that choose ``sparse_ed_id`` (24 images, two draws), which every run does anew.
CHOICE = 24 * 2
#: The forward that tells networks apart, of runs with a cache.
ANSWER = 1

LINEAR = {"_class_name": "DDPMScheduler", "beta_schedule": "linear"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, tiny):
    """The folder of an empty cache."""
    tiny.taps()  # found by a forward, once
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CFS_EXPLORE_CACHE_GB", "0.1")
    return runs_root() / ".cache"


@pytest.fixture
def measured(quick_spec) -> dict:
    """Two OOD sets, several shards of each set, snapshots kept."""
    images = {"name": "bright", "source": quick_spec["ood"][0]["source"]}
    more = {"name": "letters", "source": {"builtin": "letters", "n": 9, "side": 8}}
    return quick_spec | {"ood": [images, more], "shard_size": 5, "keep": ["conv_in"], "draws": 2, "levels": [5.0, -1.0]}


@pytest.fixture
def go(tmp_path):
    """Run a spec in a folder of its own."""

    def run(spec, name, **options):
        return explore(spec, tmp_path / name, device="cpu", **options)

    return run


def counts(run) -> tuple[int, int]:
    """Shards of a run, and those of them that came from the cache."""
    measured = json.loads((run.path / "manifest.json").read_text())["measured"]
    return measured["shards"], measured["reused"]


def assert_same_arrays(left, right, names):
    """Equal to the last bit: scores, moments, kept snapshots; tables but for the sets' names."""
    for role, here, there in names:
        assert left.snapshots("conv_in", role, here).tobytes() == right.snapshots("conv_in", role, there).tobytes()
        stored = [run.moments(role, name).to_arrays() for run, name in ((left, here), (right, there))]
        assert all(np.array_equal(stored[0][key], stored[1][key]) for key in ("count", "mean", "m2", "m2_within"))
        if role != "id_train":
            assert left.scores(role, here).tobytes() == right.scores(role, there).tobytes()


def test_the_same_images_under_other_names(measured, go, forwards, cache):
    first = go(measured, "first")
    assert counts(first) == (5 + 3 + 3 + 2, 0) and len(list(cache.glob("*.npy"))) == 13
    assert sum(forwards) == CHOICE + ANSWER + (24 + 12 + 11 + 9) * 4
    forwards.clear()
    renamed = [measured["ood"][0] | {"name": "shining"}, measured["ood"][1] | {"name": "type"}]
    second = go(measured | {"name": "again", "ood": renamed}, "second")
    assert forwards == [CHOICE, ANSWER] and counts(second) == (13, 13)
    same = [("id_train", "ramps", "ramps"), ("id_test", "ramps", "ramps")]
    assert_same_arrays(first, second, [*same, ("ood", "bright", "shining"), ("ood", "letters", "type")])
    for table in ("auroc_map", "detectors", "best_cell"):
        frame = second.table(table).replace({"ood": {"shining": "bright", "type": "letters"}})
        pd.testing.assert_frame_equal(first.table(table), frame, check_exact=True)


def test_equals_a_run_without_a_cache(measured, go, monkeypatch, assert_same_tables):
    first, second = go(measured, "first"), go(measured, "second")
    assert counts(second) == (13, 13)
    monkeypatch.setenv("CFS_EXPLORE_CACHE_GB", "0")
    without = go(measured, "without")
    assert counts(without) == (13, 0)
    for run in (first, second):
        assert_same_tables(run, without)
    np.testing.assert_array_equal(second.snapshots("conv_in", "id_train"), without.snapshots("conv_in", "id_train"))
    assert second.pair_squares()[1] == without.pair_squares()[1]
    np.testing.assert_array_equal(second.pair_squares()[0], without.pair_squares()[0])


def test_only_what_is_new_is_measured(measured, go, forwards, write_images, monkeypatch, assert_same_tables):
    """Another OOD set beside an old one; another ID-train set, against which the old images are scored anew."""
    go(measured, "first")
    forwards.clear()
    new = {"name": "new", "source": str(write_images(6, seed=12, shift=-30))}
    second = go(measured | {"ood": [new, measured["ood"][0]]}, "second")
    assert sum(forwards) == CHOICE + ANSWER + 6 * 4 and counts(second) == (5 + 3 + 2 + 3, 5 + 3 + 3)
    forwards.clear()
    train = {"name": "other", "source": str(write_images(25, seed=13))}
    id_sets = {"train": train, "test": new}
    third = go(measured | {"id": id_sets}, "third")
    assert sum(forwards) == 25 * 2 + ANSWER + 25 * 4 and counts(third) == (5 + 2 + 3 + 2, 2 + 3 + 2)
    monkeypatch.setenv("CFS_EXPLORE_CACHE_GB", "0")
    assert_same_tables(third, go(measured | {"id": id_sets}, "third without"))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"levels": [5.0, -1.5]}, 0),
        ({"levels": [5.0]}, 0),
        ({"taps": ["conv_in", "up_blocks.0.resnets.0"]}, 0),
        ({"draws": 1}, 0),
        ({"precision": "bf16"}, 0),
        ({"batch_size": 7}, 0),  # sums in another order differ in their last bits
        ({"shard_size": 5}, 0),
        ({"conditioning_offset": 1.0}, 0),
        ({"resize": "pad"}, 2 + 2),  # the sets that have the right size already
    ],
)
def test_whatever_decides_the_numbers_is_part_of_the_key(quick_spec, go, write_images, tmp_path, changes, found):
    wide = np.load(write_images(16, side=24))["images"][:, :12]
    np.savez(tmp_path / "wide.npz", images=wide)
    id_sets = {
        "train": {"name": "wide", "source": str(tmp_path / "wide.npz")},
        "test": {"name": "test", "source": str(write_images(8, seed=5))},
    }
    ood = [{"name": "few", "source": str(write_images(8, seed=6))}]
    spec = quick_spec | {"id": id_sets, "ood": ood, "shard_size": 4, "levels": [5.0, -1.0], "draws": 2}
    assert counts(go(spec, "first")) == (4 + 2 + 2, 0)
    assert counts(go(spec | changes, "second"))[1] == found
    assert counts(go(spec, "third")) == (8, 8)


def test_another_seed_draws_other_noise(quick_spec, go, write_images):
    """With ID images that no seed has to split or to choose."""
    sets = {key: {"name": key, "source": str(write_images(6, seed=20 + i))} for i, key in enumerate(("train", "test"))}
    spec = quick_spec | {"id": sets}
    assert counts(go(spec, "first")) == (3, 0)
    assert counts(go(spec | {"seed": 8}, "second")) == (3, 0)
    assert counts(go(spec, "third")) == (3, 3)


def test_another_network(quick_spec, go, save_unet):
    """Other weights; and equal weights with another number of heads, which have the same fingerprint."""
    folders = [save_unet(LINEAR, seed=1), save_unet(LINEAR, seed=2), save_unet(LINEAR, seed=1, attention_head_dim=8)]
    runs = [go(quick_spec | {"backbone": str(path)}, f"run-{i}") for i, path in enumerate(folders)]
    assert [counts(run) for run in runs] == [(3, 0)] * 3
    assert not np.array_equal(runs[0].scores("id_test"), runs[2].scores("id_test"))
    moved = shutil.copytree(folders[0], folders[0].parent / "elsewhere")
    assert counts(go(quick_spec | {"backbone": str(moved)}, "moved")) == (3, 3)


def test_another_pixel_under_the_same_id(measured, go, cache, tmp_path):
    """Ids that come with the images do not vouch for the pixels."""
    from cfs_explore.pipeline import prepare

    first = go(measured, "first")
    original = prepare.prepare

    def brightened(source, shape, resize, path, *rest, **options):
        skipped = original(source, shape, resize, path, *rest, **options)
        pixels = np.load(path)
        pixels[0, 0, 0, 0] ^= 1
        np.save(path, pixels)
        return skipped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "prepare", brightened)
        second = go(measured, "second")
    assert list(first.images("ood", "bright")["image_id"]) == list(second.images("ood", "bright")["image_id"])
    assert counts(second) == (13, 13 - 3)  # the first shard of both OOD sets, and of train or test


def test_a_cut_file_is_measured_again(measured, go, cache, assert_same_tables):
    first = go(measured, "first")
    files = sorted(cache.glob("*.npy"))
    files[2].write_bytes(files[2].read_bytes()[:-50])
    files[4].write_bytes(b"")
    second = go(measured, "second")
    assert counts(second) == (13, 11)
    assert_same_tables(first, second)
    assert counts(go(measured, "third")) == (13, 13)


def test_fresh_takes_nothing_and_mends_what_is_there(measured, go, forwards, cache):
    go(measured, "first")
    before = {path.name: path.read_bytes() for path in cache.glob("*.npy")}
    forwards.clear()
    fresh = go(measured, "fresh", fresh=True)
    assert counts(fresh) == (13, 0) and sum(forwards) == CHOICE + ANSWER + 56 * 4
    assert {path.name: path.read_bytes() for path in cache.glob("*.npy")} == before


def test_no_cache(measured, go, monkeypatch, cache, forwards):
    monkeypatch.setenv("CFS_EXPLORE_CACHE_GB", "0")
    assert counts(go(measured, "first")) == (13, 0)
    assert not cache.exists() and sum(forwards) == CHOICE + 56 * 4


def test_a_cache_that_cannot_be_written_fails_no_run(measured, go, cache, assert_same_tables):
    first = go(measured, "first")
    shutil.rmtree(cache)
    cache.write_text("in the way")
    second = go(measured, "second")
    assert counts(second) == (13, 0)
    assert_same_tables(first, second)


def test_stopped_and_resumed(measured, go, assert_same_tables):
    """Shards that came from the cache are counted once, in whichever attempt."""
    whole = go(measured | {"ood": measured["ood"][:1]}, "first")
    events = []
    with pytest.raises(RunCancelled):
        go(measured, "second", report=events.append, cancelled=lambda: sum("before" in e.detail for e in events) == 4)
    assert counts(go(measured, "second")) == (13, 11)
    assert_same_tables(go(measured | {"ood": measured["ood"][:1]}, "third"), whole)


def test_progress_goes_on_and_its_rate_is_that_of_forwards(measured, go):
    def events_of(name, spec):
        events = []
        go(spec, name, report=lambda e: events.append(e) if e.stage == "measuring" else None)
        return events

    whole = events_of("first", measured)
    reused = events_of("second", measured)
    for events in (whole, reused):
        assert events[0].done == 0 and events[-1].done == events[-1].total == 56 * 4
        assert all(a.done <= b.done for a, b in itertools.pairwise(events))
    assert all(e.rate is None for e in reused)
    assert {e.detail for e in reused[1:]} == {f"{name} (measured before)" for name in ("ramps", "bright", "letters")}


def test_units_that_were_there_do_not_speed_the_rate_up(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, 2.0, 10.0])
    monkeypatch.setattr("cfs_explore.pipeline.progress.time.monotonic", lambda: next(clock))
    events = []
    progress = Progress(events.append)
    progress.start("measuring", 100, "forwards")
    progress.advance(60, "", reused=True)
    progress.advance(10, "")
    progress.advance(10, "")
    assert [e.rate for e in events] == [None, None, 5.0, 10 / 8]  # what came before the first does not count
    assert [e.done for e in events] == [0, 60, 70, 80] and events[-1].eta == 16.0


def test_gpus_of_one_kind_share_their_blocks(tiny, monkeypatch):
    """What was measured on cuda:0 is found on cuda:1 of the same model, by a worker with other threads, too."""
    models = {"cuda:0": "H200", "cuda:1": "H200", "cuda:2": "A100"}
    monkeypatch.setattr("cfs_explore.pipeline.measure._answer", lambda reader: b"the same")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: models[str(device)])
    taps, level = tiny.taps(), tiny.match(5.0)

    def key(device: str, threads: int) -> str:
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        reader = Reader(tiny, TapSnapshots([level], taps), batch_size=4)
        reader.backbone = SimpleNamespace(fingerprint=tiny.fingerprint, device=torch.device(device))
        measurement = Measurement(reader, 1, 0, 4, 0, {})
        return measurement._key(["a"], np.zeros((1, *tiny.image_shape), dtype=np.uint8))

    assert key("cuda:0", 2) == key("cuda:1", 1) != key("cuda:2", 2)
    assert len({key("cpu", 1), key("cpu", 2), key("cuda:0", 1)}) == 3
