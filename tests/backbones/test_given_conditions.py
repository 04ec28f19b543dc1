"""A network given another class or text: that which is loaded with it, or called with it; and what it refuses."""

from dataclasses import replace

import dit_checkpoints
import numpy as np
import openai_checkpoints
import pytest
import tiny_pipelines
import torch
import uvit_checkpoints
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from edm_pickle_writer import network, write_snapshot
from openai_checkpoints import ADM_CLASSES
from original_weights import fixture, state_dict_of
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer
from uvit_checkpoints import LATENT, TINY

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.prompt import EMPTY_PROMPT_FILE, STABLE_DIFFUSION_3, Encoder
from cfs_explore.errors import BackboneError
from cfs_explore.pipeline import explore

# Fixtures
original, weights = dit_checkpoints.original, dit_checkpoints.weights
vae, save_dit, save_tiny = dit_checkpoints.vae, dit_checkpoints.save, uvit_checkpoints.save_tiny


@pytest.fixture
def class_files(tmp_path, save_dit, save_tiny, save_unet, vae):
    """Family -> a file or folder of a class-conditional network, the class that it is loaded with, and its words."""

    def make(kind: str):
        if kind == "dit":
            return save_dit(), None, "null class"
        if kind == "edm":
            known = fixture("edm_edm_adm_class_cond")
            return write_snapshot(tmp_path / "edm.pkl", network(known, state_dict_of(known))), None, "null class"
        if kind == "u-vit latent":
            return save_tiny(LATENT, schedule="sd-scaled-linear-1000", vae=vae), None, "null class"
        if kind == "u-vit":
            return save_tiny(replace(TINY, num_classes=5)), 4, "label 4"
        if kind == "unet2d":
            return save_unet({"_class_name": "DDPMScheduler"}, num_class_embeds=10), 4, "label 4"
        raise KeyError(kind)

    return make


def check_classes(path, own, words, wanted=(2, 0)):
    backbone = load_backbone(path, device="cpu", label=own)
    assert backbone.condition == words
    x, level = torch.randn(2, *backbone.input_shape, generator=torch.Generator().manual_seed(0)), backbone.match(1.0)
    for label, given in zip(wanted, backbone.given(wanted), strict=True):
        loaded = load_backbone(path, device="cpu", label=label)
        assert given.condition == loaded.condition == f"label {label}" and given.name.endswith(f", label {label}")
        assert given.fingerprint == loaded.fingerprint != backbone.fingerprint
        with torch.no_grad():
            assert torch.equal(given.forward(x, level), loaded.forward(x, level))
            assert not torch.equal(given.forward(x, level), backbone.forward(x, level))
        assert given.taps() == backbone.taps() and given.module is backbone.module
    return backbone


@pytest.mark.parametrize("kind", ["dit", "edm", "u-vit", "u-vit latent", "unet2d"])
def test_a_given_class_is_that_of_a_network_loaded_with_it(kind, class_files):
    check_classes(*class_files(kind))


def test_a_given_class_of_adm(tmp_path):
    known = fixture(ADM_CLASSES)
    settings = {k: v for k, v in known.config.items() if k not in openai_checkpoints.EXTRAS}
    path = tmp_path / "model.pt"
    torch.save(state_dict_of(known), path)
    path.with_suffix(".yaml").write_text("".join(f"{k}: {v!r}\n" for k, v in settings.items()))
    backbone = check_classes(path, 3, "label 3")
    with pytest.raises(BackboneError, match=r"no class 10: `conditioning_labels` may have 0 to 9\."):
        backbone.given([10])
    with pytest.raises(BackboneError, match=r"`conditioning_labels` has 3, which .* anyway \(label 3\)"):
        backbone.given([3])


def test_a_network_without_classes_can_be_given_nothing(tiny):
    assert tiny.condition == "" and tiny.untrained(0).condition == ""
    with pytest.raises(BackboneError, match="knows no classes and takes no text"):
        tiny.given([0])


# Text


@pytest.fixture
def sd(tmp_path):
    return tiny_pipelines.stable_diffusion(tmp_path / "sd")


