"""EDM snapshots against what the original networks compute; their levels, classes and blocks against definitions."""

import math

import numpy as np
import pytest
import torch
from edm_pickle_writer import network, write_snapshot
from original_weights import check_blocks, fixture, state_dict_of
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.edm_config import build_network
from cfs_explore.backbones.edm_snapshot import convert
from cfs_explore.backbones.nets.edm_layers import UNetBlock
from cfs_explore.backbones.nets.edm_precond import iDDPMPrecond
from cfs_explore.errors import BackboneError
from cfs_explore.taps.capture import capture

FIXTURES = ("edm_vp_ddpmpp", "edm_ve_ncsnpp", "edm_edm_ddpmpp", "edm_edm_adm_class_cond")
TINY = {"img_resolution": 16, "img_channels": 2, "model_channels": 8, "channel_mult": [1, 2], "num_blocks": 1}
TINY |= {"attn_resolutions": [8]}


@pytest.fixture(scope="session")
def snapshot_file(tmp_path_factory):
    """A fixture's network as a .pkl file, once per fixture."""
    written = {}

    def write(name):
        if name not in written:
            original = fixture(name)
            path = tmp_path_factory.mktemp("snapshots") / f"{name}.pkl"
            written[name] = write_snapshot(path, network(original, state_dict_of(original)))
        return written[name]

    return write


def run(backbone, original):
    inputs = [original.tensor(key) for key in ("input.x", "input.noise_cond", "input.y") if key in original.expected]
    with torch.no_grad():
        return backbone.module(*inputs)


@pytest.mark.parametrize("name", FIXTURES)
def test_output_and_every_block_agree_with_the_original(snapshot_file, name):
    original = fixture(name)
    backbone = load_backbone(snapshot_file(name), device="cpu")
    assert backbone.family == "edm"
    check_blocks(backbone, original, lambda: run(backbone, original))


def test_a_converted_folder_is_the_same_backbone(snapshot_file, tmp_path):
    direct = load_backbone(snapshot_file("edm_ve_ncsnpp"), device="cpu")
    folder = convert(snapshot_file("edm_ve_ncsnpp"), tmp_path / "converted")
    converted = load_backbone(folder, device="cpu")
    assert converted.fingerprint == direct.fingerprint
    with pytest.raises(BackboneError, match=r"already holds config.json and model.safetensors"):
        convert(snapshot_file("edm_ve_ncsnpp"), folder)


def test_half_precision_weights_are_computed_in_float32_and_noted(tmp_path):
    original = fixture("edm_vp_ddpmpp")
    halves = {key: value.half() for key, value in state_dict_of(original).items()}
    backbone = load_backbone(write_snapshot(tmp_path / "half.pkl", network(original, halves)), device="cpu")
    assert {p.dtype for p in backbone.module.parameters()} == {torch.float32}
    assert "The weights are stored as float16 and computed with in float32." in backbone.notes


def test_notes_say_what_was_decided(snapshot_file):
    notes = " ".join(load_backbone(snapshot_file("edm_edm_ddpmpp"), device="cpu").notes)
    assert "averaged (EMA) network" in notes
    assert "augmentation labels; none are given" in notes
    assert "Conditioned on the null class" in " ".join(
        load_backbone(snapshot_file("edm_edm_adm_class_cond"), device="cpu").notes
    )


# Levels (theory 1)


@pytest.mark.parametrize(
    ("name", "sigmas"),
    [
        ("edm_vp_ddpmpp", (math.sqrt(math.expm1(9.95e-10 + 1e-6)), math.sqrt(math.expm1(9.95 + 0.1)))),
        ("edm_ve_ncsnpp", (0.02, 100.0)),
        ("edm_edm_ddpmpp", (0.002, 80.0)),
    ],
)
def test_levels_hit_every_lam_between_the_ends_of_the_training(snapshot_file, name, sigmas):
    backbone = load_backbone(snapshot_file(name), device="cpu")
    np.testing.assert_allclose(backbone.reach, [-2 * math.log(sigma) for sigma in reversed(sigmas)], rtol=1e-6)
    for lam in (-6.0, 0.0, 5.0):
        level = backbone.match(lam)
        assert (level.a, level.b, level.native) == pytest.approx((1.0, math.exp(-lam / 2), math.exp(-lam / 2)))
        assert level.lam == pytest.approx(lam)


