"""The empty prompt: the pipeline's own text encoders decide it, or a file; nothing in a folder is executed."""

import json
import pickle
import shutil
import sys

import diffusers
import pytest
import tiny_pipelines
import torch
from safetensors.torch import load_file, save_file

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones import prompt as prompts
from cfs_explore.backbones.prompt import EMPTY_PROMPT_FILE, Encoder, empty_prompt
from cfs_explore.errors import BackboneError

WIDTH = tiny_pipelines.WIDTH

#: Builder, how the pipeline encodes, its class in diffusers, width of tokens and of the pooled embedding.
PIPELINES = {
    "sd": (tiny_pipelines.stable_diffusion, prompts.STABLE_DIFFUSION, WIDTH, None),
    "sdxl": (tiny_pipelines.stable_diffusion_xl, prompts.STABLE_DIFFUSION_XL, 2 * WIDTH, WIDTH),
    "sd3": (tiny_pipelines.stable_diffusion_3, prompts.STABLE_DIFFUSION_3, 2 * WIDTH + 4, 2 * WIDTH),
    "flux": (tiny_pipelines.flux, prompts.FLUX, WIDTH, WIDTH),
}


@pytest.fixture
def sd(tmp_path):
    """A tiny Stable Diffusion folder of the test's own."""
    return tiny_pipelines.stable_diffusion(tmp_path / "sd")


def whole_pipeline(folder, text, **parts):
    """The pipeline as diffusers loads it from a folder, its model_index.json written as diffusers writes it."""
    names = {name: ["transformers", class_name] for name, class_name in text.parts.items() if (folder / name).is_dir()}
    names |= {name: [None, None] for name in text.parts if name not in names}
    network = {"unet": "UNet2DConditionModel"}
    if text.network == "transformer":
        network = {"transformer": json.loads((folder / "transformer" / "config.json").read_text())["_class_name"]}
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())["_class_name"]
    of_diffusers = network | {"vae": "AutoencoderKL", "scheduler": scheduler}
    others = {name: [None, None] for name in ("safety_checker", "feature_extractor") if name in text.others}
    index = names | others | {name: ["diffusers", class_name] for name, class_name in of_diffusers.items()}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": text.class_name} | index))
    return getattr(diffusers, text.class_name).from_pretrained(folder, **parts)


@pytest.mark.parametrize("kind", PIPELINES)
def test_prompt_is_what_the_whole_pipeline_encodes(kind, tmp_path):
    build, text, width, pooled_width = PIPELINES[kind]
    folder = build(tmp_path / kind)
    pipeline = whole_pipeline(folder, text)
    network = getattr(pipeline, text.network)
    found = empty_prompt(Encoder(folder / text.network, network, text, width=width, pooled_width=pooled_width))
    with torch.no_grad():
        tokens, pooled = text.encode(pipeline, "")
        other = pipeline.encode_prompt("a", **{"sd": {"device": "cpu", "num_images_per_prompt": 1}}.get(kind, {}), **{
            "sd": {"do_classifier_free_guidance": False}, "sd3": {"prompt_2": None, "prompt_3": None},
        }.get(kind, {}))[0]  # fmt: skip
    torch.testing.assert_close(found.tokens, tokens)
    assert (found.pooled is None) == (pooled_width is None)
    if pooled_width is not None:
        torch.testing.assert_close(found.pooled, pooled)
    assert not torch.allclose(found.tokens, other, atol=1e-3), "another prompt must have other embeddings"


def test_stable_diffusion_3_without_t5_gets_zeros_in_its_place(tmp_path):
    folder = tiny_pipelines.stable_diffusion_3(tmp_path / "sd3", t5=False)
    pipeline = whole_pipeline(folder, prompts.STABLE_DIFFUSION_3, tokenizer_3=None, text_encoder_3=None)
    with torch.no_grad():
        expected, _ = prompts.STABLE_DIFFUSION_3.encode(pipeline, "")
    encoder = Encoder(
        folder / "transformer", pipeline.transformer, prompts.STABLE_DIFFUSION_3,
        width=2 * WIDTH + 4, pooled_width=2 * WIDTH,
    )  # fmt: skip
    found = empty_prompt(encoder)
    torch.testing.assert_close(found.tokens, expected)
    assert found.tokens.shape == (1, 8 + 256, 2 * WIDTH + 4)
    assert not found.tokens[:, 8:].any() and found.tokens[:, :8].any()


