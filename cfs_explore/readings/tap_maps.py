"""What taps hold during a forward, whole: for what is compared before it is pooled (theory 34)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level, Tap
from cfs_explore.readings.protocol import Batch
from cfs_explore.taps.capture import capture


class TapMaps:
    """Activations of chosen taps, flattened; one forward serves all of them and stops after the last.

    A single image has as many numbers as the taps' channels x positions: take few images or few taps at a time.

    Args:
        levels: where images are corrupted.
        sizes: tap -> its numbers per image, from ``map_sizes``.
        taps: which sites to read.
    """

    name = "tap_maps"
    unit = "tap"

    def __init__(self, levels: Sequence[Level], taps: Sequence[Tap], sizes: Mapping[str, int]):
        self.levels, self.taps = tuple(levels), tuple(taps)
        self.columns, start = {}, 0
        for tap in self.taps:
            self.columns[tap.name], start = slice(start, start + sizes[tap.name]), start + sizes[tap.name]
        self.cost = Cost(forwards=1, jvps=0, effective=max((tap.depth for tap in self.taps), default=0.0))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float32 (B, sum of the taps' sizes)."""
        names = [tap.name for tap in self.taps]
        with capture(backbone.module, names, backbone.activation, reduce=_flat) as maps:
            backbone.forward(batch.x, batch.conditioning)
        return torch.cat([maps[name] for name in names], dim=1)


def map_sizes(backbone: Backbone, taps: Sequence[Tap], level: Level) -> dict[str, int]:
    """Tap -> numbers of its map per image, special tokens left out."""
    sides = map_sides(backbone, taps, level)
    return {tap.name: tap.channels * math.prod(sides[tap.name]) for tap in taps}


def map_sides(backbone: Backbone, taps: Sequence[Tap], level: Level) -> dict[str, tuple[int, int]]:
    """Tap -> height and width of its maps; a forward finds them where the network's images are not square."""
    _, height, width = backbone.input_shape
    if height == width:
        return {tap.name: (tap.resolution, tap.resolution) for tap in taps}
    x = torch.zeros(1, *backbone.input_shape, device=backbone.device)
    names = [tap.name for tap in taps]
    with torch.inference_mode(), capture(backbone.module, names, backbone.activation, reduce=_side) as sides:
        backbone.forward(x, level)
    return dict(sides)


def _side(activation: torch.Tensor) -> tuple[int, int]:
    """Of (1, C, H, W); tokens (1, tokens, C) are laid out in rows as wide as a square's."""
    if activation.ndim == 4:
        return tuple(activation.shape[2:])
    tokens = activation.shape[1]
    return tokens // math.isqrt(tokens), math.isqrt(tokens)


def _flat(activation: torch.Tensor) -> torch.Tensor:
    """(B, ...) -> float32 (B, numbers), in the order of a contiguous map."""
    return activation.flatten(1).float()
