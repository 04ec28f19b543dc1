"""A film holds at each level what the probe sees there, keeps what it has made, and keeps to its time."""

import base64
import itertools
import json

import numpy as np
import pytest

import cfs_explore as cfs
from cfs_explore.locations import BUNDLES
from cfs_explore.probe.film import CHANNELS, FULL, Film, _shrunk, draws
from cfs_explore.probe.inputs import stored_image
from cfs_explore.probe.network import Probe
from cfs_explore.store import open_run

TAPS = ("down_blocks.1.resnets.1", "up_blocks.2.resnets.2")
COLUMNS = ("image_id", "name", "label", "thumbnail")
LAMS = (-3.0, -1.25, 1.0, 2.75, 3.0, 5.0)  # of which the run measured -3, 1, 3 and 5
MEASURED = [-3.0, 1.0, 3.0, 5.0]


@pytest.fixture(scope="module")
def run():
    return open_run(BUNDLES / "digits")


@pytest.fixture(scope="module")
def probe(run):
    """The run's, where few levels are to be had."""
    probe = Probe.open(run, device="cpu")
    probe.levels = {lam: probe.levels[lam] for lam in LAMS}
    return probe


@pytest.fixture(scope="module")
def pair(run):
    sets = (("id_test", None, 3), ("ood", "letters", 7))
    return [
        stored_image(run, run.entry(role, name), run.images(role, name, columns=COLUMNS).iloc[i])
        for role, name, i in sets
    ]


def clock_of(*seconds: float):
    """A clock by which the frames take these times, the last one from then on."""
    frames = itertools.chain(seconds, itertools.repeat(seconds[-1]))
    steps = itertools.chain.from_iterable((0.0, each) for each in frames)
    return itertools.accumulate(steps).__next__


def whole(film: Film, lam: float) -> dict:
    """Packed when the levels between are there."""
    film.pack(lam)
    film.make_rest()
    return film.pack(lam)


