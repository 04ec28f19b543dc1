"""A_p of every tap of every family's tiny network averages to the slot score of its snapshot (theory 22)."""

import dit_checkpoints
import numpy as np
import pytest
import test_dit_diffusers
import tiny_pipelines
import torch
import uvit_checkpoints
from native_files import write_native

from cfs_explore.backbones import load_backbone
from cfs_explore.corruption import keyed_noise
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_maps import ScoreMaps
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.readings.tap_maps import map_sides
from cfs_explore.scoring import Moments, feature_columns, slot_scores

# Fixtures
original, weights = dit_checkpoints.original, dit_checkpoints.weights
vae, save, save_tiny = dit_checkpoints.vae, dit_checkpoints.save, uvit_checkpoints.save_tiny
folder = test_dit_diffusers.folder

NATIVE = ("improved-diffusion", "guided-diffusion", "edm_vp_ddpmpp", "edm_ve_ncsnpp", "score-sde")
PIPELINES = ("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux")


def assert_mean_is_the_score(backbone):
    levels, taps = [backbone.match(lam) for lam in (5.0, -1.0)], backbone.taps()
    images = np.random.default_rng(0).uniform(-1, 1, size=(5, *backbone.image_shape)).astype(np.float32)
    noise = keyed_noise([str(i) for i in range(5)], 2, backbone.input_shape, seed=0)
    block = Reader(backbone, TapSnapshots(levels, taps))(images, noise)
    moments = Moments.of(block[:, :, 2:])  # those of three images; the other two are new
    expected = slot_scores(block, moments, feature_columns(taps))  # (image, draw, level, tap)
    sides = map_sides(backbone, taps, levels[0])
    reader = Reader(backbone, ScoreMaps(levels, taps, moments, sides))
    found = reader(images, noise)
    for t, tap in enumerate(taps):
        mean = found[..., reader.columns[f"score {tap.name}"]].mean(axis=-1, dtype=np.float64)  # (level, draw, image)
        np.testing.assert_allclose(mean.transpose(2, 1, 0), expected[..., t], rtol=1e-5, atol=1e-9, err_msg=tap.name)


@pytest.mark.parametrize("name", NATIVE)
def test_native_unets(name, tmp_path):
    assert_mean_is_the_score(load_backbone(write_native(tmp_path, name), device="cpu"))


def test_tokens(save, save_tiny, folder):
    for path in (save(), save_tiny(uvit_checkpoints.TINY), folder):
        assert_mean_is_the_score(load_backbone(path, device="cpu"))


@pytest.mark.parametrize("name", PIPELINES)
def test_latents(name, tmp_path):
    assert_mean_is_the_score(load_backbone(getattr(tiny_pipelines, name)(tmp_path / name), device="cpu"))


def test_diffusers_unet(tiny):
    assert_mean_is_the_score(tiny)


def test_channels_on_the_variance_floor(tiny, monkeypatch):
    """A tap that is flat in some channels, and one that is flat in all of them."""
    whole = tiny.activation

    def flat(name, output):
        maps = whole(name, output).clone()
        maps[:, ::2] = maps[:, ::2].mean(dim=(2, 3), keepdim=True)
        return torch.ones_like(maps) if name == "conv_in" else maps

    monkeypatch.setattr(tiny, "activation", flat)
    assert_mean_is_the_score(tiny)
