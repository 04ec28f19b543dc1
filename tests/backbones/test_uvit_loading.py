"""Files of U-ViT networks: settings and presets, training checkpoints, and what is damaged or of another family."""

import math

import pytest
import torch
import uvit_checkpoints
from original_weights import assert_close
from uvit_checkpoints import LATENT, run, tiny_weights

from cfs_explore.backbones import LOADERS, load_backbone
from cfs_explore.backbones.nets.uvit import Architecture, UViT
from cfs_explore.backbones.uvit_family import PRESETS
from cfs_explore.errors import BackboneError
from cfs_explore.families import FAMILIES

# Fixtures
original, weights, save = uvit_checkpoints.original, uvit_checkpoints.weights, uvit_checkpoints.save


# Settings and presets


def test_what_is_missing_is_asked_for_with_the_presets(tmp_path, weights):
    torch.save(weights, tmp_path / "bare.pth")
    with pytest.raises(BackboneError, match=r"missing: num_heads\. .*bare\.yaml.*cifar10_uvit_small.*512_uvit_huge"):
        load_backbone(tmp_path / "bare.pth", device="cpu")
    torch.save(tiny_weights(LATENT), tmp_path / "latent.pth")
    with pytest.raises(BackboneError, match=r"missing: num_heads, schedule\."):
        load_backbone(tmp_path / "latent.pth", device="cpu")


@pytest.mark.parametrize("depth", [4, 5])
def test_the_middle_block_may_be_counted_or_not(save, depth):
    assert load_backbone(save(depth=depth), device="cpu").module.architecture.depth == 4


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"depth": 6}, "depth is 6 in the settings beside nnet.pth, but the weights have 4"),
        ({"patch_size": 4}, "patch_size is 4 .*, but the weights have 2"),
        ({"img_size": 64}, "img_size is 64 .*, but the weights have 32"),
        ({"mlp_ratio": 2}, "mlp_ratio is 2 .*, but the weights have 4"),
        ({"qkv_bias": True}, "qkv_bias is True .*, but the weights have False"),
        ({"num_classes": 10}, "num_classes is 10 .*, but the weights have -1"),
        ({"skip": False}, "skip is False .*, but the weights have True"),
        ({"num_heads": 5}, "num_heads must be a whole number that divides the width 64; got 5"),
        ({"num_head": 4}, "Unknown setting 'num_head' .* Did you mean num_heads"),
        (
            {"preset": "cifar10_uvit_small"},
            "embed_dim is 512 in the preset cifar10_uvit_small, but the weights have 64",
        ),
        ({"preset": "cifar10_uvit_smal"}, "no preset 'cifar10_uvit_smal'. Did you mean cifar10_uvit_small"),
    ],
)
def test_settings_and_presets_must_agree_with_the_weights(save, changes, complaint):
    with pytest.raises(BackboneError, match=complaint):
        load_backbone(save(**changes), device="cpu")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_describe_whole_networks(name):
    preset = PRESETS[name]
    assert preset["embed_dim"] % preset["num_heads"] == 0 and preset["depth"] % 2 == 0
    assert preset["img_size"] // preset["patch_size"] == 16
    assert preset["in_chans"] == (3 if "64" in name or "cifar" in name else 4)


def test_a_preset_alone_is_enough(tmp_path):
    """The released CIFAR-10 network's own shapes, in half precision."""
    architecture = Architecture(32, 2, 3, 512, 12, 8, 2048, False, False, None, True)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in UViT(architecture).state_dict().items()}
    assert sum(math.prod(shape) for shape in shapes.values()) == pytest.approx(44e6, rel=0.02)  # the paper's table 1
    zero = torch.zeros(1, dtype=torch.float16)
    path = tmp_path / "cifar10.pth"
    torch.save({name: zero.expand(shape) for name, shape in shapes.items()}, path)
    backbone = load_backbone(path, device="cpu", preset="cifar10_uvit_small")
    assert backbone.module.architecture == architecture
    assert any("float16" in note for note in backbone.notes)


# Files


def test_averaged_weights_of_a_training_checkpoint_are_found_and_said(save, weights, original):
    raw = {name: torch.zeros_like(value) for name, value in weights.items()}
    content = {"nnet": raw, "nnet_ema": weights, "optimizer": {"state": {}, "param_groups": []}, "step": 500000}
    backbone = load_backbone(save(content), device="cpu")
    assert_close(run(backbone, original), original.expected["output"], "output")
    assert any("'nnet_ema'" in note for note in backbone.notes)


def test_half_precision_weights_are_computed_with_in_float32(save, weights, original):
    backbone = load_backbone(save({name: value.half() for name, value in weights.items()}), device="cpu")
    assert {p.dtype for p in backbone.module.parameters()} == {torch.float32}
    expected = original.tensor("output")
    assert (run(backbone, original) - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("start", [0, 4, -8])
def test_missing_keys_are_named(save, weights, start):
    names = list(weights)[start:][:3]
    content = {name: value for name, value in weights.items() if name not in names}
    with pytest.raises(BackboneError, match=r"missing: .*It is incomplete") as caught:
        load_backbone(save(content), device="cpu")
    assert any(name in str(caught.value) for name in names)


def test_more_than_five_missing_and_unexpected_keys_are_counted(save, weights):
    names = [name for name in weights if ".mlp." in name and not name.startswith("mid_block")][:7]
    content = {name: value for name, value in weights.items() if name not in names}
    content |= {f"context_embed.{i}.weight": torch.zeros(1) for i in range(6)}
    with pytest.raises(
        BackboneError, match=r"7 missing: .* and 2 more; 6 unexpected: .* and 1 more.*conditioned on text"
    ) as e:
        load_backbone(save(content), device="cpu")
    assert all(name in str(e.value) for name in [*names[:5], "context_embed.4.weight"])


def test_tokens_that_form_no_square_are_refused(save, weights):
    content = weights | {"pos_embed": torch.zeros(1, 257 + 77, 64)}
    with pytest.raises(BackboneError, match=r"333 tokens .* form no square.*conditioned on text"):
        load_backbone(save(content), device="cpu")


@pytest.mark.parametrize("name", ["patch_embed.proj.weight", "pos_embed", "mid_block.mlp.fc1.weight"])
@pytest.mark.parametrize("shape", [(), (5,), (64, 3, 0, 0)])
def test_parameters_of_a_damaged_shape_are_named(save, weights, name, shape):
    with pytest.raises(BackboneError, match=rf"does not fit the network: {name} has the shape .*It is incomplete"):
        load_backbone(save(weights | {name: torch.zeros(shape)}), device="cpu")


@pytest.mark.timeout(20)  # a network of so many blocks would take minutes to build
@pytest.mark.parametrize("name", ["in_blocks.x.weight", "in_blocks.", "in_blocks.99999.norm1.weight"])
def test_numbers_that_are_no_block_are_unexpected(save, weights, name):
    with pytest.raises(BackboneError, match=f"does not fit the network: 1 unexpected: {name}"):
        load_backbone(save(weights | {name: torch.zeros(64)}), device="cpu")


def test_a_half_downloaded_file_says_so(save):
    path = save()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BackboneError, match="cut short"):
        load_backbone(path, device="cpu")


@pytest.mark.parametrize("wrong", ["dit", "improved-diffusion", "score-sde", "unet2d"])
def test_the_wrong_family_is_refused_and_the_right_one_named(save, wrong):
    with pytest.raises(BackboneError, match=f"does not hold a {wrong} backbone. It looks like u-vit."):
        load_backbone(save(), family=wrong, device="cpu")


def test_every_family_that_loads_is_described():
    assert list(LOADERS) == list(FAMILIES)
