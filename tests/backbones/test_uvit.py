"""U-ViT checkpoints through the public loader, against what the original computes and against plain loops."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from original_weights import assert_close, fixture, formula, state_dict_of
from torch.nn import functional

from cfs_explore.backbones import LOADERS, load_backbone
from cfs_explore.backbones.nets.uvit import Architecture, UViT
from cfs_explore.backbones.uvit_family import PRESETS
from cfs_explore.errors import BackboneError
from cfs_explore.families import FAMILIES
from cfs_explore.taps.capture import capture
from cfs_explore.taps.pooling import pool

EXTRAS = ("format", "schedule", "seed", "state_dict", "blocks")
TINY = Architecture(
    img_size=8,
    patch_size=2,
    in_chans=3,
    embed_dim=16,
    depth=2,
    num_heads=2,
    hidden_dim=64,
    qkv_bias=False,
    mlp_time_embed=False,
    num_classes=None,
    conv=True,
)
LATENT = replace(TINY, in_chans=4, num_classes=1001, conv=False)


@pytest.fixture(scope="module")
def original():
    return fixture("uvit")


@pytest.fixture(scope="module")
def weights(original):
    """The original network's parameters; not to be changed."""
    return state_dict_of(original)


@pytest.fixture
def save(tmp_path, weights, original):
    """Write the fixture as released files are, settings beside it; gives the file."""

    def write(content=None, **settings):
        path = tmp_path / "nnet.pth"
        torch.save(weights if content is None else content, path)
        if content is None or not settings:
            settings = {k: v for k, v in original.config.items() if k not in EXTRAS} | settings
        path.with_suffix(".yaml").write_text(yaml.safe_dump(settings))
        return path

    return write


def tiny_weights(architecture: Architecture) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        shapes = {name: list(value.shape) for name, value in UViT(architecture).state_dict().items()}
    return {name: formula(name, shape, 3) for name, shape in shapes.items()}


@pytest.fixture
def save_tiny(tmp_path):
    """Write a small network of some architecture, its heads (and what is given) beside it; gives the file."""

    def write(architecture: Architecture, **settings):
        path = tmp_path / "tiny.pth"
        torch.save(tiny_weights(architecture), path)
        path.with_suffix(".yaml").write_text(yaml.safe_dump({"num_heads": architecture.num_heads} | settings))
        return path

    return write


def run(backbone, original) -> torch.Tensor:
    with torch.no_grad():
        return backbone.module(original.tensor("input.x"), original.tensor("input.noise_cond"))


def told(backbone, level) -> torch.Tensor:
    """What the network is given as its time."""
    seen = []
    handle = backbone.module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    with torch.no_grad():
        backbone.forward(torch.zeros(2, *backbone.input_shape), level)
    handle.remove()
    return seen[0]


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


# Levels (theory 1)


def test_pixels_are_corrupted_by_the_vp_sde_and_told_their_time(save):
    backbone = load_backbone(save(), device="cpu")
    for lam in (9.0, 5.0, 0.0, -6.0):
        level = backbone.match(lam)
        t = level.native
        log_abar = -(0.1 * t + 0.5 * 19.9 * t * t)
        assert level.lam == pytest.approx(lam)
        assert log_abar - math.log(-math.expm1(log_abar)) == pytest.approx(lam)
        assert (level.a, level.b) == pytest.approx((math.exp(log_abar / 2), math.sqrt(-math.expm1(log_abar))))
        torch.testing.assert_close(told(backbone, level), torch.full((2,), 999 * t))


def test_latents_under_discrete_steps_are_told_the_step_counted_from_one(save_tiny, save_vae):
    path = save_tiny(LATENT, schedule="sd-scaled-linear-1000", vae=str(save_vae()))
    backbone = load_backbone(path, device="cpu")
    assert (backbone.input_shape, backbone.image_shape) == ((4, 8, 8), (3, 16, 16))
    abar = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)
    lams = np.log(abar / (1 - abar))
    assert backbone.reach == pytest.approx((lams[-1], lams[0]))
    for lam in (7.0, 2.0, -4.0):
        level = backbone.match(lam)
        index = int(np.argmin(np.abs(lams - lam)))
        assert level.native == index
        assert (level.a, level.b) == pytest.approx((abar[index] ** 0.5, (1 - abar[index]) ** 0.5))
        assert torch.equal(told(backbone, level), torch.full((2,), index + 1.0))


