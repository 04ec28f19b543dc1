"""``cfs.extract`` on the pixels and seed of a run, with the ids that it derives itself, gives the run's numbers."""

import numpy as np
import pytest

import cfs_explore as cfs
from cfs_explore.corruption import array_ids, keyed_noise
from cfs_explore.heads import Diagonal
from cfs_explore.images import open_source
from cfs_explore.images.record import Record

LAMS = [5.0, -1.0]


@pytest.fixture(scope="module")
def pixels(spec) -> np.ndarray:
    """uint8 (image, C, H, W) of the set "bright", in its order."""
    with open_source(spec["ood"][0]["source"]) as source:
        return np.stack([source.read(i).pixels.transpose(2, 0, 1) for i in range(len(source))])


@pytest.fixture(scope="module")
def snapshots(pixels, spec, tiny):
    images = pixels.astype(np.float32) / 127.5 - 1.0
    return cfs.extract(tiny, images, LAMS, draws=spec["draws"], seed=spec["seed"])


def test_the_ids_are_the_runs(finished, pixels):
    wanted = list(finished.images("ood", "bright")["image_id"])
    for kind in (np.float32, np.float64):
        assert array_ids(pixels.astype(kind) / 127.5 - 1.0) == wanted


@pytest.mark.parametrize("channels", [1, 3])
def test_every_byte_is_recognised(channels):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    pixels = np.concatenate([grey, grey[::-1], grey.transpose(1, 0, 2)][:channels], axis=2)
    record = Record.of(pixels, name="a", label="", format="array", mode="L")
    assert array_ids(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1.0) == [record.image_id]


def test_other_numbers_have_ids_of_their_own(pixels):
    images = pixels.astype(np.float32) / 127.5 - 1.0
    ids = array_ids(images)
    assert len(set(ids + array_ids(images + 0.001) + array_ids(images * 0.5))) == 3 * len(set(ids))


def test_its_scores_are_the_runs(finished, snapshots):
    stored = finished.moments("id_train")
    means, variances = stored.mean, stored.m2 / stored.count
    scores = finished.scores("ood", "bright")  # (image, draw, level, tap)
    start = 0
    for t, tap in enumerate(finished.taps):
        columns = slice(start, start + 2 * tap.channels)
        start = columns.stop
        for k in range(len(LAMS)):
            head = Diagonal.from_moments(means[k, columns], variances[k, columns])
            for m in range(finished.draws):
                found = head.score(snapshots[tap.name][k, m])
                np.testing.assert_allclose(found, scores[:, m, k, t], rtol=1e-5)


def test_its_snapshots_are_the_runs(finished, snapshots, pixels, tiny):
    """The measured ones to 1e-5, the kept ones as closely as float16 keeps them."""
    images, ids = pixels.astype(np.float32) / 127.5 - 1.0, list(finished.images("ood", "bright")["image_id"])
    noise = keyed_noise(ids, finished.draws, tiny.input_shape, finished.manifest.spec["seed"])
    given = cfs.extract(tiny, images, LAMS, noise=noise)
    for tap in snapshots:
        np.testing.assert_allclose(snapshots[tap], given[tap], atol=1e-5)
    level = finished.manifest.kept["level"]
    for tap in finished.manifest.kept["taps"]:
        kept = finished.snapshots(tap, "ood", "bright")
        np.testing.assert_allclose(snapshots[tap][level, 0], kept, rtol=2e-3, atol=2e-3)
