"""iDDPM and ADM checkpoints through the public loader, against what the original networks compute."""

import math
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from original_weights import check_blocks, fixture, state_dict_of
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets.openai_unet import Architecture, AttentionBlock, OpenAIUNet, ResBlock
from cfs_explore.backbones.openai_unets import unet_sites
from cfs_explore.errors import BackboneError

EXTRAS = ("format", "noise_cond", "seed", "state_dict", "blocks")
IMPROVED, ADM, ADM_CLASSES = "improved_diffusion", "guided_diffusion", "guided_diffusion_class_cond"


@pytest.fixture(scope="module")
def weights():
    """The parameters of an original network, by fixture name; not to be changed."""
    return {name: OrderedDict(state_dict_of(fixture(name))) for name in (IMPROVED, ADM, ADM_CLASSES)}


@pytest.fixture
def save(tmp_path, weights):
    """Write a fixture as its training script would, settings beside it; gives the file."""

    def write(name: str, content=None, *, settings: bool = True, drop: tuple[str, ...] = (), **changes):
        path = tmp_path / "ema_0.9999_500000.pt"
        torch.save(weights[name] if content is None else content, path)
        if settings:
            given = {k: v for k, v in fixture(name).config.items() if k not in (*EXTRAS, *drop)}
            path.with_suffix(".yaml").write_text(yaml.safe_dump(given | changes))
        return path

    return write


def run(backbone, original) -> torch.Tensor:
    inputs = [
        original.tensor(f"input.{key}") for key in ("x", "noise_cond", "y") if f"input.{key}" in original.expected
    ]
    with torch.no_grad():
        return backbone.module(*inputs)


@pytest.mark.parametrize("name", [IMPROVED, ADM, ADM_CLASSES])
def test_output_and_every_block_are_the_original_ones(save, name):
    original = fixture(name)
    backbone = load_backbone(save(name), device="cpu", label=3 if name == ADM_CLASSES else None)
    assert backbone.family == original.config["format"]
    assert backbone.image_shape == (3, 32, 32)
    check_blocks(backbone, original, lambda: run(backbone, original))
    assert {tap.name for tap in backbone.taps()} == set(original.config["blocks"])


def test_settings_may_stand_in_json(save):
    path = save(IMPROVED)
    path.with_suffix(".yaml").rename(path.with_suffix(".json"))
    assert load_backbone(path, device="cpu").family == "improved-diffusion"


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


