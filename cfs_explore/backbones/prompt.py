"""The empty prompt, for networks that are conditioned on text."""

from __future__ import annotations

import hashlib
import importlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cfs_explore.backbones.checkpoint import read_content
from cfs_explore.backbones.folder_weights import choose_form
from cfs_explore.errors import BackboneError

#: A file in the network's or the pipeline's folder that stands for the text encoders.
EMPTY_PROMPT_FILE = "empty_prompt.safetensors"

_CLIP = {"tokenizer": "CLIPTokenizer", "text_encoder": "CLIPTextModel"}
_CLIP_2 = {"tokenizer_2": "CLIPTokenizer", "text_encoder_2": "CLIPTextModelWithProjection"}


@dataclass(frozen=True)
class TextPipeline:
    """How a diffusers pipeline encodes a prompt.

    Attributes:
        class_name: the pipeline's class.
        parts: its tokenizers and text encoders: folder -> class in transformers.
        others: the remaining arguments of its constructor, the network excepted.
        encode: a pipeline -> embeddings of "": tokens (1, tokens, C), pooled (1, P) or None.
        network: name of its network.
        without: folders that a release may lack; the pipeline then puts zeros in the place of their embeddings.
    """

    class_name: str
    parts: Mapping[str, str]
    others: Mapping[str, Any]
    encode: Callable[[Any], tuple[torch.Tensor, torch.Tensor | None]]
    network: str
    without: tuple[str, ...] = ()


STABLE_DIFFUSION = TextPipeline(
    "StableDiffusionPipeline",
    _CLIP,
    {"vae": None, "scheduler": None, "safety_checker": None, "feature_extractor": None}
    | {"requires_safety_checker": False},
    lambda pipeline: (pipeline.encode_prompt("", "cpu", 1, False)[0], None),
    "unet",
)
STABLE_DIFFUSION_XL = TextPipeline(
    "StableDiffusionXLPipeline",
    _CLIP | _CLIP_2,
    {"vae": None, "scheduler": None},
    lambda pipeline: pipeline.encode_prompt("", device="cpu", do_classifier_free_guidance=False)[::2],
    "unet",
)
STABLE_DIFFUSION_3 = TextPipeline(
    "StableDiffusion3Pipeline",
    {"tokenizer": "CLIPTokenizer", "text_encoder": "CLIPTextModelWithProjection"}
    | _CLIP_2
    | {"tokenizer_3": "T5TokenizerFast", "text_encoder_3": "T5EncoderModel"},
    {"vae": None, "scheduler": None},
    lambda pipeline: pipeline.encode_prompt("", "", "", device="cpu", do_classifier_free_guidance=False)[::2],
    "transformer",
    ("tokenizer_3", "text_encoder_3"),
)
FLUX = TextPipeline(
    "FluxPipeline",
    _CLIP | {"tokenizer_2": "T5TokenizerFast", "text_encoder_2": "T5EncoderModel"},
    {"vae": None, "scheduler": None},
    lambda pipeline: pipeline.encode_prompt("", "", device="cpu")[:2],
    "transformer",
)


@dataclass(frozen=True)
class Prompt:
    """Embeddings of a prompt.

    Attributes:
        tokens: (1, tokens, C).
        pooled: (1, P), where the network takes such a vector.
        note: where they come from, a sentence.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None
    note: str

    def to(self, device: torch.device) -> Prompt:
        """The same embeddings on another device."""
        return Prompt(self.tokens.to(device), None if self.pooled is None else self.pooled.to(device), self.note)

    def for_batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Token embeddings (count, tokens, C) and pooled ones (count, P)."""
        return self.tokens.expand(count, -1, -1), None if self.pooled is None else self.pooled.expand(count, -1)

    @property
    def digest(self) -> str:
        """16 hex characters over the embeddings."""
        digest = hashlib.blake2b(digest_size=8)
        for value in (self.tokens, self.pooled):
            if value is not None:
                digest.update(str(tuple(value.shape)).encode())
                digest.update(value.cpu().contiguous().numpy())
        return digest.hexdigest()


