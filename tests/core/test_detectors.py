"""Detectors under one name: their scores are those of a run, their cost is what they take, their errors help."""

import dataclasses

import numpy as np
import pytest

import cfs_explore as cfs
from cfs_explore import detectors
from cfs_explore.contracts import Cost
from cfs_explore.detectors.cells import CellDetector
from cfs_explore.detectors.stored import cells_detector
from cfs_explore.errors import CFSError
from cfs_explore.figures.detector import preset_cells
from cfs_explore.heads import REGISTRY
from cfs_explore.locations import BUNDLES
from cfs_explore.probe.inputs import stored_image
from cfs_explore.scoring import Moments, feature_columns
from cfs_explore.store import open_run

#: What "cfs" cannot do without.
OPTIONS = {"cfs": {"cells": [("down_blocks.0.resnets.0", 5.0), ("up_blocks.1.resnets.0", -1.0)]}}
#: Small enough for 16 images and a quick test.
SMALL = {
    "head_knn": {"head_options": {"k": 3}},
    "head_knn_normalised": {"head_options": {"k": 3}},
    "msma": {"components": (1, 2)},
    "diffpath_6d": {"components": (1, 2)},
    "ddpm_ood": {"skip": 98},
    "ddpm_ood_mbe": {"levels": 6, "skip": 2},
}


@pytest.fixture(scope="module")
def run():
    return open_run(BUNDLES / "digits")


@pytest.fixture(scope="module")
def backbone():
    return cfs.load_backbone(BUNDLES / "digits" / "backbone", device="cpu")


@pytest.fixture(scope="module")
def letters(run):
    """Pixels in [-1, 1] and ids of the first 12 letters, as the run measured them."""
    rows = run.images("ood", "letters", columns=("image_id", "name", "label", "thumbnail")).head(12)
    images = [stored_image(run, run.entry("ood", "letters"), row) for row in rows.to_dict("records")]
    return np.stack([image.x0 for image in images]), [image.image_id for image in images]


def moments_of(run, backbone, detector) -> Moments:
    """The run's ID-train moments of the features that a detector reads, in its order."""
    stored, places = run.moments("id_train"), feature_columns(run.taps)
    requested = [level.requested for level in run.levels]
    parts = [
        (requested.index(float(lam)), places[tap])
        for tap, _, lam in (name.partition(" @ ") for name in detector.columns(backbone))
    ]
    mean, m2, within = (
        np.concatenate([values[k, part] for k, part in parts])[None]
        for values in (stored.mean, stored.m2, stored.m2_within)
    )
    return Moments(stored.count, mean, m2, within)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("cfs_1x2", None),
        ("cfs_dec_1x1", None),
        ("cfs", [("up_blocks.1.resnets.1", 5.0)]),
        ("cfs", [("up_blocks.1.resnets.1", 5.0), ("down_blocks.1.resnets.0", 9.0), ("conv_in", 5.0)]),
    ],
)
def test_scores_are_those_of_a_run(run, backbone, letters, name, cells):
    images, ids = letters
    detector = cfs.detectors.create(name, draws=run.draws, **({"cells": cells} if cells else {}))
    z = detector.read(backbone, images, ids, seed=run.manifest.spec["seed"])
    assert z.dtype == np.float32 and z.shape[:2] == (run.draws, 12)
    if cells is None:
        presets = preset_cells(run)
        stored = cells_detector(run, presets[{"cfs_1x2": "CFS(1x2)", "cfs_dec_1x1": "CFS-dec(1x1)"}[name]])
    else:
        taps, requested = [tap.name for tap in run.taps], [level.requested for level in run.levels]
        stored = cells_detector(run, [requested.index(lam) * len(taps) + taps.index(tap) for tap, lam in cells])
    found = detector.fit_moments(moments_of(run, backbone, detector)).score(z)
    np.testing.assert_allclose(found, stored.scores(run, "ood", "letters")[:12], rtol=1e-5)
    assert dataclasses.astuple(detector.cost(backbone)) == pytest.approx(dataclasses.astuple(stored.cost(run)))