@pytest.mark.parametrize(
    ("name", "steps", "schedule"),
    [(IMPROVED, 4000, "cosine"), (IMPROVED, 1000, "linear"), (ADM, 1000, "cosine"), (ADM, 4000, "linear")],
)
def test_levels_follow_the_schedule(save, name, steps, schedule):
    backbone = load_backbone(save(name, diffusion_steps=steps, noise_schedule=schedule), device="cpu")
    log_abar, lams = 0.0, []
    for t in range(steps):  # theory (1), one step at a time
        if schedule == "linear":
            beta = 0.1 / steps + t / (steps - 1) * (20.0 - 0.1) / steps
        else:
            f = [math.cos((s / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for s in (t, t + 1)]
            beta = min(1 - f[1] / f[0], 0.999)
        log_abar += math.log1p(-beta)
        lams.append(log_abar - math.log(-math.expm1(log_abar)))
    for lam in (9.0, 5.0, 1.3, -4.0):
        level = backbone.match(lam)
        nearest = int(np.argmin(np.abs(np.array(lams) - lam)))
        assert level.native == nearest
        assert level.lam == pytest.approx(lams[nearest])
        assert 2 * math.log(level.a / level.b) == pytest.approx(level.lam)
    assert backbone.reach[1] == pytest.approx(lams[0])


def test_the_reach_is_that_of_the_theory(save):
    assert load_backbone(save(IMPROVED), device="cpu").reach[1] == pytest.approx(11.53, abs=0.01)


def told(backbone, level) -> torch.Tensor:
    """What the network is given as its timestep."""
    seen = []
    handle = backbone.module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    with torch.no_grad():
        backbone.forward(torch.zeros(2, *backbone.input_shape), level)
    handle.remove()
    return seen[0]


def test_rescaled_networks_are_told_their_level_and_published_ones_the_raw_step(save):
    backbone = load_backbone(save(IMPROVED), device="cpu")
    level = backbone.match(5.0)
    assert torch.allclose(told(backbone, level).double(), torch.full((2,), level.native / 4).double())
    published = backbone.published()
    assert torch.equal(told(published, level), torch.full((2,), int(level.native)))
    assert published.match(5.0) == level
    assert published.fingerprint != backbone.fingerprint
    # theory (1): at lam = 5 the paper's code tells a network of 4000 steps the level lam = 2.4
    assert published.match(2.4).native == pytest.approx(4 * level.native, abs=20)


def test_networks_without_rescaling_are_told_the_step_and_have_no_published_variant(save):
    for name, changes in ((ADM, {}), (IMPROVED, {"rescale_timesteps": False}), (IMPROVED, {"diffusion_steps": 1000})):
        backbone = load_backbone(save(name, **changes), device="cpu")
        level = backbone.match(5.0)
        assert torch.equal(told(backbone, level), torch.full((2,), int(level.native)))
        assert backbone.published() is None


def test_learned_variances_are_left_out_of_the_noise(save):
    backbone = load_backbone(save(ADM), device="cpu")
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    level = backbone.match(1.0)
    with torch.no_grad():
        out, eps, x0 = (f(x, level) for f in (backbone.forward, backbone.predict_eps, backbone.predict_x0))
    assert out.shape == (2, 6, 32, 32) and torch.equal(eps, out[:, :3])
    assert torch.allclose(level.a * x0 + level.b * eps, x, atol=1e-4)


def test_networks_that_predict_the_image_are_read_as_such(save):
    backbone = load_backbone(save(ADM, predict_xstart=True), device="cpu")
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    level = backbone.match(0.0)
    with torch.no_grad():
        assert torch.allclose(backbone.predict_x0(x, level), backbone.forward(x, level)[:, :3], atol=1e-4)


def test_a_class_for_a_network_without_classes_is_refused(save):
    with pytest.raises(BackboneError, match="knows no classes: leave `label` out"):
        load_backbone(save(ADM), device="cpu", label=0)


def test_a_class_is_asked_for_and_used(save):
    path = save(ADM_CLASSES)
    for label in (None, 10, -1):
        with pytest.raises(BackboneError, match=r"no null class: give `label`.* 0 to 9"):
            load_backbone(path, device="cpu", label=label)
    three, seven = (load_backbone(path, device="cpu", label=label) for label in (3, 7))
    original = fixture(ADM_CLASSES)
    x, level = original.tensor("input.x"), three.match(2.0)
    with torch.no_grad():
        outputs = [backbone.forward(x, level) for backbone in (three, seven)]
        given = three.module(x, torch.full((2,), int(level.native)), torch.tensor([3, 3]))
    assert torch.equal(outputs[0], given)
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3
    assert three.fingerprint != seven.fingerprint


def test_the_class_may_stand_in_the_settings(save):
    path = save(ADM_CLASSES, label=3)
    assert load_backbone(path, device="cpu").fingerprint == load_backbone(path, device="cpu", label=3).fingerprint


def test_half_precision_weights_are_computed_with_in_float32(save, weights):
    path = save(ADM, OrderedDict((name, value.half()) for name, value in weights[ADM].items()))
    backbone = load_backbone(path, device="cpu")
    assert {p.dtype for p in backbone.module.parameters()} == {torch.float32}
    assert any("float16" in note for note in backbone.notes)
    expected = fixture(ADM).tensor("output")
    assert (run(backbone, fixture(ADM)) - expected).abs().max() < 0.02 * expected.abs().max()


def test_averaged_weights_of_a_training_checkpoint_are_found_and_said(save, weights):
    raw = OrderedDict((name, torch.zeros_like(value)) for name, value in weights[ADM].items())
    content = {"model": raw, "ema": weights[ADM], "optimizer": {"state": {}, "param_groups": []}, "step": 500000}
    backbone = load_backbone(save(ADM, content), device="cpu")
    expected = fixture(ADM).tensor("output")
    assert (run(backbone, fixture(ADM)) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert any("'ema'" in note for note in backbone.notes)


def test_missing_keys_are_named_with_the_likely_cause(save, weights):
    names = [name for name in weights[ADM] if ".out_layers." in name][:7]
    content = OrderedDict((name, value) for name, value in weights[ADM].items() if name not in names)
    with pytest.raises(BackboneError, match=r"7 missing: .* and 2 more.*lost part") as caught:
        load_backbone(save(ADM, content), device="cpu")
    assert all(name in str(caught.value) for name in names[:5])


@pytest.mark.parametrize("start", [0, 4, -6])
def test_keys_that_tell_the_architecture_are_named_when_missing(save, weights, start):
    names = list(weights[ADM])[start:][:5]
    content = OrderedDict((name, value) for name, value in weights[ADM].items() if name not in names)
    with pytest.raises(BackboneError, match="5 missing") as caught:
        load_backbone(save(ADM, content), device="cpu")
    assert all(name in str(caught.value) for name in names)


def test_unexpected_keys_are_named(save, weights):
    content = weights[ADM] | {f"head.{i}.weight": torch.zeros(1) for i in range(6)}
    with pytest.raises(BackboneError, match=r"6 unexpected: head\.0\.weight, .*head\.4\.weight and 1 more"):
        load_backbone(save(ADM, content), device="cpu")


def test_a_half_downloaded_file_says_so(save):
    path = save(ADM)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BackboneError, match="cut short"):
        load_backbone(path, device="cpu")


@pytest.mark.parametrize(("name", "wrong"), [(IMPROVED, "guided-diffusion"), (ADM, "improved-diffusion")])
def test_the_wrong_family_is_refused_and_the_right_one_named(save, name, wrong):
    with pytest.raises(BackboneError, match=f"not hold a {wrong} backbone. It looks like {name.replace('_', '-')}"):
        load_backbone(save(name), family=wrong, device="cpu")
    with pytest.raises(BackboneError, match="does not hold a unet2d"):
        load_backbone(save(name), family="unet2d", device="cpu")


@pytest.mark.parametrize("said", [{"family": "guided-diffusion"}, {}])
def test_adm_without_updown_is_recognised_from_its_settings(save, said):
    settings = said | {"use_new_attention_order": False}
    assert load_backbone(save(IMPROVED, **settings), device="cpu").family == "guided-diffusion"
    settings["family"] = "improved-diffusion"
    assert load_backbone(save(IMPROVED, **settings), device="cpu").family == "improved-diffusion"


def test_a_family_may_be_named_twice(save):
    path = save(ADM, family="guided-diffusion")
    assert load_backbone(path, family="guided-diffusion", device="cpu").family == "guided-diffusion"


def test_weights_alone_ask_for_what_they_do_not_tell(save):
    with pytest.raises(BackboneError, match="image_size, num_heads or num_head_channels, diffusion_steps"):
        load_backbone(save(ADM, settings=False), device="cpu")


def test_untrained_copies_are_reproducible_and_not_degenerate(save):
    backbone = load_backbone(save(IMPROVED), device="cpu")
    x, level = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), backbone.match(5.0)
    copies = [backbone.untrained(seed) for seed in (1, 1, 2)]
    with torch.no_grad():
        first, again, other = (copy.forward(x, level) for copy in copies)
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert all(p.abs().sum() > 0 for name, p in copies[0].module.named_parameters() if p.ndim > 1)
    assert first.std() > 1e-3


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
