"""DiT checkpoints through the public loader, against what the original computes and against diffusers' own network."""

import argparse
import math

import numpy as np
import pytest
import torch
import yaml
from diffusers import DiTTransformer2DModel
from original_weights import assert_close, check_blocks, fixture, formula, state_dict_of

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.dit_family import PRESETS
from cfs_explore.backbones.nets.dit import Architecture, DiT, position_embedding
from cfs_explore.errors import BackboneError

EXTRAS = ("format", "seed", "state_dict", "blocks")


@pytest.fixture(scope="module")
def original():
    return fixture("dit")


@pytest.fixture(scope="module")
def weights(original):
    """The original network's parameters; not to be changed."""
    return state_dict_of(original)


@pytest.fixture(scope="module")
def vae(save_vae):
    return str(save_vae())


@pytest.fixture
def save(tmp_path, weights, original, vae):
    """Write the fixture as released files are, settings and autoencoder beside it; gives the file."""

    def write(content=None, *, drop: tuple[str, ...] = (), **changes):
        path = tmp_path / "DiT-tiny-2.pt"
        torch.save(weights if content is None else content, path)
        settings = {k: v for k, v in original.config.items() if k not in EXTRAS} | {"vae": vae} | changes
        path.with_suffix(".yaml").write_text(yaml.safe_dump({k: v for k, v in settings.items() if k not in drop}))
        return path

    return write


def run(backbone, original) -> torch.Tensor:
    with torch.no_grad():
        return backbone.module(*(original.tensor(f"input.{key}") for key in ("x", "noise_cond", "y")))


def with_classes(weights, rows: int) -> dict[str, torch.Tensor]:
    name = "y_embedder.embedding_table.weight"
    return weights | {name: formula(name, [rows, 64], 5)}


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


# Levels (theory 1)


def test_levels_are_those_of_the_linear_schedule_and_the_step_is_told(save):
    backbone = load_backbone(save(), device="cpu")
    log_abar, lams = 0.0, []
    for t in range(1000):
        log_abar += math.log1p(-(1e-4 + t / 999 * (0.02 - 1e-4)))
        lams.append(log_abar - math.log(-math.expm1(log_abar)))
    assert backbone.reach == pytest.approx((lams[-1], 9.21), abs=2e-3)
    seen = []
    backbone.module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    for lam in (9.0, 5.0, 0.0, -6.0):
        level = backbone.match(lam)
        nearest = int(np.argmin(np.abs(np.array(lams) - lam)))
        assert level.native == nearest
        assert level.lam == pytest.approx(lams[nearest])
        assert 2 * math.log(level.a / level.b) == pytest.approx(level.lam)
        with torch.no_grad():
            backbone.forward(torch.zeros(2, 4, 16, 16), level)
        assert torch.equal(seen[-1], torch.full((2,), nearest))


@pytest.mark.parametrize("said", [{"noise_schedule": "cosine"}, {"diffusion_steps": 4000}, {"schedule": "cosine"}])
def test_another_schedule_is_refused(save, said):
    with pytest.raises(BackboneError, match="linear schedule of 1000 steps"):
        load_backbone(save(**said), device="cpu")


def test_learned_variances_are_left_out_of_the_noise(save):
    backbone = load_backbone(save(), device="cpu")
    x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    level = backbone.match(1.0)
    with torch.no_grad():
        out, eps, x0 = (f(x, level) for f in (backbone.forward, backbone.predict_eps, backbone.predict_x0))
    assert out.shape == (2, 8, 16, 16) and torch.equal(eps, out[:, :4])
    torch.testing.assert_close(level.a * x0 + level.b * eps, x, atol=1e-4, rtol=1e-4)


# Classes and autoencoder


def test_the_null_class_is_the_default_and_a_label_overrides_it(save, original):
    path = save()
    null, same, three = (load_backbone(path, device="cpu", label=label) for label in (None, 10, 3))
    x, level = original.tensor("input.x"), null.match(2.0)
    t = torch.full((2,), int(level.native))
    with torch.no_grad():
        assert torch.equal(null.forward(x, level), null.module(x, t, torch.tensor([10, 10])))
        assert torch.equal(three.forward(x, level), three.module(x, t, torch.tensor([3, 3])))
        assert (null.forward(x, level) - three.forward(x, level)).abs().max() > 1e-3
    assert null.fingerprint == same.fingerprint != three.fingerprint
    assert any("null class (10)" in note and "0 to 9" in note for note in null.notes)
    assert any("noise prediction on the linear schedule" in note for note in three.notes)


@pytest.mark.parametrize("label", [-1, 11, "cat"])
def test_a_class_that_does_not_exist_is_an_error(save, label):
    with pytest.raises(BackboneError, match=f"has 10 classes: label must be 0 to 9, or 10, .*; got {label!r}"):
        load_backbone(save(), device="cpu", label=label)


@pytest.mark.parametrize("said", [{"class_dropout_prob": 0.0, "num_classes": 11}, {"num_classes": 11}])
def test_without_class_dropout_there_is_no_null_class(save, said):
    path = save(**said, drop=() if "class_dropout_prob" in said else ("class_dropout_prob",))
    with pytest.raises(BackboneError, match=r"no null class: give `label`, .* 0 to 10; got None"):
        load_backbone(path, device="cpu")
    assert load_backbone(path, device="cpu", label=10).family == "dit"


def test_the_number_of_classes_must_agree_with_the_weights(save, weights):
    with pytest.raises(BackboneError, match=r"num_classes is 10 in the settings .*, but the weights have 12"):
        load_backbone(save(with_classes(weights, 13)), device="cpu")


def test_the_autoencoder_is_asked_for(save):
    with pytest.raises(BackboneError, match=r"works on latents: give `vae`.*stabilityai/sd-vae-ft-ema"):
        load_backbone(save(drop=("vae",)), device="cpu")


def test_the_named_autoencoder_encodes_and_counts_in_the_fingerprint(save, save_vae):
    backbone = load_backbone(save(), device="cpu")
    other = load_backbone(save(), device="cpu", vae=str(save_vae(seed=1)))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        assert backbone.encode(images).shape == (2, 4, 16, 16)
        assert backbone.decode(backbone.encode(images)).shape == images.shape
    assert other.fingerprint != backbone.fingerprint


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


def test_untrained_copies_are_reproducible_and_not_degenerate(save, original):
    backbone = load_backbone(save(), device="cpu")
    x, level = original.tensor("input.x"), backbone.match(5.0)
    with torch.no_grad():
        first, again, other = (backbone.untrained(seed).forward(x, level) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.std() > 1e-2 and (first[0] - first[1]).std() > 1e-2
    assert backbone.published() is None