@pytest.mark.parametrize("place", ["unet", "."])
def test_stored_embeddings_stand_for_the_text_encoders(sd, place, monkeypatch):
    shutil.rmtree(sd / "text_encoder")
    fingerprints = set()
    for value in (0.0, 1.0):
        save_file({"prompt_embeds": torch.full((1, 5, WIDTH), value)}, sd / place / EMPTY_PROMPT_FILE)
        monkeypatch.setitem(sys.modules, "transformers", None)
        backbone = load_backbone(sd, device="cpu")
        monkeypatch.undo()
        fingerprints.add(backbone.fingerprint)
    assert len(fingerprints) == 2, "the prompt decides the numbers, so it belongs to the fingerprint"
    assert any(EMPTY_PROMPT_FILE in note for note in backbone.notes)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"embeddings": torch.zeros(1, 5, WIDTH)}, "prompt_embeds .* got none"),
        ({"prompt_embeds": torch.zeros(1, 5, 7)}, rf"\(1, tokens, {2 * WIDTH}\).* got \(1, 5, 7\)"),
        ({"prompt_embeds": torch.zeros(1, 5, 2 * WIDTH)}, "pooled_prompt_embeds .* got none"),
    ],
)
def test_stored_embeddings_that_do_not_fit_are_named(tensors, message, tmp_path):
    folder = tiny_pipelines.stable_diffusion_xl(tmp_path / "sdxl")
    save_file(tensors, folder / EMPTY_PROMPT_FILE)
    with pytest.raises(BackboneError, match=message):
        load_backbone(folder, device="cpu")


def test_missing_text_encoder_is_named_with_the_remedy(sd):
    shutil.rmtree(sd / "text_encoder")
    with pytest.raises(BackboneError, match=f"has no text_encoder, .*{EMPTY_PROMPT_FILE}"):
        load_backbone(sd, device="cpu")


def test_missing_transformers_package_is_named_with_the_remedy(sd, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BackboneError, match=r"pip install cfs-explore\[text\]"):
        load_backbone(sd, device="cpu")


def test_another_kind_of_text_encoder_is_refused(sd, tmp_path):
    flux = tiny_pipelines.flux(tmp_path / "flux")
    shutil.rmtree(sd / "text_encoder")
    shutil.copytree(flux / "text_encoder_2", sd / "text_encoder")
    with pytest.raises(BackboneError, match="another kind of text encoder"):
        load_backbone(sd, device="cpu")


def test_text_encoders_load_from_weights_only_files_and_half_precision_ones(sd):
    usual = load_backbone(sd, device="cpu").fingerprint
    weights = load_file(sd / "text_encoder" / "model.safetensors")
    (sd / "text_encoder" / "model.safetensors").unlink()
    torch.save(weights, sd / "text_encoder" / "pytorch_model.bin")
    assert load_backbone(sd, device="cpu").fingerprint == usual
    (sd / "text_encoder" / "pytorch_model.bin").unlink()
    half = {name: value.half() for name, value in weights.items()}
    save_file(half, sd / "text_encoder" / "model.fp16.safetensors", metadata={"format": "pt"})
    assert load_backbone(sd, device="cpu").fingerprint != usual


class _WritesMarker:
    """Unpickled carelessly, it writes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("part", ["text_encoder", "unet"])
def test_weights_that_carry_code_are_refused_and_not_run(sd, part, tmp_path):
    marker = tmp_path / "marker"
    for path in (sd / part).glob("*.safetensors"):
        path.unlink()
    name = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
    torch.save({"weight": _WritesMarker(marker)}, sd / part / name)
    with pytest.raises(BackboneError, match=part):
        load_backbone(sd, device="cpu")
    assert not marker.exists()
    pickle.loads(pickle.dumps(_WritesMarker(marker))).close()
    assert marker.exists(), "the file would have written it"


def test_a_pipelines_own_code_is_not_run(sd, tmp_path):
    marker = tmp_path / "marker"
    code = f"open({str(marker)!r}, 'w').close()\nclass Custom: pass\n"
    for name in ("pipeline.py", "unet/custom.py", "text_encoder/custom.py"):
        (sd / name).write_text(code)
    (sd / "model_index.json").write_text(json.dumps({"_class_name": ["pipeline", "Custom"], "unet": ["custom", "U"]}))
    config = json.loads((sd / "text_encoder" / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "custom.Custom"}
    (sd / "text_encoder" / "config.json").write_text(json.dumps(config))
    load_backbone(sd, device="cpu")
    assert not marker.exists()