def array(text: str, dtype: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


def test_each_frame_is_what_the_probe_sees(run, probe, pair):
    film = whole(Film(probe, pair, 1, TAPS, clock=clock_of(0.1)), 5.0)
    film = json.loads(json.dumps(film))  # as the browser gets it
    assert film["lams"] == list(LAMS) and film["total"] == len(LAMS)
    for image, original in zip(pair, film["images"], strict=True):
        np.testing.assert_array_equal(array(original["pixels"], "u1", *original["shape"]), image.pixels)
    for lam in (-3.0, -1.25, 5.0):
        frame, seen = film["frames"][film["lams"].index(lam)], probe.see(pair, lam, 1, TAPS)
        assert (frame["lam"], frame["a"], frame["b"]) == (seen.level.lam, seen.level.a, seen.level.b)
        assert frame["position"] == seen.position and frame["measured"] == (lam in MEASURED)
        np.testing.assert_array_equal(array(frame["x_lam"], "u1", 2, *frame["shape"]), seen.x_lam_picture)
        np.testing.assert_array_equal(array(frame["x0_hat"], "u1", 2, *frame["shape"]), seen.x0_hat_picture)
        for tap, view in zip(frame["taps"], seen.taps.values(), strict=True):
            strongest = view.strongest(CHANNELS)
            assert tap["name"] == view.tap.name and tap["channels"] == strongest.channels.tolist()
            np.testing.assert_array_equal(np.float32(tap["score"]), view.score)
            np.testing.assert_array_equal(array(tap["z"], "<f4", *view.z.shape), view.z.astype(np.float32))
            maps = array(tap["maps"], "u1", 2, CHANNELS, *tap["shape"])
            np.testing.assert_allclose(maps / 255, strongest.maps, atol=0.5 / 255 + 1e-6)
            np.testing.assert_allclose(score_maps(tap), view.where, atol=0.6 * max(tap["peaks"]) / FULL)
            assert tap["high"] == pytest.approx([np.quantile(np.abs(view.where[:, k]), 0.99) for k in (0, 1)])


def score_maps(tap: dict) -> np.ndarray:
    """A_p and B_p (n, 2, h, w) of a tap in a frame."""
    return array(tap["where"], "<i2", 2, 2, *tap["shape"]) / FULL * np.array(tap["peaks"])[:, None, None]


def test_score_maps_of_levels_and_draws_are_those_of_the_library(run, probe, pair):
    """At measured levels and in the run's draws; their mean is the score that is shown."""
    film = Film(probe, pair, 0, TAPS, budget=0, clock=clock_of(0.1)).pack(1.0)
    frames = [(lam, 0, film["frames"][film["lams"].index(lam)]) for lam in (-3.0, 5.0)]
    frames += [(1.0, draw, frame) for draw, frame in enumerate(draws(probe, pair, 1.0, TAPS, 3, seconds=0.1))]
    images, ids = np.stack([image.x0 for image in pair]), [image.image_id for image in pair]
    for lam, draw, frame in frames:
        for tap in frame["taps"]:
            shown, fine = score_maps(tap), max(tap["peaks"]) / FULL
            for k, part in enumerate(("score", "deviation")):
                maps = cfs.score_map(probe.backbone, images, run, [(tap["name"], lam)], part=part, ids=ids, draws=3)
                np.testing.assert_allclose(shown[:, k], maps[:, draw], rtol=1e-3, atol=fine)
            np.testing.assert_allclose(shown[:, 0].mean(axis=(1, 2)), tap["score"], rtol=1e-5, atol=fine)
            assert np.ptp(shown[:, 0], axis=(1, 2)).min() > 0.5


def test_score_maps_between_levels_use_the_nearest_levels_moments(probe, pair):
    seen = probe.see(pair, 2.75, 0, TAPS)
    assert seen.level.native != probe.run.levels[seen.position].native
    for view in seen.taps.values():
        np.testing.assert_allclose(view.where[:, 0].mean(axis=(1, 2)), view.score, rtol=1e-5)


@pytest.mark.parametrize(
    ("seconds", "lams"),
    [
        ([1.0], LAMS),
        ([2.0], MEASURED),
        ([50.0, 1.0], LAMS),  # the first look also warms up
        ([1.0, 2.0, 2.0], MEASURED),
    ],
)
def test_all_levels_where_they_fit_into_the_time_else_the_measured_ones(probe, pair, seconds, lams):
    film = whole(Film(probe, pair, 0, TAPS[:1], budget=6.0, clock=clock_of(*seconds)), 5.0)
    assert film["lams"] == list(lams) and film["seconds"] == seconds[-1]
    assert len(film["frames"]) == len(lams) and film["total"] == len(LAMS)


def test_the_measured_levels_come_first_and_the_others_follow(probe, pair):
    film = Film(probe, pair, 0, TAPS[:1], budget=6.0, clock=clock_of(1.0))
    assert film.pack(5.0)["lams"] == MEASURED and film.rest_seconds == 2.0
    film.begin_rest()
    film.begin_rest()  # another visitor
    film._rest.join()
    assert film.pack(5.0)["lams"] == list(LAMS) and film.rest_seconds == 0


def test_levels_that_do_not_fit_or_fail_are_not_waited_for(probe, pair, monkeypatch):
    slow = Film(probe, pair, 0, TAPS[:1], budget=5.9, clock=clock_of(1.0))
    slow.pack(5.0)
    slow.begin_rest()
    assert slow._rest is None and slow.rest_seconds == 0
    film = Film(probe, pair, 0, TAPS[:1], clock=clock_of(1.0))
    film.pack(5.0)
    monkeypatch.setattr(probe, "see", lambda *_: 1 / 0)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    film.begin_rest()
    film._rest.join()
    assert film.pack(5.0)["lams"] == MEASURED and film.rest_seconds == 0


def test_a_level_that_is_asked_for_is_there_at_any_price(probe, pair):
    film = Film(probe, pair, 0, TAPS[:1], budget=6.0, clock=clock_of(9.0))
    assert film.pack(2.75)["lams"] == [-3.0, 1.0, 2.75, 3.0, 5.0]
    assert film.pack(-1.25)["lams"] == list(LAMS)


def test_progress_is_reported_and_a_film_that_was_stopped_goes_on(probe, pair, monkeypatch):
    looks, progress = [], []
    see = probe.see
    monkeypatch.setattr(probe, "see", lambda images, lam, *rest: looks.append(lam) or see(images, lam, *rest))

    def stop(done: int, total: int) -> None:
        progress.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    film = Film(probe, pair, 0, TAPS[:1], clock=clock_of(0.1))
    with pytest.raises(KeyboardInterrupt):
        film.pack(5.0, stop)
    assert progress == [(0, 6), (1, 6), (2, 6)] and len(looks) == 2
    assert film.pack(5.0, lambda done, total: progress.append((done, total)))["lams"] == MEASURED
    assert progress[3:] == [(k, 6) for k in range(2, 4)]
    film.make_rest()
    film.pack(1.0, lambda done, total: progress.append((done, total)))
    assert sorted(looks) == list(LAMS) and len(progress) == 5


def test_large_pictures_are_shrunk_to_the_means_of_blocks():
    values = np.arange(2 * 5 * 5, dtype=np.float32).reshape(2, 5, 5)
    small = _shrunk(values, 3)
    blocks = [slice(0, 2), slice(2, 4), slice(4, 5)]
    expected = [[[image[rows, columns].mean() for columns in blocks] for rows in blocks] for image in values]
    np.testing.assert_allclose(small, expected)
    assert _shrunk(values, 5) is values
    assert _shrunk(np.array([[[0, 255], [255, 255]]], np.uint8), 1).tolist() == [[[191]]]


def test_draws_of_a_level_are_what_films_of_those_draws_hold_there(probe, pair):
    frames = draws(probe, pair, 2.75, TAPS, 7, seconds=0.1)
    assert len(frames) == 7 and frames[5] != frames[6]
    for draw in (0, 6):
        film = Film(probe, pair, draw, TAPS, clock=clock_of(0.1)).pack(2.75)
        assert frames[draw] == film["frames"][film["lams"].index(2.75)]


@pytest.mark.parametrize(("seconds", "made"), [(0.1, 5), (0.4, 2), (1.0, 1), (1.1, 0)])
def test_draws_beyond_the_time_are_left_out(probe, pair, seconds, made):
    frames = draws(probe, pair, 5.0, TAPS[:1], 5, seconds, budget=1.0)
    assert [frame is not None for frame in frames] == made * [True] + (5 - made) * [False]
