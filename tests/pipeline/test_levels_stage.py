"""The levels stage: curves of networks whose answer is known, pictures of x_lam, and times of forwards."""

import io
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cfs_explore.corruption import array_ids, keyed_noise
from cfs_explore.diagnostics import ssim
from cfs_explore.errors import RunCancelled
from cfs_explore.levels import ContinuousVE
from cfs_explore.pipeline.alignment_curve import alignment_curve, curve_levels
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.timing import time_taps
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies.levels import curve_lams

TABLES = ("alignment_curves", "level_pictures")


class Predictor:
    """A backbone that knows the images: it answers with a share of the noise in x_lam."""

    image_shape = input_shape = (1, 8, 8)

    def __init__(self, images, share):
        import torch

        self._clean, self._share, self.device = torch.from_numpy(images), share, torch.device("cpu")
        self._schedule = ContinuousVE(0.01, 20.0)
        self.reach, self.match = self._schedule.reach, self._schedule.match
        self._done = 0

    def encode(self, images):
        return images

    def decode(self, x):
        return x

    def predict_eps(self, x, levels):
        level = levels[0]
        assert set(levels) == {level} and len(levels) == len(x)
        part = self._clean[self._done % len(self._clean) :][: len(x)]
        self._done += len(x)
        return self._share * (x - level.a * part) / level.b


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_score_norm_of_a_prescribed_predictor(tiny_images, share):
    curve = alignment_curve(Predictor(tiny_images, share), tiny_images, array_ids(tiny_images), 0)
    np.testing.assert_allclose(curve["score_norm"], share**2, rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose(curve["score_norm_se"], 0, atol=1e-4)
    assert (curve["n"] == 24).all() and curve["lam"].is_monotonic_decreasing


def test_curve_by_hand(tiny, tiny_images):
    ids, seen = array_ids(tiny_images), []
    curve = alignment_curve(tiny, tiny_images, ids, 3, after_batch=seen.append)
    assert sum(seen) == len(curve) * 24
    import torch

    level, noise = curve_levels(tiny)[10], keyed_noise(ids, 1, (1, 8, 8), 3)[0]
    x = level.a * tiny_images + level.b * noise
    with torch.inference_mode():
        estimate = tiny.predict_eps(torch.from_numpy(x), level).numpy()
    row = curve.iloc[10]
    assert row["lam"] == level.lam and row["native"] == level.native
    assert row["score_norm"] == pytest.approx((estimate**2).sum() / (noise**2).sum(), rel=1e-5)
    unlike = 1 - ssim(tiny_images, x / level.a)
    assert row["perceptual"] == pytest.approx(unlike.mean(), rel=1e-5)
    assert row["perceptual_se"] == pytest.approx(unlike.std(ddof=1) / np.sqrt(24), rel=1e-4)


def test_grid_of_the_curves():
    assert curve_lams(-10.0, 2.0) == [2.0 - 0.5 * i for i in range(21)]
    assert curve_lams(-1.25, 0.0) == [0.0, -0.5, -1.0, -1.25]
    assert curve_lams(-20.0, -9.0) == [-9.0]


@pytest.fixture(scope="module")
def copy_run(finished, tmp_path_factory):
    def copy():
        path = tmp_path_factory.mktemp("levels") / "run"
        shutil.copytree(finished.path, path)
        return open_run(path)

    return copy


@pytest.fixture(scope="module")
def run(copy_run, tiny):
    events = []
    run = run_stages(Study(copy_run(), Progress(events.append), backbone=tiny), ["levels"])
    run.events = [event for event in events if event.stage == "levels and cost"]
    return run


def test_the_stage_ends_at_the_announced_forwards(run):
    assert run.manifest.stages["levels"].state == "done"
    expected = DIAGNOSTICS["levels"].forwards(run.counts)
    assert run.events[-1].done == run.events[-1].total == expected
    assert [event.done for event in run.events] == sorted(event.done for event in run.events)


def test_the_curve_covers_the_reach_and_grows_with_the_noise(run, tiny):
    curve = run.table("alignment_curves")
    high = tiny.reach[1]
    assert curve["lam"].iloc[0] == pytest.approx(high) and curve["lam"].iloc[-1] == pytest.approx(-8.0, abs=0.05)
    assert curve["perceptual"].iloc[0] < 0.1 and curve["perceptual"].iloc[-1] > 0.9
    assert (curve["n"] == run.counts.train).all() and not curve.isna().any(axis=None)


def test_pictures_are_the_corrupted_images(run, tiny):
    pictures = run.table("level_pictures")
    assert len(pictures) == (4 + len(run.ood_names)) * (1 + len(run.levels))
    study = Study(run, Progress(), backbone=tiny)
    study.progress.start("by hand", 1, "")
    sample = study.sample("ood", "bright", limit=1)
    mine = pictures[pictures["dataset"] == "bright"].set_index("level")["png"]
    shown = {level: np.asarray(Image.open(io.BytesIO(png))) for level, png in mine.items()}
    assert (shown[-1] == sample.pixels[0, 0]).all()
    level, noise = run.levels[1], keyed_noise(sample.ids, 1, (1, 8, 8), study.spec.seed)[0, 0, 0]
    x = level.a * (sample.pixels[0, 0] / 127.5 - 1) + level.b * noise
    expected = (np.clip(x / np.hypot(level.a, level.b), -1, 1) + 1) * 127.5
    np.testing.assert_allclose(shown[1], expected, atol=0.51)


def test_cost_has_every_tap_and_the_whole_forward(run):
    cost = run.table("cost")
    assert cost["tap"].tolist() == [*(tap.name for tap in run.taps), ""]
    assert (cost["ms"] > 0).all() and (cost["ms_lo"] <= cost["ms"]).all() and (cost["ms"] <= cost["ms_hi"]).all()
    assert (cost["repeats"] >= 5).all() and (cost["batch"] <= 64).all() and (cost["device"] == "cpu").all()
    assert cost["depth"].iloc[-1] == 1.0


def test_a_forward_stops_after_the_timed_tap(tiny):
    """The last block runs for the taps from it on, and in the whole forward."""
    names, ran = [tap.name for tap in tiny.taps()], []
    last = dict(tiny.module.named_modules())[names[-1]]
    handle = last.register_forward_pre_hook(lambda module, inputs: ran.append(len(inputs[0])))
    rounds = []
    table = time_taps(
        tiny,
        tiny.match(5.0),
        [tiny.taps()[0], tiny.taps()[-1]],
        batch_size=2,
        before_repeat=lambda: rounds.append(1),
    )
    handle.remove()
    assert ran.count(2) == 2 * len(rounds) == 2 * (table["repeats"].iloc[0] + 1)  # a warm-up besides


def test_a_stopped_stage_goes_on_where_it_stopped(copy_run, tiny, run, forwards):
    copy, limit = copy_run(), DIAGNOSTICS["levels"].forwards(run.counts) // 2
    with pytest.raises(RunCancelled):
        run_stages(Study(copy, Progress(cancelled=lambda: sum(forwards) > limit), backbone=tiny), ["levels"])
    before = len(list((copy.path / "work" / "diagnose" / "levels").glob("curve-*.npz")))
    assert before > 5
    again = run_stages(Study(open_run(copy.path), Progress(), backbone=tiny), ["levels"])
    for name in TABLES:
        pd.testing.assert_frame_equal(again.table(name), run.table(name))
