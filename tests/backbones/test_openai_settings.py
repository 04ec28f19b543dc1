"""Settings beside iDDPM and ADM weights: what they mean, and those that are missing, wrong or contradicted."""

import pytest
from openai_configurations import CIFAR, COMPLETE, configured

from cfs_explore.errors import BackboneError


def test_a_schedule_that_is_named_stands_before_the_settings():
    assert configured(COMPLETE, schedule="linear").noise_schedule == "linear"


@pytest.mark.parametrize("unset", [-1, None])
def test_head_channels_win_over_heads_unless_unset(unset):
    assert configured(COMPLETE | {"num_head_channels": 16}).architecture.heads(64) == 4
    assert configured(COMPLETE | {"num_heads": 2, "num_head_channels": 16}).architecture.heads(64) == 4
    assert configured(COMPLETE | {"num_heads": 2, "num_head_channels": unset}).architecture.heads(64) == 2


def test_the_decoder_may_have_its_own_number_of_heads():
    net = configured(COMPLETE | {"num_heads_upsample": 2}).architecture
    assert (net.heads(64), net.heads(64, upsampling=True)) == (4, 2)
    net = configured(COMPLETE | {"num_heads_upsample": -1}).architecture
    assert net.heads(64, upsampling=True) == 4


def test_a_thousand_steps_need_no_word_about_rescaling():
    settings = {k: v for k, v in COMPLETE.items() if k != "rescale_timesteps"} | {"diffusion_steps": 1000}
    assert not configured(settings).rescale_timesteps
    assert not configured(settings | {"rescale_timesteps": True}).rescale_timesteps


@pytest.mark.parametrize("name", [name for name in COMPLETE if name != "num_heads"])
def test_a_missing_setting_is_asked_for_by_name(name):
    settings = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(BackboneError, match=rf"missing: {name}\..*model\.yaml.*cifar10_uncond_50M_500K"):
        configured(settings)


def test_all_missing_settings_are_asked_for_at_once():
    with pytest.raises(BackboneError, match="image_size, num_heads or num_head_channels, diffusion_steps") as caught:
        configured({}, "guided-diffusion")
    assert "rescale_timesteps, use_new_attention_order" in str(caught.value)
    assert "lsun_horse" in str(caught.value)


def test_unset_heads_count_as_missing():
    with pytest.raises(BackboneError, match="num_heads or num_head_channels"):
        configured(COMPLETE | {"num_heads": -1, "num_head_channels": None})


def test_an_unknown_setting_suggests_the_closest():
    with pytest.raises(
        BackboneError, match=r"'num_chanels' in the settings beside model.pt.*Did you mean num_channels"
    ):
        configured(COMPLETE | {"num_chanels": 32})


def test_training_and_sampling_arguments_are_ignored():
    extra = {"dropout": 0.3, "lr": 1e-4, "use_fp16": True, "timestep_respacing": "ddim250", "use_kl": True}
    assert configured(COMPLETE | extra) == configured(COMPLETE)


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("num_channels", 64, "32"),
        ("num_res_blocks", 2, "1"),
        ("learn_sigma", False, "True"),
        ("class_cond", True, "False"),
        ("num_classes", 10, "None"),
        ("use_scale_shift_norm", False, "True"),
        ("resblock_updown", True, "False"),
        ("conv_resample", False, "True"),
        ("in_channels", 1, "3"),
        ("channel_mult", "1,2,3", "1, 2, 2"),
        ("channel_mult", "", "1, 2, 2"),
        ("attention_resolutions", "8", "16, 8"),
        ("attention_resolutions", "32,16,8", "16, 8"),
    ],
)
def test_a_setting_that_contradicts_the_weights_is_named_with_both_values(name, given, found):
    with pytest.raises(BackboneError, match=f"^{name} is .*but the weights have {found}") as caught:
        configured(COMPLETE | {name: given})
    assert str(given).replace(" ", "") in str(caught.value).replace(" ", "")


@pytest.mark.parametrize("form", ["1,2,2", [1, 2, 2], [1.0, 2, 2]])
def test_multipliers_come_as_text_or_list(form):
    assert configured(COMPLETE | {"channel_mult": form}).architecture.level_channels == (32, 64, 64)


@pytest.mark.parametrize("form", ["16,8", [16, 8], (8, 16)])
def test_attention_resolutions_come_as_text_or_list(form):
    assert configured(COMPLETE | {"attention_resolutions": form}).architecture.attention_levels == (1, 2)


@pytest.mark.parametrize("empty", ["", None])
def test_empty_multipliers_are_the_original_ones_of_the_image_size(empty):
    assert configured({"channel_mult": empty} | COMPLETE, architecture=CIFAR).image_size == 32
    # ADM's scripts know none for 32: nothing to compare
    adm = COMPLETE | {"channel_mult": empty, "use_new_attention_order": False}
    assert configured(adm, "guided-diffusion").image_size == 32


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", "32"),
        ("image_size", 0),
        ("num_heads", 2.5),
        ("noise_schedule", "quadratic"),
        ("diffusion_steps", 10),
        ("rescale_timesteps", "yes"),
        ("rescale_timesteps", 1),
        ("attention_resolutions", "16;8"),
        ("attention_resolutions", 0.5),
        ("channel_mult", {"a": 1}),
        ("channel_mult", [1, float("inf")]),
        ("channel_mult", [1, 1e308]),
        ("diffusion_steps", 10**15),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(name, value):
    with pytest.raises(BackboneError, match=f"^{name} must be"):
        configured(COMPLETE | {name: value})


def test_a_schedule_by_an_unknown_name_is_refused():
    with pytest.raises(BackboneError, match="noise_schedule must be one of linear, cosine; `schedule` gives 'sigmoid'"):
        configured(COMPLETE, schedule="sigmoid")


@pytest.mark.parametrize("heads", [{"num_heads": 3}, {"num_head_channels": 24}, {"num_heads_upsample": 5}])
def test_heads_that_do_not_divide_the_width_are_named(heads):
    with pytest.raises(BackboneError, match=f"{next(iter(heads))} is .* must divide .* 64"):
        configured(COMPLETE | heads)


def test_an_image_size_that_cannot_be_halved_is_refused():
    with pytest.raises(BackboneError, match=r"image_size is 30 .* halves it 2 times; it must be a multiple of 4"):
        configured(COMPLETE | {"image_size": 30})
