"""Weights of other implementations of Score-SDE's networks under its names, and its training checkpoint."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

_BLOCK = {"norm0": "GroupNorm_0", "conv0": "Conv_0", "affine": "Dense_0", "norm1": "GroupNorm_1", "conv1": "Conv_1"}
_DIFFUSERS = {"norm1": "GroupNorm_0", "conv1": "Conv_0", "time_emb_proj": "Dense_0", "norm2": "GroupNorm_1",
              "conv2": "Conv_1"}  # fmt: skip
_ATTENTION = {"to_q": "NIN_0", "to_k": "NIN_1", "to_v": "NIN_2", "to_out.0": "NIN_3"}


class Layers:
    """Collects layers in execution order.

    Attributes:
        tensors: by name, in the order of the original's parameters.
        layer_of: name of a module in the other implementation -> name of the layer that gives its output.
    """

    def __init__(self, given: Mapping[str, torch.Tensor]):
        self.given, self.tensors, self.layer_of, self.count = given, {}, {}, 0

    def add(self, source: str, parts: Mapping[str, str], **matrices: torch.Tensor) -> None:
        """A layer with the weights of ``source``'s parts under other names; ``matrices`` are put in as they are."""
        layer = f"all_modules.{self.count}"
        for own, name in parts.items():
            for kind in ("weight", "bias"):
                if (key := ".".join(filter(None, (source, own, kind)))) in self.given:
                    self.tensors[".".join(filter(None, (layer, name, kind)))] = self.given[key]
        self.tensors |= {f"{layer}.{name.replace('__', '.')}": value for name, value in matrices.items()}
        self.layer_of[source] = layer
        self.count += 1

    def nin(self, **sources: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Matrices (out, in, ...) and biases as NIN stores them, (in, out)."""
        return {
            f"{name}__{part}": value
            for name, (weight, bias) in sources.items()
            for part, value in (("W", weight.flatten(1).t().contiguous()), ("b", bias.contiguous()))
        }


def from_edm(given: Mapping[str, torch.Tensor], blocks: list[str]) -> Layers:
    """Of EDM's ``SongUNet``, whose blocks have attention inside; ``blocks`` in execution order."""
    layers = Layers(given)
    if "model.map_noise.freqs" in given:
        layers.add("model.map_noise", {}, W=given["model.map_noise.freqs"])
    for name in ("model.map_layer0", "model.map_layer1"):
        layers.add(name, {"": ""})
    for name in blocks:
        if f"{name}.norm0.weight" in given:
            layers.add(name, _BLOCK | {"skip": "Conv_2"})
        else:
            layers.add(name, {"": "Conv2d_0" if name.endswith("_aux_residual") else ""})
        if f"{name}.qkv.weight" in given:
            q, k, v = ((given[f"{name}.qkv.weight"][i::3], given[f"{name}.qkv.bias"][i::3]) for i in range(3))
            out = given[f"{name}.proj.weight"], given[f"{name}.proj.bias"]
            layers.add(name, {"norm2": "GroupNorm_0"}, **layers.nin(NIN_0=q, NIN_1=k, NIN_2=v, NIN_3=out))
    return layers


def from_diffusers(unet: torch.nn.Module) -> Layers:
    """Of diffusers' ``UNet2DModel``, with convolutions or filters between resolutions."""
    layers, given = Layers(unet.state_dict()), unet.state_dict()
    biggan = any(".resnet_down." in name for name in given)

    def resnet(name: str) -> None:
        shortcut = {}
        if not biggan and f"{name}.conv_shortcut.weight" in given:
            shortcut = layers.nin(NIN_0=(given[f"{name}.conv_shortcut.weight"], given[f"{name}.conv_shortcut.bias"]))
        layers.add(name, _DIFFUSERS | ({"conv_shortcut": "Conv_2"} if biggan else {}), **shortcut)

    def attention(name: str) -> None:
        sources = {new: (given[f"{name}.{old}.weight"], given[f"{name}.{old}.bias"]) for old, new in _ATTENTION.items()}
        layers.add(name, {"group_norm": "GroupNorm_0"}, **layers.nin(**sources))

    if "time_proj.weight" in given:
        layers.add("time_proj", {}, W=given["time_proj.weight"])
    for name in ("time_embedding.linear_1", "time_embedding.linear_2", "conv_in"):
        layers.add(name, {"": ""})
    for i, block in enumerate(unet.down_blocks):
        at = f"down_blocks.{i}"
        for j in range(len(block.resnets)):
            resnet(f"{at}.resnets.{j}")
            if hasattr(block, "attentions"):
                attention(f"{at}.attentions.{j}")
        if getattr(block, "resnet_down", None) is not None:
            resnet(f"{at}.resnet_down")
            layers.add(f"{at}.skip_conv", {"": "Conv"})
        elif block.downsamplers is not None:
            layers.add(f"{at}.downsamplers.0", {"conv": "Conv_0"})
    resnet("mid_block.resnets.0")
    attention("mid_block.attentions.0")
    resnet("mid_block.resnets.1")
    for i, block in enumerate(unet.up_blocks):
        at = f"up_blocks.{i}"
        for j in range(len(block.resnets)):
            resnet(f"{at}.resnets.{j}")
        if hasattr(block, "attentions"):  # the last one: Score-SDE has no other
            attention(f"{at}.attentions.{len(block.attentions) - 1}")
        if getattr(block, "resnet_up", None) is not None:
            layers.add(f"{at}.skip_norm", {"": ""})
            layers.add(f"{at}.skip_conv", {"": ""})
            resnet(f"{at}.resnet_up")
        elif getattr(block, "upsamplers", None):
            layers.add(f"{at}.upsamplers.0", {"conv": "Conv_0"})
    for name in ("conv_norm_out", "conv_out"):
        layers.add(name, {"": ""})
    return layers


def sigmas(low: float, high: float, count: int) -> torch.Tensor:
    """The buffer of noise levels, float64, from the highest."""
    return torch.tensor(np.exp(np.linspace(np.log(high), np.log(low), count)))


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], levels: torch.Tensor) -> Path:
    """A training checkpoint whose averaged weights are ``tensors`` and whose raw ones are others."""
    raw = {
        f"module.{name}": value if name == "all_modules.0.W" else torch.zeros_like(value)
        for name, value in tensors.items()
    }
    shadow = [value for name, value in tensors.items() if name != "all_modules.0.W"]
    torch.save(
        {
            "optimizer": {"state": {0: {"step": 1, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 2e-4}]},
            "model": {"module.sigmas": levels} | raw,
            "ema": {"decay": 0.999, "num_updates": 950001, "shadow_params": shadow},
            "step": 950001,
        },
        path,
    )
    return path