@pytest.mark.parametrize("name", FIXTURES)
def test_estimates_read_the_denoiser_on_unscaled_input(snapshot_file, name):
    backbone = load_backbone(snapshot_file(name), device="cpu")
    level = backbone.match(1.0)
    x = torch.randn(2, *backbone.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        denoised = backbone.module(x, torch.full((2,), level.native))
        torch.testing.assert_close(backbone.predict_x0(x, level), denoised, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(backbone.predict_eps(x, level), (x - denoised) / level.b, rtol=1e-4, atol=1e-4)


def test_vp_is_conditioned_on_the_time_of_its_sigma():
    module = build_network({"precond": "VPPrecond", **TINY}, "test")
    t = torch.tensor([0.05, 0.4, 1.0], dtype=torch.float64)
    sigma = torch.expm1(0.5 * 19.9 * t**2 + 0.1 * t).sqrt()
    torch.testing.assert_close(module.coefficients(sigma)[3], 999 * t)


def test_iddpm_is_conditioned_on_the_step_of_the_nearest_sigma_and_uses_the_mean_only():
    torch.manual_seed(0)
    module = build_network({"precond": "iDDPMPrecond", "M": 50, "model_type": "SongUNet", **TINY}, "test").eval()
    u = module.u
    assert u[-1] == 0
    assert (u[:-1] > u[1:]).all()
    assert module.sigmas == pytest.approx((float(u[49]), float(u[0])))
    sigma = torch.stack([0.9 * u[40] + 0.1 * u[41], u[7]])
    x = torch.randn(2, 2, 16, 16)
    with torch.no_grad():
        scaled = x / (1 + sigma**2).sqrt().view(-1, 1, 1, 1)
        raw = module.model(scaled, torch.tensor([9.0, 42.0]))
        expected = x - sigma.view(-1, 1, 1, 1) * raw[:, :2]
        torch.testing.assert_close(module(x, sigma), expected)
    assert raw.shape[1] == 4


def test_iddpm_sigmas_follow_the_cosine_schedule_where_it_is_not_clipped():
    u = iDDPMPrecond(8, 1, M=100, model_type="SongUNet", model_channels=8, channel_mult=[1], num_blocks=1).u
    j = torch.arange(30, 101, dtype=torch.float64)
    abar = torch.sin(0.5 * math.pi * j / (100 * 1.008)) ** 2
    last = abar[-1]  # u_M is zero, not the schedule's sigma at M
    torch.testing.assert_close(u[30:].double(), (last / abar - 1).clamp(min=0).sqrt(), rtol=1e-4, atol=1e-6)


def test_published_vp_conditioning_scales_the_input_twice(snapshot_file):
    backbone = load_backbone(snapshot_file("edm_vp_ddpmpp"), device="cpu")
    published = backbone.published()
    x = torch.randn(1, *backbone.input_shape, generator=torch.Generator().manual_seed(0))
    level = backbone.match(0.0)
    with torch.no_grad():
        expected = backbone.module(x / math.sqrt(1 + level.native**2), torch.tensor([level.native]))
        torch.testing.assert_close(published.forward(x, level), expected)
    assert published.fingerprint != backbone.fingerprint
    assert load_backbone(snapshot_file("edm_ve_ncsnpp"), device="cpu").published() is None


# Classes


def test_every_image_is_conditioned_on_the_label(snapshot_file):
    path = snapshot_file("edm_edm_adm_class_cond")
    labelled, null = load_backbone(path, device="cpu", label=2), load_backbone(path, device="cpu")
    x = torch.randn(2, *labelled.input_shape, generator=torch.Generator().manual_seed(0))
    level = labelled.match(2.0)
    sigma = torch.full((2,), level.native)
    with torch.no_grad():
        torch.testing.assert_close(labelled.forward(x, level), labelled.module(x, sigma, torch.eye(10)[[2, 2]]))
        torch.testing.assert_close(null.forward(x, level), null.module(x, sigma, torch.zeros(2, 10)))
        assert not torch.equal(labelled.forward(x, level), null.forward(x, level))
    assert labelled.fingerprint != null.fingerprint


@pytest.mark.parametrize("label", [-1, 10])
def test_a_class_that_does_not_exist_is_an_error(snapshot_file, label):
    with pytest.raises(BackboneError, match="label must be 0 to 9, or nothing for the null class"):
        load_backbone(snapshot_file("edm_edm_adm_class_cond"), device="cpu", label=label)


def test_a_label_for_an_unconditional_network_is_an_error(snapshot_file):
    with pytest.raises(BackboneError, match="knows no classes"):
        load_backbone(snapshot_file("edm_vp_ddpmpp"), device="cpu", label=1)


# Blocks and taps


@pytest.mark.parametrize("name", ["edm_ve_ncsnpp", "edm_edm_adm_class_cond"])
def test_tap_depths_are_shares_of_the_counted_work(snapshot_file, name):
    backbone = load_backbone(snapshot_file(name), device="cpu")
    x, level = torch.zeros(1, *backbone.input_shape), backbone.match(5.0)
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        backbone.forward(x, level)
    for tap in backbone.taps()[::5]:
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter, capture(backbone.module, [tap.name]):
            backbone.forward(x, level)
        assert tap.depth == pytest.approx(counter.get_total_flops() / whole.get_total_flops())


def test_the_work_of_attention_is_counted():
    block = UNetBlock(8, 8, 4, heads=1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        block(torch.zeros(1, 8, 4, 4), torch.zeros(1, 4))
    convolutions = 2 * 16 * (2 * 8 * 8 * 9 + 8 * 24 + 8 * 8)
    assert counter.get_total_flops() == convolutions + 2 * 4 * 16 + 2 * 2 * 8 * 16 * 16


def test_regions_and_kinds_of_the_sites(snapshot_file):
    taps = {tap.name: tap for tap in load_backbone(snapshot_file("edm_ve_ncsnpp"), device="cpu").taps()}
    found = {name.removeprefix("model."): (tap.region, tap.kind) for name, tap in taps.items()}
    assert found["enc.32x32_conv"] == ("input", "conv")
    assert found["enc.16x16_down"] == ("encoder", "downsampler")
    assert found["enc.16x16_aux_residual"] == ("encoder", "conv")
    assert found["enc.16x16_block0"] == ("encoder", "resnet")
    assert found["dec.16x16_in0"] == found["dec.16x16_in1"] == ("middle", "resnet")
    assert found["dec.32x32_up"] == ("decoder", "upsampler")
    assert found["dec.16x16_block1"] == ("decoder", "resnet")
    assert found["dec.32x32_aux_conv"] == ("output", "conv")


def test_an_untrained_copy_answers_at_random_but_not_with_nothing(snapshot_file):
    backbone = load_backbone(snapshot_file("edm_edm_ddpmpp"), device="cpu")
    x, level = torch.randn(1, *backbone.input_shape), backbone.match(0.0)
    with torch.no_grad():
        first, again, other = (backbone.untrained(seed).forward(x, level) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


# Arguments


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"num_blocks": 10**9}, "num_blocks must be a whole number from 1 to 64; got 1000000000"),
        ({"channel_mult": [1] * 1000}, "channel_mult must be a list of 1 to 12 whole numbers"),
        ({"channel_mult": [1] * 6}, "img_resolution must be divisible by 32"),
        ({"model_type": "Transformer"}, "model_type must be one of SongUNet, DhariwalUNet"),
        ({"encoder_type": "none"}, "encoder_type must be one of standard, skip, residual"),
        ({"num_heads": 4}, "records num_heads, no argument of VEPrecond"),
        ({"sigma_min": 0}, "sigma_min must be positive"),
        ({"sigma_min": 3, "sigma_max": 2}, "sigma_min must be below sigma_max"),
        ({"img_resolution": None}, "img_resolution must be a whole number"),
    ],
)
def test_arguments_out_of_range_are_named(change, complaint):
    with pytest.raises(BackboneError, match=complaint):
        build_network({"precond": "VEPrecond", **TINY, **change}, "x.pkl")


def test_weights_of_another_network_are_an_error_that_names_them(tmp_path):
    original = fixture("edm_vp_ddpmpp")
    original.config["num_blocks"] = 2
    with pytest.raises(BackboneError, match=r"does not fit the network: .* missing: model.enc.32x32_block1.norm0"):
        load_backbone(write_snapshot(tmp_path / "x.pkl", network(original, state_dict_of(original))), device="cpu")
