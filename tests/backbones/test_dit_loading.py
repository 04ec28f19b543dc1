"""Files of DiT networks: settings and presets, training checkpoints, and what is damaged or of another family."""

import argparse

import dit_checkpoints
import pytest
import torch
from dit_checkpoints import run
from original_weights import assert_close

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.dit_family import PRESETS
from cfs_explore.backbones.nets.dit import Architecture, DiT
from cfs_explore.errors import BackboneError

# Fixtures
original, weights = dit_checkpoints.original, dit_checkpoints.weights
vae, save = dit_checkpoints.vae, dit_checkpoints.save


# Settings and presets


def test_heads_are_asked_for_with_the_presets(save):
    with pytest.raises(BackboneError, match=r"missing: num_heads\. .*DiT-tiny-2\.yaml.*DiT-S/2.*DiT-XL/2-512x512"):
        load_backbone(save(drop=("num_heads",)), device="cpu")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"input_size": 32}, "input_size is 32 in the settings beside DiT-tiny-2.pt, but the weights have 16"),
        ({"depth": 5}, "depth is 5 .*, but the weights have 4"),
        ({"mlp_ratio": 2.0}, "mlp_ratio is 2.0 .*, but the weights have 4.0"),
        ({"learn_sigma": False}, "learn_sigma is False .*, but the weights have True"),
        ({"num_heads": 7}, "num_heads must be a whole number that divides the width 64; got 7"),
        ({"num_head": 4}, "Unknown setting 'num_head' .* Did you mean num_heads"),
        ({"preset": "DiT-S/2"}, "hidden_size is 384 in the preset DiT-S/2, but the weights have 64"),
        ({"preset": "DiT-XL/2-256"}, "no preset 'DiT-XL/2-256'. Did you mean DiT-XL/2-256x256"),
    ],
)
def test_settings_and_presets_must_agree_with_the_weights(save, changes, complaint):
    with pytest.raises(BackboneError, match=complaint):
        load_backbone(save(**changes), device="cpu")


@pytest.mark.parametrize(("name", "millions"), [("DiT-S/2", 33), ("DiT-B/4", 130), ("DiT-L/8", 459), ("DiT-XL/2", 675)])
def test_presets_have_the_size_that_the_paper_says(name, millions):
    preset = PRESETS[name]
    with torch.device("meta"):
        network = DiT(Architecture(
            32, preset["patch_size"], 4, 8, preset["hidden_size"], preset["depth"], preset["num_heads"],
            4 * preset["hidden_size"], 1001,
        ))  # fmt: skip
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(millions * 1e6, rel=0.015)
    assert preset["hidden_size"] % preset["num_heads"] == 0


# Files


def test_averaged_weights_of_a_training_checkpoint_are_found_and_said(save, weights, original):
    raw = {name: torch.zeros_like(value) for name, value in weights.items()}
    args = argparse.Namespace(model="DiT-tiny/2", image_size=128)
    content = {"model": raw, "ema": weights, "opt": {"state": {}, "param_groups": []}, "args": args}
    backbone = load_backbone(save(content), device="cpu")
    assert_close(run(backbone, original), original.expected["output"], "output")
    assert any("'ema'" in note for note in backbone.notes)


def test_half_precision_weights_are_computed_with_in_float32(save, weights, original):
    backbone = load_backbone(save({name: value.half() for name, value in weights.items()}), device="cpu")
    assert {p.dtype for p in backbone.module.parameters()} == {torch.float32}
    assert any("float16" in note for note in backbone.notes)
    expected = original.tensor("output")
    assert (run(backbone, original) - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("start", [0, 5, -5])
def test_missing_keys_are_named(save, weights, start):
    names = list(weights)[start:][:3]
    content = {name: value for name, value in weights.items() if name not in names}
    with pytest.raises(BackboneError, match=r"missing: .*It is incomplete") as caught:
        load_backbone(save(content), device="cpu")
    assert any(name in str(caught.value) for name in names)


def test_more_than_five_missing_and_unexpected_keys_are_counted(save, weights):
    names = [name for name in weights if name.startswith("blocks.1.")][:7]
    content = {name: value for name, value in weights.items() if name not in names}
    content |= {f"blocks.{i}.norm.weight": torch.zeros(64) for i in range(4)} | {
        "a": torch.zeros(1),
        "b": torch.zeros(1),
    }
    with pytest.raises(BackboneError, match=r"7 missing: .* and 2 more; 6 unexpected: .* and 1 more.*fork") as caught:
        load_backbone(save(content), device="cpu")
    assert all(name in str(caught.value) for name in names[:5])


@pytest.mark.parametrize(
    "name",
    [
        "x_embedder.proj.weight",
        "pos_embed",
        "blocks.0.mlp.fc1.weight",
        "final_layer.linear.weight",
        "y_embedder.embedding_table.weight",
    ],
)
@pytest.mark.parametrize("shape", [(), (5,), (64, 4, 0, 0)])
def test_parameters_of_a_damaged_shape_are_named(save, weights, name, shape):
    with pytest.raises(BackboneError, match=rf"does not fit the network: {name} has the shape .*It is incomplete"):
        load_backbone(save(weights | {name: torch.zeros(shape)}), device="cpu")


@pytest.mark.timeout(20)  # a network of so many blocks would take minutes to build
@pytest.mark.parametrize("name", ["blocks.x.weight", "blocks.", "blocks.99999.attn.qkv.bias"])
def test_numbers_that_are_no_block_are_unexpected(save, weights, name):
    with pytest.raises(BackboneError, match=f"does not fit the network: 1 unexpected: {name}"):
        load_backbone(save(weights | {name: torch.zeros(64)}), device="cpu")


def test_an_output_of_other_channels_is_refused(save, weights):
    head = {f"final_layer.linear.{kind}": weights[f"final_layer.linear.{kind}"][:12] for kind in ("weight", "bias")}
    with pytest.raises(BackboneError, match="takes 4 channels and gives 3"):
        load_backbone(save(weights | head), device="cpu")


def test_a_half_downloaded_file_says_so(save):
    path = save()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BackboneError, match="cut short"):
        load_backbone(path, device="cpu")


@pytest.mark.parametrize("wrong", ["u-vit", "guided-diffusion", "dit-diffusers", "unet2d"])
def test_the_wrong_family_is_refused_and_the_right_one_named(save, wrong):
    with pytest.raises(BackboneError, match=f"does not hold a {wrong} backbone. It looks like dit."):
        load_backbone(save(), family=wrong, device="cpu")
