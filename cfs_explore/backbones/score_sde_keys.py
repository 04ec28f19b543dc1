"""What a Score-SDE checkpoint says by its keys and shapes: the network's layers, and which weights are averaged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from cfs_explore.backbones.checkpoint import Checkpoint
from cfs_explore.errors import BackboneError

_LAYER = re.compile(r"all_modules\.(\d+)\.(.+)")

#: Frequencies of the Fourier embedding: a parameter that is not trained, hence not averaged.
FREQUENCIES = "all_modules.0.W"


def is_score_sde(names: Iterable[str]) -> bool:
    """Whether all parameters are layers of one list, with ``sigmas`` beside them or not."""
    layers = set(names) - {"sigmas"}
    return any(name.startswith("all_modules.") for name in layers) and all(map(_LAYER.fullmatch, layers))


def read_layers(shapes: Mapping[str, tuple[int, ...]], source: Path) -> dict[str, Any]:
    """The fields of ``Architecture`` that keys and shapes determine.

    Args:
        shapes: by parameter name.
        source: the file, for errors.

    Raises:
        BackboneError: for layers that are missing, or in an order that no network of this family has.
    """
    layers = _by_layer(shapes, source)
    kinds = "".join(_kind(layer) for layer in layers)
    start = re.match(r"(F?)LLC(?=R)", kinds)
    if not start:
        raise BackboneError(
            f"{source} does not begin with the embedding and the first convolution of a Score-SDE U-Net."
        )
    biggan = any("Conv_2.weight" in layer for layer in layers)
    conv = layers[start.end() - 1]["weight"]
    resampling = [found.end() for found in re.finditer("D[PSK]?" if biggan else "S", kinds)]
    levels = len(resampling) // 2 + 1
    first_blocks = [start.end(), *resampling[: levels - 1]]
    blocks, rest = divmod(kinds.count("R") - 2 - levels, 2 * levels)
    if rest or any(kinds[i : i + 1] != "R" for i in first_blocks):
        raise BackboneError(
            f"{source} does not have the same number of residual blocks at each of {levels} resolutions."
        )
    found = {
        "num_channels": conv[1],
        "nf": conv[0],
        "ch_mult": tuple(layers[i].get("Conv_0.weight", (0,))[0] // conv[0] for i in first_blocks),
        "num_res_blocks": blocks,
        "attention": tuple(level for level, i in enumerate(first_blocks) if kinds[i + 1] == "A"),
        "resblock_type": "biggan" if biggan else "ddpm",
        "embedding_type": "fourier" if start[1] else "positional",
        "progressive": "output_skip" if kinds.count("NC") > 1 else "none",
        "progressive_input": "input_skip" if "K" in kinds else "residual" if re.search("D[PS]", kinds) else "none",
    }
    if not biggan or found["progressive_input"] == "residual":
        found["fir"] = "P" in kinds
    return found


def averaged(checkpoint: Checkpoint) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The averaged (EMA) weights where the file holds some, and notes about the choice.

    The file lists them without names, in the order of the trained parameters.

    Raises:
        BackboneError: when the list does not fit the parameters.
    """
    tensors, ema = dict(checkpoint.tensors), checkpoint.content.get("ema")
    if not isinstance(ema, Mapping) or "shadow_params" not in ema:
        return tensors, list(checkpoint.notes)
    trained = [name for name in tensors if name not in ("sigmas", FREQUENCIES)]
    shadow = ema["shadow_params"]
    if [tuple(value.shape) for value in shadow] != [tuple(tensors[name].shape) for name in trained]:
        raise BackboneError(
            f"{checkpoint.path}: its averaged weights (ema, shadow_params) are {len(shadow)} tensors, which do not "
            f"fit the {len(trained)} parameters of its model one by one. Save them as a state dict, and give that file."
        )
    notes = [note for note in checkpoint.notes if not note.startswith("A training checkpoint")]
    notes.insert(
        0, "A training checkpoint: the averaged (EMA) weights in its entry 'ema' are used; the others left aside."
    )
    return tensors | dict(zip(trained, shadow, strict=True)), notes


def _by_layer(shapes: Mapping[str, tuple[int, ...]], source: Path) -> list[dict[str, tuple[int, ...]]]:
    """Shapes by name inside the layer, for each layer."""
    layers: dict[int, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        if found := _LAYER.fullmatch(name):
            layers.setdefault(int(found[1]), {})[found[2]] = shape
    missing = [f"all_modules.{i}" for i in range(max(layers)) if i not in layers]
    if missing:
        raise BackboneError(
            f"{source} is incomplete: nothing of {', '.join(missing[:5])} ({len(missing)} layers missing)."
        )
    return [layers[i] for i in range(len(layers))]


def _kind(layer: Mapping[str, tuple[int, ...]]) -> str:
    """A letter: Fourier, Linear, Convolution, Norm, Resnet, Resnet that resamples (D), Attention, Combine (K), ..."""
    if "W" in layer:
        return "F"
    if any(name in layer for name in ("NIN_1.W", "NIN_2.W", "NIN_3.W")):
        return "A"
    if any(name in layer for name in ("GroupNorm_0.weight", "GroupNorm_1.weight", "Dense_0.weight")):
        return "D" if "Conv_2.weight" in layer and _keeps_width(layer.get("Conv_0.weight", (0, 1))) else "R"
    for name, letter in (("Conv2d_0.weight", "P"), ("Conv_0.weight", "S"), ("Conv.weight", "K")):
        if name in layer:
            return letter
    return {1: "N", 2: "L", 4: "C"}.get(len(layer.get("weight", ())), "?")


def _keeps_width(weight: tuple[int, ...]) -> bool:
    return weight[0] == weight[1]
