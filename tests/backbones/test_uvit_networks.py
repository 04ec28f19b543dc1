"""What U-ViT networks compute, against the original and against plain loops, and their taps."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import uvit_checkpoints
from original_weights import assert_close
from torch.nn import functional
from uvit_checkpoints import TINY, run, tiny_weights

from cfs_explore.backbones import load_backbone
from cfs_explore.taps.capture import capture
from cfs_explore.taps.pooling import pool

# Fixtures
original, weights = uvit_checkpoints.original, uvit_checkpoints.weights
save, save_tiny = uvit_checkpoints.save, uvit_checkpoints.save_tiny


def outputs_of(backbone, names, x, level) -> dict[str, torch.Tensor]:
    """Every token that these modules give."""
    seen = {}
    handles = [
        backbone.module.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.update({name: out})
        )
        for name in names
    ]
    with torch.no_grad():
        backbone.forward(x, level)
    for handle in handles:
        handle.remove()
    return seen


# Against the original


def test_output_and_every_block_are_the_original_ones(save, original):
    """The fixture pools all 257 tokens, that of the time among them; the project leaves that one out (theory 2)."""
    backbone = load_backbone(save(), device="cpu")
    assert (backbone.family, backbone.image_shape, backbone.input_shape) == ("u-vit", (3, 32, 32), (3, 32, 32))
    names = list(original.config["blocks"])
    with torch.no_grad(), capture(backbone.module, names, lambda tap, output: output, stop=False) as every_token:
        output = run(backbone, original)
    assert_close(output, original.expected["output"], "output")
    for name in names:
        parts = [original.expected[f"block.{name}.{part}"] for part in ("mean", "std")]
        assert_close(every_token[name], np.concatenate(parts, axis=1), name)
    assert {tap.name for tap in backbone.taps()} == {*names, "patch_embed", "norm"}


def test_snapshots_leave_out_the_special_tokens(save, save_tiny, original):
    unconditional = load_backbone(save(), device="cpu")
    with_classes = load_backbone(save_tiny(replace(TINY, num_classes=5)), device="cpu", label=2)
    for backbone, special in ((unconditional, 1), (with_classes, 2)):
        x, level = torch.randn(2, *backbone.input_shape), backbone.match(2.0)
        names = [tap.name for tap in backbone.taps()]
        seen = outputs_of(backbone, names, x, level)
        with torch.no_grad(), capture(backbone.module, names, backbone.activation, stop=False) as features:
            backbone.forward(x, level)
        patches = (backbone.input_shape[1] // 2) ** 2
        for name in names:
            first = 0 if name == "patch_embed" else special
            assert seen[name].shape[1] == patches + first
            torch.testing.assert_close(features[name], pool(seen[name][:, first:]))


def test_taps_carry_region_resolution_and_channels(save):
    taps = load_backbone(save(), device="cpu").taps()
    assert [(tap.name, tap.region) for tap in taps] == [
        ("patch_embed", "input"),
        ("in_blocks.0", "encoder"),
        ("in_blocks.1", "encoder"),
        ("mid_block", "middle"),
        ("out_blocks.0", "decoder"),
        ("out_blocks.1", "decoder"),
        ("norm", "output"),
    ]
    assert all((tap.resolution, tap.channels) == (16, 64) for tap in taps)
    n, d = 257, 64  # tokens with the time's, and width
    patches, block, skip = 2 * 256 * d * 12, 24 * n * d * d + 4 * n * n * d, 4 * n * d * d
    work = [patches, block, block, block, block + skip, block + skip, 0]
    total = sum(work) + patches + 2 * 32 * 32 * 3 * 27  # the prediction of the patches, and the last convolution
    assert [tap.depth for tap in taps] == pytest.approx(list(np.cumsum(work) / total))


def test_untrained_copies_are_reproducible_and_not_degenerate(save, original):
    backbone = load_backbone(save(), device="cpu")
    x, level = original.tensor("input.x"), backbone.match(5.0)
    with torch.no_grad():
        first, again, other = (backbone.untrained(seed).forward(x, level) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.std() > 1e-2 and (first[0] - first[1]).std() > 1e-2
    assert backbone.published() is None


# Against plain loops


def slow(state: dict[str, torch.Tensor], x, t, y, heads: int) -> torch.Tensor:
    """U-ViT of one image x (C, H, W), written from the paper with loops over patches and heads."""
    get = {name: value.double() for name, value in state.items()}
    kernel = get["patch_embed.proj.weight"]
    width, channels, patch, _ = kernel.shape
    side = x.shape[1] // patch
    where = [(patch * row, patch * column) for row in range(side) for column in range(side)]
    time = torch.tensor([
        (math.cos if i < width // 2 else math.sin)(t / 10000 ** (i % (width // 2) / (width // 2)))
        for i in range(width)
    ]).double()  # fmt: skip
    if "time_embed.0.weight" in get:
        hidden = get["time_embed.0.weight"] @ time + get["time_embed.0.bias"]
        time = get["time_embed.2.weight"] @ (hidden * torch.sigmoid(hidden)) + get["time_embed.2.bias"]
    tokens = [] if y is None else [get["label_emb.weight"][y]]
    tokens.append(time)
    for i, j in where:
        cut = x[:, i : i + patch, j : j + patch].double()
        tokens.append((kernel * cut).sum((1, 2, 3)) + get["patch_embed.proj.bias"])
    h = torch.stack(tokens) + get["pos_embed"][0]
    blocks = sorted({name.rsplit(".", 3)[0] for name in get if ".attn.qkv." in name}, key=_order)
    skips = []
    for block in blocks:
        part = {name.removeprefix(f"{block}."): value for name, value in get.items() if name.startswith(f"{block}.")}
        if block.startswith("out"):
            h = torch.cat([h, skips.pop()], 1) @ part["skip_linear.weight"].T + part["skip_linear.bias"]
        h = _slow_block(part, h, heads)
        if block.startswith("in"):
            skips.append(h)
    h = functional.layer_norm(h, (width,), get["norm.weight"], get["norm.bias"], 1e-5)
    image = torch.empty(x.shape, dtype=torch.float64)
    for token, (i, j) in zip(h[-len(where) :], where, strict=True):
        values = get["decoder_pred.weight"] @ token + get["decoder_pred.bias"]
        for n, value in enumerate(values):  # row, column, channel of the patch
            image[n % channels, i + n // (patch * channels), j + n // channels % patch] = value
    if "final_layer.weight" in get:
        image = functional.conv2d(image[None], get["final_layer.weight"], get["final_layer.bias"], padding=1)[0]
    return image.float()


def _order(block: str) -> tuple[int, str]:
    return ("in_blocks", "mid_block", "out_blocks").index(block.split(".")[0]), block


def _slow_block(part: dict[str, torch.Tensor], h: torch.Tensor, heads: int) -> torch.Tensor:
    width = h.shape[1]
    qkv = functional.layer_norm(h, (width,), part["norm1.weight"], part["norm1.bias"], 1e-5) @ part["attn.qkv.weight"].T
    qkv = qkv + part.get("attn.qkv.bias", 0.0)
    mixed = torch.empty_like(h)
    for head in range(heads):
        cut = slice(head * width // heads, (head + 1) * width // heads)
        q, k, v = (qkv[:, n * width : (n + 1) * width][:, cut] for n in range(3))
        mixed[:, cut] = torch.softmax(q @ k.T / math.sqrt(width // heads), dim=1) @ v
    h = h + mixed @ part["attn.proj.weight"].T + part["attn.proj.bias"]
    inner = functional.layer_norm(h, (width,), part["norm2.weight"], part["norm2.bias"], 1e-5)
    inner = inner @ part["mlp.fc1.weight"].T + part["mlp.fc1.bias"]
    inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
    return h + inner @ part["mlp.fc2.weight"].T + part["mlp.fc2.bias"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"qkv_bias": True},
        {"mlp_time_embed": True},
        {"num_classes": 5},
        {"conv": False},
        {"img_size": 16, "patch_size": 4, "depth": 4, "num_heads": 4},
        {"img_size": 4, "qkv_bias": True, "mlp_time_embed": True, "num_classes": 5, "conv": False, "hidden_dim": 32},
    ],
)
def test_every_configuration_is_read_from_the_weights_and_agrees_with_plain_loops(save_tiny, changes):
    architecture = replace(TINY, **changes)
    classes = architecture.num_classes is not None
    backbone = load_backbone(save_tiny(architecture), device="cpu", label=3 if classes else None)
    assert backbone.module.architecture == architecture
    x, level = torch.randn(2, *backbone.input_shape, generator=torch.Generator().manual_seed(0)), backbone.match(0.0)
    state = tiny_weights(architecture)
    with torch.no_grad():
        output = backbone.forward(x, level)
    for image, found in zip(x, output, strict=True):
        expected = slow(state, image, 999 * level.native, 3 if classes else None, architecture.num_heads)
        assert_close(found, expected.numpy(), str(changes))
