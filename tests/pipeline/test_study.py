"""What diagnostic stages work with: the map's own images, noise and backbone, and results that survive a kill."""

import shutil

import numpy as np
import pytest

from cfs_explore.contracts import Level
from cfs_explore.engine import Leases
from cfs_explore.errors import BackboneError, SourceError
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.pixels import open_pixels
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Sample, Study
from cfs_explore.pipeline.stages import study as module
from cfs_explore.pipeline.stages.pieces import _lease
from cfs_explore.store import open_run


@pytest.fixture
def study(finished, tiny, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished.path, copy)
    return Study(open_run(copy), Progress(), backbone=tiny)


@pytest.fixture(autouse=True)
def _begun(monkeypatch):
    """Stages are inside a started progress."""
    original = Progress.__init__

    def begun(self, *arguments, **options):
        original(self, *arguments, **options)
        self.start("test", 10, "forwards")

    monkeypatch.setattr(Progress, "__init__", begun)


def test_a_study_repeats_the_map(study, finished):
    """Images read again from their sources, with the keyed noise, give the stored statistics and scores."""
    train, test = study.sample("id_train"), study.sample("id_test")
    stored = finished.moments("id_train")
    again = study.statistics("test/train", train, finished.levels, draws=2)
    assert again.count == stored.count
    np.testing.assert_allclose(again.mean, stored.mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.m2_within, stored.m2_within, rtol=1e-3, atol=1e-5)
    scores = study.scores("test/scores", test, finished.levels, stored, draws=2)
    np.testing.assert_allclose(scores, finished.scores("id_test"), rtol=2e-3)


def test_samples_are_evenly_spaced_rows_of_the_set(study, finished):
    ids = finished.images("ood", "bright", columns=["image_id"])["image_id"].to_numpy()
    sample = study.sample("ood", "bright", limit=4)
    assert len(sample) == 4 and sample.rows[0] == 0 and sample.rows[-1] == len(ids) - 1
    assert sample.ids == ids[sample.rows].tolist() and sample.pixels.shape == (4, 1, 8, 8)
    assert len(study.sample("ood", "bright", limit=400)) == len(ids)


def test_altered_samples_keep_ids_and_shape():
    sample = Sample(np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2), ["a", "b"], np.arange(2))
    inverted = sample.altered(lambda pixels: 255 - pixels)
    assert inverted.ids == sample.ids and (inverted.pixels == 255 - sample.pixels).all()
    with pytest.raises(ValueError, match="must keep uint8"):
        _ = sample.altered(lambda pixels: pixels / 2).pixels


def test_conditioning_is_distinguished_from_corruption(study, finished):
    """A wrong level changes the snapshots; a clean image has no noise left that a draw could change."""
    sample, level = study.sample("id_test", limit=3), finished.levels[0]
    clean = Level(level.requested, level.lam, 1.0, 0.0, level.native)
    (_, right), (_, wrong) = (
        next(study.blocks(sample, [level], conditioning=c)) for c in ([level], [finished.levels[1]])
    )
    assert not np.allclose(right, wrong, rtol=1e-3)
    (_, still) = next(study.blocks(sample, [clean], draws=2, conditioning=[level]))
    np.testing.assert_allclose(still[:, 0], still[:, 1], rtol=1e-5)


def test_kept_arrays_are_computed_once_and_counted(study, finished, forwards):
    events = []
    study.progress = Progress(events.append)
    sample = study.sample("id_test", limit=5)
    first = study.statistics("test/once", sample, finished.levels)
    done = sum(forwards)
    assert done == 10 and events[-1].done == 10
    again = study.statistics("test/once", sample, finished.levels)
    assert sum(forwards) == done and events[-1].done == 10
    later = Study(study.run, Progress(events.append), backbone=study.backbone)  # another attempt
    later.statistics("test/once", sample, finished.levels)
    assert sum(forwards) == done and events[-1].done == 10
    assert again.count == first.count and (again.mean == first.mean).all()