def test_latents_have_seen_both_schedules_so_that_one_is_asked_for(save_tiny, save_vae):
    path, vae = save_tiny(LATENT), str(save_vae())
    with pytest.raises(BackboneError, match=r"missing: schedule\..*imagenet256_uvit_large"):
        load_backbone(path, device="cpu", vae=vae)
    continuous = load_backbone(path, device="cpu", vae=vae, schedule="vp-sde")
    assert continuous.match(3.3).lam == pytest.approx(3.3)
    with pytest.raises(BackboneError, match="schedule must be one of vp-sde, sd-scaled-linear-1000; got 'cosine'"):
        load_backbone(path, device="cpu", vae=vae, schedule="cosine")


def test_released_latent_networks_have_their_own_schedule():
    kinds = {name: preset["schedule"] for name, preset in PRESETS.items() if preset["in_chans"] == 4}
    assert kinds == {
        "imagenet256_uvit_large": "vp-sde",
        "imagenet256_uvit_huge": "sd-scaled-linear-1000",
        "imagenet512_uvit_large": "vp-sde",
        "imagenet512_uvit_huge": "sd-scaled-linear-1000",
    }


@pytest.mark.parametrize("kind", ["pixels", "latents"])
def test_estimates_are_consistent_with_the_noise_that_is_predicted(kind, save_tiny, save_vae):
    settings = {} if kind == "pixels" else {"schedule": "sd-scaled-linear-1000", "vae": str(save_vae())}
    backbone = load_backbone(save_tiny(TINY if kind == "pixels" else LATENT, **settings), device="cpu")
    x, level = torch.randn(2, *backbone.input_shape, generator=torch.Generator().manual_seed(0)), backbone.match(1.0)
    with torch.no_grad():
        out, eps, x0 = (f(x, level) for f in (backbone.forward, backbone.predict_eps, backbone.predict_x0))
    assert torch.equal(out, eps)
    torch.testing.assert_close(level.a * x0 + level.b * eps, x, atol=1e-4, rtol=1e-4)


# Classes and autoencoder


def test_the_null_class_of_the_latent_networks_is_the_default(save_tiny, save_vae):
    path = save_tiny(LATENT, schedule="sd-scaled-linear-1000", vae=str(save_vae()))
    null, same, seven = (load_backbone(path, device="cpu", label=label) for label in (None, 1000, 7))
    x, level = torch.randn(1, 4, 8, 8), null.match(2.0)
    t = torch.tensor([level.native + 1])
    with torch.no_grad():
        torch.testing.assert_close(null.forward(x, level), null.module(x, t, torch.tensor([1000])))
        torch.testing.assert_close(seven.forward(x, level), seven.module(x, t, torch.tensor([7])))
        assert not torch.allclose(null.forward(x, level), seven.forward(x, level))
    assert null.fingerprint == same.fingerprint != seven.fingerprint
    assert any("null class (1000)" in note for note in null.notes)
    with pytest.raises(BackboneError, match="has 1000 classes: label must be 0 to 999, or 1000, or nothing"):
        load_backbone(path, device="cpu", label=1001)


@pytest.mark.parametrize("label", [None, -1, 1000])
def test_without_a_null_class_the_label_must_be_given(save_tiny, label):
    path = save_tiny(replace(TINY, num_classes=1000))
    with pytest.raises(BackboneError, match=r"no null class: give `label`, .* 0 to 999; got"):
        load_backbone(path, device="cpu", label=label)
    assert load_backbone(path, device="cpu", label=999).family == "u-vit"


def test_a_label_for_an_unconditional_network_is_an_error(save):
    with pytest.raises(BackboneError, match="knows no classes"):
        load_backbone(save(), device="cpu", label=1)


def test_latent_networks_ask_for_their_autoencoder(save_tiny):
    with pytest.raises(BackboneError, match=r"give `vae`.*stabilityai/sd-vae-ft-ema"):
        load_backbone(save_tiny(LATENT, schedule="vp-sde"), device="cpu")


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
    with pytest.raises(BackboneError, match=r"7 missing: .* and 2 more; 6 unexpected: .* and 1 more.*told a text") as e:
        load_backbone(save(content), device="cpu")
    assert all(name in str(e.value) for name in [*names[:5], "context_embed.4.weight"])


def test_tokens_that_form_no_square_are_refused(save, weights):
    content = weights | {"pos_embed": torch.zeros(1, 257 + 77, 64)}
    with pytest.raises(BackboneError, match=r"333 tokens .* form no square.*told a text"):
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


def test_untrained_copies_are_reproducible_and_not_degenerate(save, original):
    backbone = load_backbone(save(), device="cpu")
    x, level = original.tensor("input.x"), backbone.match(5.0)
    with torch.no_grad():
        first, again, other = (backbone.untrained(seed).forward(x, level) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.std() > 1e-2 and (first[0] - first[1]).std() > 1e-2
    assert backbone.published() is None