def empty_prompt(
    home: Path, network: torch.nn.Module, pipeline: TextPipeline, *, width: int, pooled_width: int | None
) -> Prompt:
    """The empty prompt of a network: from ``empty_prompt.safetensors``, else by its pipeline's own text encoders.

    The encoders run once, on the CPU and in float32, so that the embeddings are the same whatever the network runs on;
    then they are dropped. The file, in the network's or the pipeline's folder, holds ``prompt_embeds`` (1, tokens, C)
    and, for networks that take it, ``pooled_prompt_embeds`` (1, P).

    Args:
        home: the network's folder; the other parts of the pipeline stand beside it.
        network: loaded, on the CPU.
        pipeline: which it belongs to.
        width: C that the network takes.
        pooled_width: P that the network takes; None for a network without.

    Raises:
        BackboneError: when the encoders or the transformers package are missing, or the embeddings do not fit.
    """
    given = next((path for folder in (home, home.parent) if (path := folder / EMPTY_PROMPT_FILE).is_file()), None)
    if given is not None:
        tensors = {name: value.float().clone() for name, value in read_content(given).items()}
        tokens, pooled = tensors.get("prompt_embeds"), tensors.get("pooled_prompt_embeds")
        source, note = str(given), f"The network is conditioned on the prompt in {EMPTY_PROMPT_FILE}."
    else:
        tokens, pooled = _encode(home.parent, network, pipeline)
        source, note = f"The text encoders in {home.parent}", "The network is conditioned on the empty prompt."
    _check(source, "prompt_embeds", tokens, (1, "tokens", width))
    if pooled_width is not None:
        _check(source, "pooled_prompt_embeds", pooled, (1, pooled_width))
    return Prompt(tokens, None if pooled_width is None else pooled, note)


def _check(source: str, key: str, value: torch.Tensor | None, wanted: tuple) -> None:
    """BackboneError unless an embedding has the wanted shape, in which a name stands for any length."""
    shape = None if value is None else tuple(value.shape)
    fits = shape is not None and len(shape) == len(wanted)
    if not (fits and all(isinstance(w, str) or w == n for w, n in zip(wanted, shape, strict=True))):
        raise BackboneError(
            f"{source}: {key} must have shape ({', '.join(map(str, wanted))}) for this network; "
            f"got {'none' if shape is None else shape}."
        )


@torch.no_grad()
def _encode(folder: Path, network: torch.nn.Module, pipeline: TextPipeline) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Embeddings of "" by the pipeline's own ``encode_prompt``, from parts that are loaded one by one by class.

    The pipeline's ``model_index.json`` is not consulted: it may name any module of any package.
    """
    absent = [part for part in pipeline.parts if not (folder / part).is_dir()]
    optional = pipeline.without if pipeline.without and pipeline.without[-1] in absent else ()
    if missing := [part for part in absent if part not in optional]:
        raise BackboneError(
            f"{folder} has no {', '.join(missing)}, and the network is conditioned on text: give the whole pipeline "
            f"folder, or put the empty prompt's embeddings beside the network as {EMPTY_PROMPT_FILE} with "
            "prompt_embeds and, where the network takes them, pooled_prompt_embeds."
        )
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        raise BackboneError(
            f"The text encoders in {folder} need the package transformers: pip install cfs-explore[text]. Or put the "
            f"empty prompt's embeddings there as {EMPTY_PROMPT_FILE}."
        ) from error
    import diffusers

    parts = {
        part: None if part in optional else _load_part(folder / part, getattr(transformers, class_name))
        for part, class_name in pipeline.parts.items()
    }
    pipeline_class = getattr(diffusers, pipeline.class_name)
    return pipeline.encode(pipeline_class(**{pipeline.network: network}, **parts, **pipeline.others))


def _load_part(folder: Path, part_class: Any) -> Any:
    """A tokenizer, or a text encoder: safetensors, or a file that loads as weights only."""
    try:
        if not issubclass(part_class, torch.nn.Module):
            return part_class.from_pretrained(folder, local_files_only=True)
        encoder, report = part_class.from_pretrained(
            folder,
            local_files_only=True,
            dtype=torch.float32,
            variant=choose_form(folder)[0].variant,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, pickle.UnpicklingError) as error:
        raise BackboneError(
            f"{folder} does not load as a {part_class.__name__}: {' '.join(str(error).split())[:400]}"
        ) from error
    if wrong := sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]])):
        raise BackboneError(
            f"The weights in {folder} do not fill a {part_class.__name__}: {', '.join(wrong[:5])} missing or of "
            "another shape. The folder holds another kind of text encoder, or is incomplete."
        )
    return encoder.eval()