def test_untrained_copies_can_stand_in(study, finished, tiny):
    sample = study.sample("id_test", limit=3)
    trained, untrained = (next(study.blocks(sample, finished.levels, backbone=b))[1] for b in (None, tiny.untrained(5)))
    assert trained.shape == untrained.shape and not np.allclose(trained, untrained, rtol=0.1)


def test_images_that_changed_are_refused(spec, tmp_path, tiny, write_images):
    moved = shutil.copy(spec["ood"][0]["source"], tmp_path / "ood.npz")
    run = explore(spec | {"ood": [{"name": "bright", "source": str(moved)}]}, tmp_path / "run", device="cpu")
    study = Study(run, Progress(), backbone=tiny)
    assert len(study.sample("ood", "bright")) == 11
    shutil.rmtree(run.path / "work")
    shutil.copy(write_images(11, "npz", seed=99), moved)
    with pytest.raises(SourceError, match="not those that the map was measured on"):
        Study(run, Progress(), backbone=tiny).sample("ood", "bright")
    assert len(study.sample("ood", "bright")) == 11  # those it had


def test_another_backbone_is_refused(finished, tiny):
    study = Study(finished, Progress(), backbone=tiny.untrained(1))
    with pytest.raises(BackboneError, match="not the backbone that the map was measured with"):
        _ = study.backbone


def test_reused_statistics_find_their_images(spec, finished, tiny, tmp_path, write_images):
    """A run on another run's statistics has no ID images of its own; the study reads those of the other."""
    spec = spec | {
        "id": {"run": str(finished.path)},
        "ood": [{"name": "dark", "source": str(write_images(6, shift=-40))}],
    }
    run = explore(spec, tmp_path / "reused", device="cpu")
    study = Study(run, Progress(), backbone=tiny)
    assert study.sample("id_train").ids == run.images("id_train", columns=["image_id"])["image_id"].tolist()
    squares, pairs = run.pair_squares()
    assert (squares == finished.pair_squares()[0]).all() and pairs == finished.pair_squares()[1]


def test_a_sample_is_read_once(study, monkeypatch):
    """Also where a call begins anew, since another worker was at its piece."""
    opened = []
    monkeypatch.setattr(module, "open_pixels", lambda planned: opened.append(planned) or open_pixels(planned))
    held = Leases(study.run.path / "crew").__enter__()
    own = Leases(study.run.path / "crew").__enter__()
    study.pieces.share(own, leads=True)
    assert held.take(_lease("test/held"))

    def first():
        sample = study.sample("id_test", limit=4)
        return int(study.kept("test/held", 0, lambda: {"sum": np.int64(sample.pixels.sum())})["sum"])

    def second():
        return study.kept("test/other", 0, lambda: held.give_back(_lease("test/held")) or {"sum": np.int64(1)})

    found, _ = study.pieces.each([first, second])
    for leases in (held, own):
        leases.__exit__()
    assert len(opened) == 1 and found == int(study.sample("id_test", limit=4).pixels.sum()) and len(opened) == 1
    assert len(study.sample("id_test", limit=3)) == 3 and len(opened) == 2


def test_samples_are_kept_within_bounds(study, monkeypatch):
    opened, size = [], study.sample("id_test", limit=4).pixels.nbytes
    monkeypatch.setattr(module, "SAMPLE_BYTES", 2 * size)
    monkeypatch.setattr(module, "open_pixels", lambda planned: opened.append(planned) or open_pixels(planned))
    asked = [("id_test", None), ("id_train", None), ("id_test", None), ("ood", "bright"), ("id_test", None)]
    for which in asked:
        assert len(study.sample(*which, limit=4)) == 4
    assert len(opened) == 2  # the first was there, and was asked for again before a third came
    assert len(study.sample("id_train", limit=4)) == 4 and len(opened) == 3
    assert len(study.sample("id_train", limit=12)) == 12 and len(study._samples) == 0
