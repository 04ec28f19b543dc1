"""Embeddings of prompts, for networks that are conditioned on text: of the empty one, and of others."""

from __future__ import annotations

import hashlib
import importlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
        encode: a pipeline, a prompt -> its embeddings: tokens (1, tokens, C), pooled (1, P) or None.
        network: name of its network.
        without: folders that a release may lack; the pipeline then puts zeros in the place of their embeddings.
    """

    class_name: str
    parts: Mapping[str, str]
    others: Mapping[str, Any]
    encode: Callable[[Any, str], tuple[torch.Tensor, torch.Tensor | None]]
    network: str
    without: tuple[str, ...] = ()


STABLE_DIFFUSION = TextPipeline(
    "StableDiffusionPipeline",
    _CLIP,
    {"vae": None, "scheduler": None, "safety_checker": None, "feature_extractor": None}
    | {"requires_safety_checker": False},
    lambda pipeline, text: (pipeline.encode_prompt(text, "cpu", 1, False)[0], None),
    "unet",
)
STABLE_DIFFUSION_XL = TextPipeline(
    "StableDiffusionXLPipeline",
    _CLIP | _CLIP_2,
    {"vae": None, "scheduler": None},
    lambda pipeline, text: pipeline.encode_prompt(text, device="cpu", do_classifier_free_guidance=False)[::2],
    "unet",
)
STABLE_DIFFUSION_3 = TextPipeline(
    "StableDiffusion3Pipeline",
    {"tokenizer": "CLIPTokenizer", "text_encoder": "CLIPTextModelWithProjection"}
    | _CLIP_2
    | {"tokenizer_3": "T5TokenizerFast", "text_encoder_3": "T5EncoderModel"},
    {"vae": None, "scheduler": None},
    lambda pipeline, text: pipeline.encode_prompt(text, text, text, device="cpu", do_classifier_free_guidance=False)[
        ::2
    ],
    "transformer",
    ("tokenizer_3", "text_encoder_3"),
)
FLUX = TextPipeline(
    "FluxPipeline",
    _CLIP | {"tokenizer_2": "T5TokenizerFast", "text_encoder_2": "T5EncoderModel"},
    {"vae": None, "scheduler": None},
    lambda pipeline, text: pipeline.encode_prompt(text, text, device="cpu")[:2],
    "transformer",
)


@dataclass(frozen=True)
class Prompt:
    """Embeddings of a prompt.

    Attributes:
        tokens: (1, tokens, C).
        pooled: (1, P), where the network takes such a vector.
        words: what it is: "empty prompt", "prompt: a cat".
        note: where they come from, a sentence.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None
    words: str
    note: str

    def to(self, device: torch.device) -> Prompt:
        """The same embeddings on another device."""
        pooled = None if self.pooled is None else self.pooled.to(device)
        return replace(self, tokens=self.tokens.to(device), pooled=pooled)

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


class Encoder:
    """A network's own text encoders; what they gave once is kept.

    They run on the CPU and in float32, so that the embeddings are the same whatever the network runs on; then they are
    dropped.

    Args:
        home: the network's folder; the other parts of the pipeline stand beside it.
        network: loaded.
        pipeline: which it belongs to.
        width: C that the network takes.
        pooled_width: P that the network takes; None for a network without.
    """

    def __init__(
        self, home: Path, network: torch.nn.Module, pipeline: TextPipeline, *, width: int, pooled_width: int | None
    ):
        self.home = home
        self._network, self._pipeline = network, pipeline
        self._width, self._pooled_width = width, pooled_width
        self._known: dict[str, Prompt] = {}

    def __call__(self, texts: Sequence[str]) -> list[Prompt]:
        """The embeddings of each text, on the CPU.

        Raises:
            BackboneError: when the encoders or the transformers package are missing, a text is longer than one of
                them takes, or the embeddings do not fit.
        """
        wanted = [text for text in dict.fromkeys(texts) if text not in self._known]
        if wanted:
            source = f"The text encoders in {self.home.parent}"
            found = _encode(self.home.parent, self._network, self._pipeline, wanted)
            for text, embeddings in zip(wanted, found, strict=True):
                words = f"prompt: {text}" if text else "empty prompt"
                self._known[text] = self.fitted(
                    source, *embeddings, words, f"The network is conditioned on the {words}."
                )
        return [self._known[text] for text in texts]

    def fitted(
        self, source: str, tokens: torch.Tensor | None, pooled: torch.Tensor | None, words: str, note: str
    ) -> Prompt:
        """Embeddings from a source as a prompt of the network; BackboneError where they do not fit."""
        _check(source, "prompt_embeds", tokens, (1, "tokens", self._width))
        if self._pooled_width is not None:
            _check(source, "pooled_prompt_embeds", pooled, (1, self._pooled_width))
        return Prompt(tokens, None if self._pooled_width is None else pooled, words, note)


