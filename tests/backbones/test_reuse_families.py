"""Which families allow an encoder to be used again, and that the others say why not."""

import dit_checkpoints
import pytest
import torch
import uvit_checkpoints
from native_files import write_native
from uvit_checkpoints import TINY

from cfs_explore.backbones import load_backbone
from cfs_explore.readings.encoder_reuse import reused_taps, why_not
from cfs_explore.taps.capture import capture
from cfs_explore.taps.replacement import replaced

# Fixtures
original, weights = dit_checkpoints.original, dit_checkpoints.weights
vae, save, save_tiny = dit_checkpoints.vae, dit_checkpoints.save, uvit_checkpoints.save_tiny

UNETS = ("improved-diffusion", "guided-diffusion", "edm_vp_ddpmpp", "edm_ve_ncsnpp", "score-sde")


def asked(backbone) -> str:
    return why_not(backbone, backbone.match(5.0), backbone.match(-1.0))


@pytest.mark.parametrize("name", UNETS)
def test_the_taps_of_unets_hold_all_that_their_decoders_take(name, tmp_path):
    assert asked(load_backbone(write_native(tmp_path, name), device="cpu")) == ""


def test_without_one_of_the_skips_it_is_found_out(tmp_path, monkeypatch):
    backbone = load_backbone(write_native(tmp_path, "improved-diffusion"), device="cpu")
    taps = backbone.taps()
    assert taps[0].region == "input"  # the first convolution, whose output the last block of the decoder takes
    monkeypatch.setattr(backbone, "taps", lambda: taps[1:])
    assert "takes more from its encoder than the taps hold" in asked(backbone)


def test_dit_is_told_its_level_in_every_block(save):
    assert asked(load_backbone(save(), device="cpu")) == ""


def test_uvit_is_told_its_level_by_the_encoder_alone(save_tiny):
    backbone = load_backbone(save_tiny(TINY), device="cpu")
    assert "by its encoder alone" in asked(backbone)
    x, (one, other) = torch.randn(2, *backbone.input_shape), (backbone.match(lam) for lam in (5.0, -1.0))
    with torch.inference_mode():
        with capture(backbone.module, reused_taps(backbone), reduce=lambda output: output, stop=False) as outputs:
            expected = backbone.forward(x, other)
        with replaced(backbone.module, outputs):
            torch.testing.assert_close(backbone.forward(x, one), expected)