@torch.no_grad()
def test_stable_diffusion_given_a_prompt_by_hand(sd):
    """Its own tokenizer and text encoder called here."""
    backbone = load_backbone(sd, device="cpu")
    assert backbone.condition == "empty prompt"
    given, longer = backbone.given(["a", "a a"])
    assert (given.condition, longer.condition) == ("prompt: a", "prompt: a a")
    assert len({backbone.fingerprint, given.fingerprint, longer.fingerprint}) == 3
    unet = UNet2DConditionModel.from_pretrained(sd / "unet").eval()
    tokenizer = CLIPTokenizer.from_pretrained(sd / "tokenizer")
    tokens = tokenizer("a a", padding="max_length", max_length=8, return_tensors="pt").input_ids
    embeddings = CLIPTextModel.from_pretrained(sd / "text_encoder").eval()(tokens)[0]
    x, level = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)), backbone.match(1.0)
    expected = unet(x, int(level.native), encoder_hidden_states=embeddings.repeat(3, 1, 1)).sample
    torch.testing.assert_close(longer.forward(x, level), expected)
    assert not torch.allclose(backbone.forward(x, level), expected, atol=1e-4)


@torch.no_grad()
def test_stable_diffusion_3_is_given_its_tokens_and_its_pooled_prompt(tmp_path):
    folder = tiny_pipelines.stable_diffusion_3(tmp_path / "sd3")
    (given,) = load_backbone(folder, device="cpu").given(["a"])
    network = SD3Transformer2DModel.from_pretrained(folder / "transformer").eval()
    width = tiny_pipelines.WIDTH
    encoder = Encoder(folder / "transformer", network, STABLE_DIFFUSION_3, width=2 * width + 4, pooled_width=2 * width)
    tokens, pooled = encoder(["a"])[0].for_batch(2)
    x, level = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), given.match(1.0)
    expected = network(x, tokens, pooled, torch.full((2,), 1000 * level.b)).sample
    torch.testing.assert_close(given.forward(x, level), expected)


@pytest.mark.parametrize("kind", ["stable_diffusion_xl", "flux"])
@torch.no_grad()
def test_other_pipelines_hear_a_prompt(kind, tmp_path):
    backbone = load_backbone(getattr(tiny_pipelines, kind)(tmp_path / kind), device="cpu")
    (given,) = backbone.given(["a a"])
    x, level = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), backbone.match(1.0)
    assert not torch.allclose(given.forward(x, level), backbone.forward(x, level), atol=1e-5)
    assert torch.equal(given.forward(x, level), backbone.given(["a a"])[0].forward(x, level))


def test_prompts_that_cannot_be_given_are_named(sd):
    backbone = load_backbone(sd, device="cpu")
    with pytest.raises(BackboneError, match=r"knows no classes \(got 3\): leave `conditioning_labels` out"):
        backbone.given([3])
    with pytest.raises(BackboneError, match=r"has 'a a a a a a a a', which is 10 tokens for .*tokenizer; it takes 8"):
        backbone.given(["a a a a a a a a"])
    with pytest.raises(BackboneError, match=r"has 'A', which the text encoders of .* cannot tell from 'a'"):
        backbone.given(["a", "A"])


def test_without_text_encoders_there_are_no_prompts(sd):
    tokens = torch.zeros(1, 5, tiny_pipelines.WIDTH)
    save_file({"prompt_embeds": tokens}, sd / "unet" / EMPTY_PROMPT_FILE)
    (sd / "text_encoder").rename(sd / "elsewhere")
    backbone = load_backbone(sd, device="cpu")
    assert backbone.condition == f"prompt in {EMPTY_PROMPT_FILE}"
    with pytest.raises(BackboneError, match=r"has no text_encoder, .* or leave `conditioning_prompts` out"):
        backbone.given(["a"])


def test_a_run_compares_prompts_with_the_empty_one(sd, write_images, tmp_path):
    spec = {
        "name": "prompts",
        "backbone": str(sd),
        "id": {"train": {"name": "ramps", "source": str(write_images(30, "npz", seed=1, side=16))}},
        "ood": [{"name": "bright", "source": str(write_images(12, "npz", seed=2, shift=60, side=16))}],
        "levels": [1.0],
        "keep": "none",
        "diagnostics": ["conditioning"],
        "conditioning_prompts": ["a", "a a"],
    }
    table = explore(spec, tmp_path / "run", device="cpu").table("conditioning")
    given = table[table["variant"].isin(["prompt: a", "prompt: a a"])]
    assert set(given["condition"]) == {"empty prompt"} and given["variant"].nunique() == 2
    assert (given.query("tap == 'conv_in'")[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None)  # before the text
    assert np.abs(given["loss"]).max() > 0
    with pytest.raises(BackboneError, match="conditioned on text and knows no classes"):
        explore(spec | {"conditioning_prompts": [], "conditioning_labels": [1]}, tmp_path / "other", device="cpu")
