"""What a Score-SDE checkpoint says by its keys and shapes: the network's layers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cfs_explore.errors import BackboneError

_LAYER = re.compile(r"all_modules\.(\d+)\.(.+)")

#: Parts that every layer of a kind has; other kinds have one weight, and their bias.
_PARTS = {
    "R": ("GroupNorm_0", "Conv_0", "Dense_0", "GroupNorm_1", "Conv_1"),
    "D": ("GroupNorm_0", "Conv_0", "Dense_0", "GroupNorm_1", "Conv_1", "Conv_2"),
    "A": ("GroupNorm_0", "NIN_0", "NIN_1", "NIN_2", "NIN_3"),
}

#: Dimensions of a part's tensors.
_DIMENSIONS = {"Conv": 4, "Conv2d": 4, "Dense": 2, "NIN": 2, "GroupNorm": 1}

#: Likely cause of layers that do not fit.
HINT = "The file is incomplete, or another network's."


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
    _refuse_damaged(layers, kinds, source)
    start = re.match(r"(F?)LLC(?=R)", kinds)
    if not start:
        raise BackboneError(
            f"{source} does not begin with the embedding and the first convolution of a Score-SDE U-Net. {HINT}"
        )
    biggan = any("Conv_2.weight" in layer for layer in layers)
    conv = layers[start.end() - 1]["weight"]
    resampling = [found.end() for found in re.finditer("D[PSK]?" if biggan else "S", kinds)]
    levels = len(resampling) // 2 + 1
    first_blocks = [start.end(), *resampling[: levels - 1]]
    blocks, rest = divmod(kinds.count("R") - 2 - levels, 2 * levels)
    if rest or blocks < 1 or any(kinds[i : i + 1] != "R" for i in first_blocks):
        raise BackboneError(
            f"{source} does not have the same number of residual blocks at each of {levels} resolutions. {HINT}"
        )
    widths = [layers[i]["Conv_0.weight"][0] for i in first_blocks]
    if any(width % conv[0] for width in widths):
        raise BackboneError(f"{source} has {widths} channels at its resolutions, no multiples of {conv[0]}. {HINT}")
    found = {
        "num_channels": conv[1],
        "nf": conv[0],
        "ch_mult": tuple(width // conv[0] for width in widths),
        "num_res_blocks": blocks,
        "attention": tuple(level for level, i in enumerate(first_blocks) if kinds[i + 1 : i + 2] == "A"),
        "resblock_type": "biggan" if biggan else "ddpm",
        "embedding_type": "fourier" if start[1] else "positional",
        "progressive": "output_skip" if kinds.count("NC") > 1 else "none",
        "progressive_input": "input_skip" if "K" in kinds else "residual" if re.search("D[PS]", kinds) else "none",
    }
    if not biggan or found["progressive_input"] == "residual":
        found["fir"] = "P" in kinds
    return found


def _by_layer(shapes: Mapping[str, tuple[int, ...]], source: Path) -> list[dict[str, tuple[int, ...]]]:
    """Shapes by name inside the layer, for each layer."""
    layers: dict[int, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        if found := _LAYER.fullmatch(name):
            layers.setdefault(int(found[1]), {})[found[2]] = shape
    if absent := max(layers) + 1 - len(layers):
        first = itertools.islice((f"all_modules.{i}" for i in itertools.count() if i not in layers), min(absent, 5))
        more = f" and {absent - 5} more layers" if absent > 5 else ""
        raise BackboneError(f"{source} is incomplete: it has nothing of {', '.join(first)}{more}.")
    return [layers[i] for i in range(len(layers))]


def _refuse_damaged(layers: list[dict[str, tuple[int, ...]]], kinds: str, source: Path) -> None:
    """BackboneError for layers without some of their parts, and for tensors that no such part has."""
    missing, wrong = [], []
    for i, (layer, kind) in enumerate(zip(layers, kinds, strict=True)):
        parts = {name.rpartition(".")[0] for name in layer} | set(_PARTS.get(kind, ()))
        for part in sorted(parts):
            dimensions = _DIMENSIONS.get(part.split("_")[0], len(layer.get("weight", (0,))))
            weight, bias = ("W", "b") if part.startswith("NIN") or kind == "F" else ("weight", "bias")
            wanted = {weight: dimensions} | ({} if kind == "F" else {bias: 1})
            for name, count in ((".".join(filter(None, (part, own))), count) for own, count in wanted.items()):
                if name not in layer:
                    missing.append(f"all_modules.{i}.{name}")
                elif len(layer[name]) != count or 0 in layer[name]:
                    wrong.append(f"all_modules.{i}.{name} of shape {layer[name]}")
    for what, names in (("lacks", missing), ("has", wrong)):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise BackboneError(f"{source} {what} {', '.join(names[:5])}{more}. {HINT}")


def _kind(layer: Mapping[str, tuple[int, ...]]) -> str:
    """A letter: Fourier, Linear, Convolution, Norm, Resnet, Resnet that resamples (D), Attention, Combine (K), ..."""
    if "W" in layer:
        return "F"
    if any(name in layer for name in ("NIN_1.W", "NIN_2.W", "NIN_3.W")):
        return "A"
    if any(name in layer for name in ("GroupNorm_0.weight", "GroupNorm_1.weight", "Dense_0.weight")):
        return "D" if "Conv_2.weight" in layer and _keeps_width(layer.get("Conv_0.weight", ())) else "R"
    for name, letter in (("Conv2d_0.weight", "P"), ("Conv_0.weight", "S"), ("Conv.weight", "K")):
        if name in layer:
            return letter
    return {1: "N", 2: "L", 4: "C"}.get(len(layer.get("weight", ())), "?")


def _keeps_width(weight: tuple[int, ...]) -> bool:
    return len(weight) == 4 and weight[0] == weight[1]
