"""Levels, chosen taps, snapshots, moments and scores are those of the paper's own code (tests/fixtures/methods)."""

import json
from pathlib import Path

import numpy as np
import pytest

import cfs_explore as cfs
from cfs_explore.levels import lam_range
from cfs_explore.scoring import Moments, slot_scores
from cfs_explore.taps.policies import candidates, choose_taps

HOME = Path(__file__).parents[1] / "fixtures" / "methods"
ORACLE = json.loads((HOME / "oracle.json").read_text())
METHODS = sorted(key for key in ORACLE if key.startswith("cfs_"))
SETS = ("id_train", "id_test", "ood")


@pytest.fixture(scope="module")
def snapshots(oracle_backbone, oracle_arrays):
    """(levels, taps, set, draws) -> Snapshots with the oracle's noise, each computed once."""
    done = {}

    def measure(lams: tuple, taps: tuple, images: str, draws: slice = slice(0, 1)):
        key = (lams, taps, images, draws.start)
        if key not in done:
            noise = oracle_arrays[f"noise.{images}"][draws]
            done[key] = cfs.extract(
                oracle_backbone, oracle_arrays[f"images.{images}"], list(lams), list(taps), noise=noise
            )
        return done[key]

    return measure


def lams_of(method: str) -> tuple:
    return tuple(level["lambda_target"] for level in ORACLE[method]["levels"])


@pytest.mark.parametrize("alignment", ["logsnr", "uniform_t"])
def test_explicit_levels(oracle_backbone, alignment):
    for expected in ORACLE["levels"][alignment]:
        level = oracle_backbone.match(expected["lambda_target"], alignment)
        assert level.requested == expected["lambda_target"]
        assert level.native == expected["t"]
        np.testing.assert_allclose(level.lam, expected["lambda_eff"], rtol=1e-4)
        np.testing.assert_allclose([level.a, level.b], [expected["a"], expected["b"]], rtol=1e-4)


def test_levels_from_a_range(oracle_backbone):
    expected = ORACLE["levels"]["range(-10,5) Kc=8 K_grid=200"]
    lams = lam_range(5.0, -10.0, 8, grid=200)
    np.testing.assert_allclose(lams, [level["lambda_target"] for level in expected], rtol=1e-9)
    assert [oracle_backbone.match(lam).native for lam in lams] == [level["t"] for level in expected]


@pytest.mark.parametrize("method", [m for m in METHODS if m.endswith(".sparse_ed")])
def test_taps_chosen_by_structure(oracle_backbone, method):
    assert set(ORACLE[method]["hooks"]) <= set(choose_taps(oracle_backbone.taps(), "sparse_ed"))


@pytest.mark.parametrize("method", [m for m in METHODS if m.endswith(".sparse_ed_id")])
def test_taps_chosen_on_id_images(oracle_backbone, snapshots, method):
    """Probe: every ID-train image, every candidate, draws 1 and 2, at the method's levels."""
    probe = snapshots(lams_of(method), tuple(candidates(oracle_backbone.taps())), "id_train", slice(1, 3))
    chosen = choose_taps(oracle_backbone.taps(), "sparse_ed_id", features=probe)
    expected = ORACLE[method]["hooks"]
    assert set(expected) <= set(chosen)
    if len(expected) == 2:
        assert chosen == expected


@pytest.mark.parametrize("method", [m for m in METHODS if m.endswith(".sparse_ed")])
def test_features_moments_and_scores(snapshots, oracle_arrays, method):
    lams, taps = lams_of(method), tuple(ORACLE[method]["hooks"])
    snaps = {images: snapshots(lams, taps, images) for images in SETS}
    for images in SETS:
        for k in range(len(lams)):
            for j, tap in enumerate(taps):
                expected = oracle_arrays[f"{method}.level{k}.hook{j}.features.{images}"]
                np.testing.assert_allclose(snaps[images][tap][k, 0], expected, rtol=1e-4, atol=1e-5)

    width = {tap: snaps["ood"][tap].shape[-1] for tap in taps}
    columns = {tap: slice(j * width[tap], (j + 1) * width[tap]) for j, tap in enumerate(taps)}
    blocks = {images: np.concatenate([snaps[images][tap] for tap in taps], axis=-1) for images in SETS}
    moments = Moments.of(blocks["id_train"])
    for slot in range(len(lams) * len(taps)):  # the oracle numbers slots level by level
        k, j = divmod(slot, len(taps))
        c = columns[taps[j]]
        np.testing.assert_allclose(moments.mean[k, c], oracle_arrays[f"{method}.slot{slot}.mean"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(moments.variance[k, c], oracle_arrays[f"{method}.slot{slot}.var"], rtol=1e-4)
    for images in ("id_test", "ood"):
        scores = slot_scores(blocks[images], moments, columns).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(scores, oracle_arrays[f"{method}.score.{images}"], rtol=1e-4)


@pytest.mark.parametrize("method", sorted(ORACLE["metrics"]))
def test_metrics(oracle_arrays, method):
    expected = ORACLE["metrics"][method]
    scores = [oracle_arrays[f"{method}.score.{images}"] for images in ("id_test", "ood")]
    for metric in ("auroc", "aupr", "fpr95"):
        value = getattr(cfs.metrics, metric)(*scores)[0]
        assert value == pytest.approx(expected[metric], rel=1e-4), metric
