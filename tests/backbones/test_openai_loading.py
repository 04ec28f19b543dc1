"""Files of iDDPM and ADM networks: training checkpoints, damaged files, and which family they are of."""

from collections import OrderedDict

import openai_checkpoints
import pytest
import torch
from openai_checkpoints import ADM, IMPROVED, run
from original_weights import fixture

from cfs_explore.backbones import load_backbone
from cfs_explore.errors import BackboneError

# Fixtures
weights, save = openai_checkpoints.weights, openai_checkpoints.save


def test_settings_may_stand_in_json(save):
    path = save(IMPROVED)
    path.with_suffix(".yaml").rename(path.with_suffix(".json"))
    assert load_backbone(path, device="cpu").family == "improved-diffusion"


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