@pytest.mark.parametrize("name", detectors.names())
def test_every_detector_reads_fits_and_scores(name, tiny, tiny_images):
    options = OPTIONS.get(name, {}) | SMALL.get(name, {})
    options |= {"background": tiny.untrained(1)} if name == "likelihood_ratio" else {}
    try:
        detector, draws = detectors.create(name, draws=2, **options), 2
    except CFSError:  # it reads the image without noise
        detector, draws = detectors.create(name, **options), 1
    assert detector.name == name and detector.draws == draws
    train = detector.read(tiny, tiny_images[:16])
    assert (
        train.dtype == np.float32
        and train.shape[:2] == (draws, 16)
        and train.shape[2] == sum(part.stop - part.start for part in detector.columns_.values())
    )
    scores = detector.fit(train).score(detector.read(tiny, tiny_images[16:]))
    far = detector.score(detector.read(tiny, np.clip(-3 * tiny_images[16:], -1, 1)))
    assert scores.shape == far.shape == (8,) and np.isfinite([scores, far]).all() and (far != scores).all()
    if isinstance(detector, CellDetector):  # what others make of an untrained network's answers, nobody knows
        assert far.mean() > scores.mean()
    given = np.zeros((1, 8, *tiny.input_shape), np.float32)
    width = max(part.stop for part in detector.columns(tiny).values())  # fewer than train's where fit chooses levels
    assert detector.read(tiny, tiny_images[16:], noise=given).shape == (1, 8, width)


def test_fitting_is_the_diagonal_head_on_each_cell(tiny, tiny_images):
    detector = detectors.create("cfs_1x2", draws=2)
    train, z = (detector.read(tiny, part, seed=3) for part in (tiny_images[:16], tiny_images[16:]))
    found = detector.fit(train).score(z)
    cells = []
    for part in detector.columns_.values():
        head = REGISTRY["diag"]().fit(train[..., part].reshape(32, -1))
        cells.append(np.mean([head.score(draw[:, part]) for draw in z], axis=0))
    np.testing.assert_allclose(found, np.mean(cells, axis=0), rtol=1e-4)


def test_a_head_sees_the_taps_snapshots(tiny, tiny_images):
    tap = tiny.taps()[3].name
    detector = detectors.create("head_ledoit_wolf", cells=[(tap, 5.0)])
    z = detector.read(tiny, tiny_images, seed=1)
    np.testing.assert_array_equal(z[0], cfs.extract(tiny, tiny_images, [5.0], [tap], seed=1)[tap][0, 0])
    np.testing.assert_array_equal(detector.fit(z).score(z), REGISTRY["ledoit_wolf"]().fit(z[0]).score(z[0]))


def test_levels_stop_after_their_own_last_tap(tiny):
    taps = tiny.taps()
    early, late = taps[1], taps[-2]
    detector = detectors.create("cfs", cells=[(early.name, 5.0), (late.name, 1.0), (early.name, 9.0)], draws=2)
    readings = detector.readings(tiny)
    assert [[level.requested for level in reading.levels] for reading in readings] == [[5.0, 9.0], [1.0]]
    assert detector.cost(tiny) == Cost(6, 0, pytest.approx(2 * (2 * early.depth + late.depth)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cfs_9x9", {}, "must be one of cfs, cfs_1x2"),
        ("cfs", {}, "cells"),
        ("cfs_1x2", {"levels": [5.0]}, "levels.*Its options are: cells, sides, lam, draws"),
        ("head_knn", {"levels": [5.0]}, "levels.*Its options are: head_options, cells, sides, lam, draws"),
        ("head_diag", {"head_options": {"k": 3}}, "head_options of diag"),
        ("cfs", {"cells": []}, "one or more"),
        ("cfs", {"cells": [("a",)]}, r"\(tap, lam\) each"),
        ("cfs", {"cells": 5}, r"\(tap, lam\) each"),
        ("cfs", {"cells": [("a", 5), ("a", 5.0)]}, "no two alike"),
        ("cfs_1x2", {"draws": 0}, "draws must be at least 1"),
        *(("cfs_1x2", {"draws": draws}, "a whole number. Got") for draws in (1.5, "2", None)),
        *(("nll", {"lams": lams}, "lams must be one or more numbers") for lams in (5, "abc", [], ["5"])),
        ("diffpath_6d", {"components": 3}, "components must be one or more numbers"),
        ("likelihood_ratio", {"background": "digits"}, "must be a backbone, from load_backbone"),
        ("cfs_1x2", {"sides": ["middle"]}, "encoder, decoder"),
    ],
)
def test_errors_say_what_is_allowed(name, options, message):
    with pytest.raises(CFSError, match=message):
        detectors.create(name, **options)


def test_no_image_gives_no_reading(tiny, tiny_images):
    detector = detectors.create("cfs_1x2", draws=2)
    width = detector.read(tiny, tiny_images[:1]).shape[2]
    assert detector.read(tiny, tiny_images[:0]).shape == (2, 0, width)


def test_readings_that_do_not_fit_are_refused(tiny, tiny_images):
    detector = detectors.create("cfs_1x2")
    with pytest.raises(CFSError, match="read"):
        detector.fit(np.zeros((1, 4, 8)))
    z = detector.read(tiny, tiny_images)
    with pytest.raises(CFSError, match="not fitted"):
        detector.score(z)
    with pytest.raises(CFSError, match="Readings must have shape"):
        detector.fit(z[..., 1:])
