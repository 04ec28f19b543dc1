"""The policies on hand-made backbones where the right choice is plain to see."""

import numpy as np
import pytest

from cfs_explore.contracts import Tap
from cfs_explore.errors import TapError
from cfs_explore.taps.policies import candidates, choose_taps, reliability_ranking, structural_order


def tap(name, region, resolution, kind="resnet"):
    return Tap(name, region, 0.5, resolution, 2, kind)


TAPS = [
    tap("conv_in", "input", 16, "conv"),
    tap("e16a", "encoder", 16),
    tap("e16b", "encoder", 16),
    tap("e8down", "encoder", 8, "downsampler"),
    tap("e8a", "encoder", 8),
    tap("e8att", "encoder", 8, "attention"),
    tap("e4", "encoder", 4),
    tap("mid", "middle", 4),
    tap("d4", "decoder", 4),
    tap("d8a", "decoder", 8),
    tap("d8b", "decoder", 8),
    tap("d8up", "decoder", 16, "upsampler"),
    tap("d16", "decoder", 16),
    tap("out", "output", 16, "conv"),
]


def test_structural_order():
    """Short of the bottleneck (encoder) and of full resolution (decoder), last block of each resolution first."""
    encoder = [t.name for t in structural_order(TAPS, "encoder")]
    decoder = [t.name for t in structural_order(TAPS, "decoder")]
    assert encoder == ["e8a", "e8down", "e16b", "e16a", "conv_in", "e4"]
    assert decoder == ["d8b", "d8a", "d4", "d16"]
    assert choose_taps(TAPS) == ["e8a", "d8b"]
    assert candidates(TAPS) == [*encoder[:4], *decoder]


def test_one_resolution_has_no_bottleneck_to_stay_clear_of():
    taps = [tap(name, region, 8) for name, region in (("a", "encoder"), ("b", "encoder"), ("c", "decoder"))]
    assert choose_taps(taps) == ["b", "c"]


def test_reliability_ranks_images_over_noise():
    """z = image effect + noise of known sizes: the ratio orders the taps, whatever their scale."""
    rng = np.random.default_rng(0)

    def features(image_sd, noise_sd, scale=1.0):
        effect = rng.normal(size=(1, 1, 200, 4)) * image_sd
        return scale * (effect + rng.normal(size=(1, 5, 200, 4)) * noise_sd)

    z = {"noisy": features(1, 2), "steady": features(1, 0.1), "medium": features(1, 0.7, scale=50)}
    assert reliability_ranking(["noisy", "medium", "steady"], z) == ["steady", "medium", "noisy"]


def test_id_policy_takes_the_most_reliable_candidate_of_each_side():
    rng = np.random.default_rng(0)
    noise = dict.fromkeys(candidates(TAPS), 0.5) | {"e16b": 0.01, "d4": 0.01}
    effect = rng.normal(size=(1, 1, 50, 4))
    z = {name: effect + sd * rng.normal(size=(1, 2, 50, 4)) for name, sd in noise.items()}
    assert choose_taps(TAPS, "sparse_ed_id", features=z) == ["e16b", "d4"]


def test_manual_taps_and_errors():
    assert choose_taps(TAPS, "manual", manual=["mid", "d4"]) == ["mid", "d4"]
    with pytest.raises(TapError, match="unknown: nowhere"):
        choose_taps(TAPS, "manual", manual=["mid", "nowhere"])
    with pytest.raises(TapError, match="none was named"):
        choose_taps(TAPS, "manual")
    with pytest.raises(TapError, match="must be one of sparse_ed, sparse_ed_id, manual; got 'best'"):
        choose_taps(TAPS, "best")
    with pytest.raises(TapError, match="needs ID-train snapshots"):
        choose_taps(TAPS, "sparse_ed_id")
    with pytest.raises(TapError, match="no decoder blocks"):
        choose_taps([t for t in TAPS if t.region != "decoder"])
