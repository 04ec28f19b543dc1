"""What DiT networks compute, against the original and against diffusers' own network, and their taps."""

import math

import dit_checkpoints
import numpy as np
import pytest
import torch
from diffusers import DiTTransformer2DModel
from dit_checkpoints import run
from original_weights import assert_close, check_blocks, formula

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets.dit import Architecture, DiT, position_embedding

# Fixtures
original, weights = dit_checkpoints.original, dit_checkpoints.weights
vae, save = dit_checkpoints.vae, dit_checkpoints.save


# Against the original


def test_output_and_every_block_are_the_original_ones(save, original):
    backbone = load_backbone(save(), device="cpu")
    assert (backbone.family, backbone.input_shape, backbone.image_shape) == ("dit", (4, 16, 16), (3, 32, 32))
    check_blocks(backbone, original, lambda: run(backbone, original))


def test_the_original_position_embedding_is_that_of_an_untrained_copy(save, original):
    assert_close(position_embedding(8, 64), original.expected["state.pos_embed"], "pos_embed")
    copy = load_backbone(save(), device="cpu").untrained(0)
    torch.testing.assert_close(copy.module.pos_embed, original.tensor("state.pos_embed"))


def test_taps_are_the_blocks_by_thirds(save):
    taps = load_backbone(save(), device="cpu").taps()
    assert [(tap.name, tap.region) for tap in taps] == [
        ("x_embedder", "input"),
        ("blocks.0", "encoder"),
        ("blocks.1", "encoder"),
        ("blocks.2", "middle"),
        ("blocks.3", "decoder"),
        ("final_layer", "output"),
    ]
    assert [(tap.resolution, tap.channels) for tap in taps] == [*[(8, 64)] * 5, (8, 32)]
    n, d = 64, 64  # tokens and width
    block = 24 * n * d * d + 4 * n * n * d + 2 * d * 6 * d
    work = [2 * n * d * 16, block, block, block, block, 2 * n * d * 32 + 2 * d * 2 * d]
    time = 2 * 256 * d + 2 * d * d  # embedded before the patches are
    depths = (time + np.cumsum(work)) / (time + sum(work))
    assert [tap.depth for tap in taps] == pytest.approx(list(depths))


def test_untrained_copies_are_reproducible_and_not_degenerate(save, original):
    backbone = load_backbone(save(), device="cpu")
    x, level = original.tensor("input.x"), backbone.match(5.0)
    with torch.no_grad():
        first, again, other = (backbone.untrained(seed).forward(x, level) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.std() > 1e-2 and (first[0] - first[1]).std() > 1e-2
    assert backbone.published() is None


# Against diffusers


def as_diffusers(state: dict[str, torch.Tensor], architecture: Architecture) -> DiTTransformer2DModel:
    """diffusers' network with the weights of an original one.

    Two details of it differ: its frequencies end at exactly 1 / 10000, and the second norm's epsilon is 1e-5. Both are
    set to the original's here.
    """
    model = DiTTransformer2DModel(
        num_attention_heads=architecture.num_heads,
        attention_head_dim=architecture.hidden_size // architecture.num_heads,
        in_channels=architecture.in_channels,
        out_channels=architecture.out_channels,
        num_layers=architecture.depth,
        sample_size=architecture.input_size,
        patch_size=architecture.patch_size,
        num_embeds_ada_norm=architecture.label_rows - 1,
        norm_eps=1e-6,
    ).eval()
    new = {
        "pos_embed.proj": "x_embedder.proj",
        "proj_out_1": "final_layer.adaLN_modulation.1",
        "proj_out_2": "final_layer.linear",
    }
    parts = {
        "attn1.to_out.0": "attn.proj",
        "ff.net.0.proj": "mlp.fc1",
        "ff.net.2": "mlp.fc2",
        "norm1.linear": "adaLN_modulation.1",
    }
    mapped = {}
    for i, block in enumerate(model.transformer_blocks):
        block.norm1.emb.time_proj.downscale_freq_shift = 0
        to, own = f"transformer_blocks.{i}", f"blocks.{i}"
        new |= {f"{to}.{name}": f"{own}.{part}" for name, part in parts.items()}
        embedder = f"{to}.norm1.emb.timestep_embedder"
        new |= {f"{embedder}.linear_1": "t_embedder.mlp.0", f"{embedder}.linear_2": "t_embedder.mlp.2"}
        table = "embedding_table.weight"
        mapped[f"{to}.norm1.emb.class_embedder.{table}"] = state[f"y_embedder.{table}"]
        for kind in ("weight", "bias"):
            thirds = state[f"{own}.attn.qkv.{kind}"].chunk(3)
            mapped |= {f"{to}.attn1.to_{name}.{kind}": part for name, part in zip("qkv", thirds, strict=True)}
    mapped |= {f"{to}.{kind}": state[f"{own}.{kind}"] for to, own in new.items() for kind in ("weight", "bias")}
    model.load_state_dict(mapped, strict=True)
    return model


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(16, 2, 4, 8, 64, 4, 4, 256, 11),
        Architecture(16, 4, 4, 4, 48, 3, 2, 192, 6),
        Architecture(8, 1, 4, 8, 32, 2, 8, 128, 3),
    ],
)
@torch.no_grad()
def test_the_output_is_that_of_diffusers_with_the_same_weights(architecture, tmp_path, vae):
    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {name: list(value.shape) for name, value in DiT(architecture).state_dict().items()}
    state = {name: formula(name, shape, 3) for name, shape in shapes.items() if name != "pos_embed"}
    state["pos_embed"] = position_embedding(
        architecture.input_size // architecture.patch_size, architecture.hidden_size
    )
    path = tmp_path / "dit.pt"
    torch.save(state, path)
    path.with_suffix(".yaml").write_text(f"num_heads: {architecture.num_heads}\nvae: {vae}\n")
    backbone = load_backbone(path, device="cpu", label=1)
    assert backbone.module.architecture == architecture
    x = torch.randn(3, *backbone.input_shape)
    levels = [backbone.match(lam) for lam in (6.0, 1.0, -4.0)]
    t = torch.tensor([int(level.native) for level in levels])
    reference = as_diffusers(state, architecture)
    expected = reference(x, t, torch.ones(3, dtype=torch.long)).sample
    assert_close(backbone.forward(x, levels), expected.numpy(), "output")
    for block in reference.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 1
    shifted = reference(x, t, torch.ones(3, dtype=torch.long)).sample
    assert (shifted - expected).abs().max() > 1e-3 * expected.abs().max(), "the frequencies make a difference"


def test_the_perceptrons_use_the_tanh_form_of_gelu(save):
    mlp = load_backbone(save(), device="cpu").module.blocks[0].mlp
    with torch.no_grad():
        for layer in (mlp.fc1, mlp.fc2):
            layer.weight.copy_(torch.eye(*layer.weight.shape))
            layer.bias.zero_()
        x = torch.linspace(-4, 4, 64)
        expected = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        torch.testing.assert_close(mlp(x), expected, atol=1e-5, rtol=0)  # the exact form is up to 5e-4 away
