"""What iDDPM and ADM networks compute, against the originals and block by block, and their taps."""

import math
from dataclasses import replace

import openai_checkpoints
import pytest
import torch
from openai_checkpoints import ADM, ADM_CLASSES, IMPROVED, run
from original_weights import check_blocks, fixture
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets.openai_unet import Architecture, AttentionBlock, OpenAIUNet, ResBlock
from cfs_explore.backbones.openai_unets import unet_sites

# Fixtures
weights, save = openai_checkpoints.weights, openai_checkpoints.save

TINY = Architecture(
    in_channels=3,
    out_channels=3,
    num_channels=32,
    level_channels=(32, 64),
    num_res_blocks=1,
    attention_levels=(1,),
    num_classes=None,
    use_scale_shift_norm=False,
    resblock_updown=False,
    conv_resample=False,
    num_heads=4,
)


@pytest.mark.parametrize("name", [IMPROVED, ADM, ADM_CLASSES])
def test_output_and_every_block_are_the_original_ones(save, name):
    original = fixture(name)
    backbone = load_backbone(save(name), device="cpu", label=3 if name == ADM_CLASSES else None)
    assert backbone.family == original.config["format"]
    assert backbone.image_shape == (3, 32, 32)
    check_blocks(backbone, original, lambda: run(backbone, original))
    assert {tap.name for tap in backbone.taps()} == set(original.config["blocks"])


def test_taps_carry_region_kind_resolution_and_channels(save):
    taps = {tap.name: tap for tap in load_backbone(save(IMPROVED), device="cpu").taps()}
    adm = {tap.name: tap for tap in load_backbone(save(ADM), device="cpu").taps()}
    assert (taps["input_blocks.0.0"].region, taps["input_blocks.0.0"].kind) == ("input", "conv")
    for found in (taps, adm):
        assert (found["input_blocks.2.0"].region, found["input_blocks.2.0"].kind) == ("encoder", "downsampler")
        assert (found["middle_block.1"].region, found["middle_block.1"].kind) == ("middle", "attention")
        assert (found["output_blocks.1.2"].region, found["output_blocks.1.2"].kind) == ("decoder", "upsampler")
        assert (found["output_blocks.1.2"].resolution, found["output_blocks.1.2"].channels) == (16, 64)
        assert found["output_blocks.5.0"].kind == "resnet"


@pytest.mark.parametrize("name", [IMPROVED, ADM])
def test_depth_is_the_share_of_flops_counted_module_by_module(save, name):
    backbone = load_backbone(save(name), device="cpu")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone.forward(torch.zeros(1, 3, 32, 32), backbone.match(5.0))
    per_module = {key: sum(ops.values()) for key, ops in counter.get_flop_counts().items()}
    done = per_module["OpenAIUNet.time_embed"]
    for tap in backbone.taps():
        done += per_module[f"OpenAIUNet.{tap.name}"]
        assert tap.depth == pytest.approx(done / per_module["Global"])
    assert done + per_module["OpenAIUNet.out"] == per_module["Global"]


def test_untrained_copies_are_reproducible_and_not_degenerate(save):
    backbone = load_backbone(save(IMPROVED), device="cpu")
    x, level = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), backbone.match(5.0)
    copies = [backbone.untrained(seed) for seed in (1, 1, 2)]
    with torch.no_grad():
        first, again, other = (copy.forward(x, level) for copy in copies)
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert all(p.abs().sum() > 0 for name, p in copies[0].module.named_parameters() if p.ndim > 1)
    assert first.std() > 1e-3


@pytest.mark.parametrize("new_order", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_that_of_one_head_after_another(new_order, heads):
    torch.manual_seed(0)
    block = AttentionBlock(replace(TINY, use_new_attention_order=new_order), 64, heads)
    x, width = torch.randn(2, 64, 4, 4), 64 // heads
    with torch.no_grad():
        qkv = block.qkv(block.norm(x).flatten(2))  # (image, 3 x channel, position)
        mixed = torch.empty(2, 64, 16)
        for head in range(heads):
            starts = [part * 64 + head * width if new_order else (3 * head + part) * width for part in range(3)]
            q, k, v = (qkv[:, start : start + width] for start in starts)
            attention = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(width), dim=-1)
            mixed[:, head * width : (head + 1) * width] = v @ attention.transpose(1, 2)
        expected = x + block.proj_out(mixed).view_as(x)
        assert torch.allclose(block(x), expected, atol=1e-5)


def test_the_embedding_is_added_before_the_norm_without_scale_shift():
    torch.manual_seed(0)
    block = ResBlock(TINY, 32, 64, 128)
    x, emb = torch.randn(2, 32, 8, 8), torch.randn(2, 128)
    with torch.no_grad():
        h = block.in_layers(x) + block.emb_layers(emb)[:, :, None, None]
        expected = block.skip_connection(x) + block.out_layers(h)
        assert torch.allclose(block(x, torch.nn.functional.silu(emb)), expected, atol=1e-5)


def test_networks_that_pool_and_repeat_have_their_sites():
    network = OpenAIUNet(TINY)
    sites = unet_sites(network)
    assert sites["input_blocks.2.0"] == ("encoder", "downsampler")
    assert sites["output_blocks.1.2"] == ("decoder", "upsampler")
    x = torch.randn(1, 32, 4, 4)
    assert torch.allclose(network.input_blocks[2][0](x)[0, 0, 0, 0], x[0, 0, :2, :2].mean())
    y = network.output_blocks[1][2](x)
    assert y.shape == (1, 32, 8, 8) and torch.equal(y[..., ::2, ::2], x) and torch.equal(y[..., 1::2, 1::2], x)
