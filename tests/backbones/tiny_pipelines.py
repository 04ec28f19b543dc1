"""Tiny random text-to-image pipelines, saved as diffusers saves them: latents 4 x 8 x 8 of images 3 x 16 x 16."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel

LATENTS = (4, 8, 8)
IMAGES = (3, 16, 16)

#: Width of every text encoder, and of the pooled embeddings.
WIDTH = 16

SCALED_LINEAR = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "epsilon",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}

_UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 1,
    "block_out_channels": (8, 16),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}


def stable_diffusion(folder: Path, scheduler: dict = SCALED_LINEAR, **changes) -> Path:
    """Stable Diffusion 1 or 2: one CLIP."""
    _save(UNet2DConditionModel, _UNET | changes, folder / "unet")
    _autoencoder(folder)
    _scheduler(folder, scheduler)
    _clip(folder, "")
    return folder


def stable_diffusion_xl(folder: Path, **changes) -> Path:
    """SDXL: two CLIPs, and six numbers about the image's size."""
    sizes = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4}
    wide = {"cross_attention_dim": 2 * WIDTH, "projection_class_embeddings_input_dim": 6 * 4 + WIDTH}
    _save(UNet2DConditionModel, _UNET | sizes | wide | changes, folder / "unet")
    _autoencoder(folder)
    _scheduler(folder, SCALED_LINEAR)
    _clip(folder, "", seed=1)
    _clip(folder, "_2", projects=True, seed=2)
    return folder


def stable_diffusion_3(folder: Path, *, t5: bool = True, **changes) -> Path:
    """Stable Diffusion 3: two CLIPs, and T5 in some releases."""
    config = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "num_layers": 3,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "caption_projection_dim": 16,
        "joint_attention_dim": 2 * WIDTH + 4,
        "pooled_projection_dim": 2 * WIDTH,
        "pos_embed_max_size": 8,
    }
    _save(SD3Transformer2DModel, config | changes, folder / "transformer")
    _autoencoder(folder, shift_factor=0.06, scaling_factor=1.5)
    _scheduler(folder, FLOW)
    _clip(folder, "", projects=True, seed=1)
    _clip(folder, "_2", projects=True, seed=2)
    if t5:
        _t5(folder, "_3", 2 * WIDTH + 4)
    return folder


def flux(folder: Path, **changes) -> Path:
    """Flux: one CLIP for the pooled embedding, T5 for the tokens."""
    config = {
        "in_channels": 16,
        "num_layers": 2,
        "num_single_layers": 4,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "joint_attention_dim": WIDTH,
        "pooled_projection_dim": WIDTH,
        "axes_dims_rope": (2, 2, 4),
        "guidance_embeds": True,
    }
    _save(FluxTransformer2DModel, config | changes, folder / "transformer")
    _autoencoder(folder, shift_factor=0.1, scaling_factor=0.4)
    _scheduler(folder, FLOW)
    _clip(folder, "")
    _t5(folder, "_2", WIDTH)
    return folder


def _save(model_class, config: dict, folder: Path) -> None:
    torch.manual_seed(0)
    model_class(**config).save_pretrained(folder)


def _autoencoder(folder: Path, **changes) -> None:
    config = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 16,
    }
    _save(AutoencoderKL, config | changes, folder / "vae")


def _scheduler(folder: Path, config: dict) -> None:
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))


def _clip(folder: Path, suffix: str, *, projects: bool = False, seed: int = 0) -> None:
    """A text encoder of 8 positions and its tokenizer, whose vocabulary is written here."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    vocabulary = {"a": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=8)
    tokenizer.save_pretrained(folder / f"tokenizer{suffix}")
    config = CLIPTextConfig(
        vocab_size=4, hidden_size=WIDTH, intermediate_size=16, projection_dim=WIDTH, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=8, bos_token_id=2, eos_token_id=3, pad_token_id=3,
    )  # fmt: skip
    torch.manual_seed(seed)
    encoder = (CLIPTextModelWithProjection if projects else CLIPTextModel)(config)
    _perturb(encoder).save_pretrained(folder / f"text_encoder{suffix}")


def _t5(folder: Path, suffix: str, width: int) -> None:
    from transformers import T5Config, T5EncoderModel, T5TokenizerFast

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("a", -2.0)]
    tokenizer = T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=512)
    tokenizer.save_pretrained(folder / f"tokenizer{suffix}")
    torch.manual_seed(3)
    encoder = T5EncoderModel(T5Config(vocab_size=8, d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2))
    _perturb(encoder).save_pretrained(folder / f"text_encoder{suffix}")


def _perturb(encoder: torch.nn.Module) -> torch.nn.Module:
    """Transformers starts from weights so small that every prompt looks alike; these are not."""
    with torch.no_grad():
        for value in encoder.parameters():
            value.add_(0.3 * torch.randn_like(value))
    return encoder