def empty_prompt(encoder: Encoder) -> Prompt:
    """The empty prompt of a network: from ``empty_prompt.safetensors``, else by its pipeline's own text encoders.

    The file, in the network's or the pipeline's folder, holds ``prompt_embeds`` (1, tokens, C) and, for networks that
    take it, ``pooled_prompt_embeds`` (1, P).

    Raises:
        BackboneError: as of ``Encoder``.
    """
    home = encoder.home
    given = next((path for folder in (home, home.parent) if (path := folder / EMPTY_PROMPT_FILE).is_file()), None)
    if given is None:
        return encoder([""])[0]
    tensors = {name: value.float().clone() for name, value in read_content(given).items()}
    words = f"prompt in {EMPTY_PROMPT_FILE}"
    found = (tensors.get(name) for name in ("prompt_embeds", "pooled_prompt_embeds"))
    return encoder.fitted(str(given), *found, words, f"The network is conditioned on the {words}.")


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
def _encode(
    folder: Path, network: torch.nn.Module, pipeline: TextPipeline, texts: Sequence[str]
) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Embeddings by the pipeline's own ``encode_prompt``, from parts that are loaded one by one by class.

    The pipeline's ``model_index.json`` is not consulted: it may name any module of any package.
    """
    absent = [part for part in pipeline.parts if not (folder / part).is_dir()]
    optional = pipeline.without if pipeline.without and pipeline.without[-1] in absent else ()
    if missing := [part for part in absent if part not in optional]:
        raise BackboneError(
            f"{folder} has no {', '.join(missing)}, and the network is conditioned on text: give the whole pipeline "
            f"folder{_instead(texts)}."
        )
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        raise BackboneError(
            f"The text encoders in {folder} need the package transformers: pip install "
            f"cfs-explore[text]{_instead(texts)}."
        ) from error
    import diffusers

    parts = {
        part: None if part in optional else _load_part(folder / part, getattr(transformers, class_name))
        for part, class_name in pipeline.parts.items()
    }
    for text in texts:
        _check_length(text, folder, parts)
    whole = getattr(diffusers, pipeline.class_name)(**{pipeline.network: network}, **parts, **pipeline.others)
    return [pipeline.encode(whole, text) for text in texts]


def _instead(texts: Sequence[str]) -> str:
    """What may be done where the texts cannot be encoded, as the end of a sentence."""
    if any(texts):
        return ", or leave `conditioning_prompts` out"
    return (
        f", or put the empty prompt's embeddings beside the network as {EMPTY_PROMPT_FILE} with prompt_embeds and, "
        "where the network takes them, pooled_prompt_embeds"
    )


def _check_length(text: str, folder: Path, parts: Mapping[str, Any]) -> None:
    """BackboneError for a text of which a tokenizer would drop the end."""
    for name, tokenizer in parts.items():
        if not name.startswith("tokenizer") or tokenizer is None or not text:
            continue
        count, most = len(tokenizer(text, verbose=False).input_ids), tokenizer.model_max_length
        if count > most:
            raise BackboneError(
                f"`conditioning_prompts` has {text!r:.80}, which is {count} tokens for {folder / name}; it takes "
                f"{most}: shorten the prompt."
            )


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
