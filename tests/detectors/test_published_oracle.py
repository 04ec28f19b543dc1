"""The CFS paper's versions of published detectors: features and scores of its own code (tests/fixtures/methods)."""

import json
from pathlib import Path

import numpy as np
import pytest

import cfs_explore as cfs

HOME = Path(__file__).parents[1] / "fixtures" / "methods"
ORACLE = json.loads((HOME / "oracle.json").read_text())
SETS = ("id_train", "id_test", "ood")
#: Detector -> name in the oracle, options, and how far scores may differ, relative.
DETECTORS = {
    "msma_mbe": ("msma", {}, 1e-3),
    "diffpath_1d_mbe": ("diffpath_1d", {}, 1e-3),
    "diffpath_6d_mbe": ("diffpath_6d", {}, 1e-3),
    "ddpm_ood_mbe": ("ddpm_ood", {"levels": 20, "skip": 5}, 1e-4),
    "gepc_mbe": ("gepc", {}, 1e-3),
    "one_step_mbe": ("naive_recon", {}, 1e-4),
}


@pytest.fixture(scope="module")
def read(oracle_backbone, oracle_arrays):
    """Detector's name -> the detector, fitted, and its readings of the three sets with the oracle's noise, draw 0."""
    done = {}

    def measure(name: str):
        if name not in done:
            detector = cfs.detectors.create(name, **DETECTORS[name][1])
            z = {
                images: detector.read(
                    oracle_backbone, oracle_arrays[f"images.{images}"], noise=oracle_arrays[f"noise.{images}"][:1]
                )
                for images in SETS
            }
            done[name] = detector.fit(z["id_train"]), z
        return done[name]

    return measure


@pytest.mark.parametrize("name", DETECTORS)
def test_scores(read, oracle_arrays, name):
    detector, z = read(name)
    oracle, _, tolerance = DETECTORS[name]
    for images in ("id_test", "ood"):
        np.testing.assert_allclose(
            detector.score(z[images]), oracle_arrays[f"{oracle}.score.{images}"], rtol=tolerance, atol=1e-6
        )


@pytest.mark.parametrize("images", SETS)
def test_features(read, oracle_arrays, images):
    def same(found, key):
        np.testing.assert_allclose(found, oracle_arrays[f"{key}.{images}"], rtol=1e-4, err_msg=key)

    def z(name):
        return read(name)[1][images][0].astype(np.float64)

    def statistics(name):
        return read(name)[0].statistics(z(name))

    same(z("msma_mbe"), "msma.features")
    same(z("diffpath_6d_mbe")[:, :8], "diffpath.Q")
    same(statistics("diffpath_1d_mbe")[:, 0], "diffpath_1d.features")
    same(statistics("diffpath_6d_mbe"), "diffpath_6d.features")
    same(z("ddpm_ood_mbe"), "ddpm_ood.mse")
    for k in range(2):
        for j, key in enumerate(("gepc_s", "gepc_s_cos", "gepc_x0")):
            same(z("gepc_mbe")[:, 3 * k + j], f"gepc.level{k}.{key}")


def test_what_the_oracle_chose(read, oracle_backbone):
    assert read("msma_mbe")[0].density.components_ == ORACLE["msma"]["gmm_components"]
    weights = [ORACLE["gepc"]["weights"][str(k)] for k in range(2)]
    np.testing.assert_allclose(read("gepc_mbe")[0].weights_, weights, rtol=1e-6)
    assert read("ddpm_ood_mbe")[0].cost(oracle_backbone).forwards == ORACLE["ddpm_ood"]["total_nfe"]
