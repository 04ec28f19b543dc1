"""Measure a backbone's taps in one traced forward: execution order, depth by work, resolution, channels."""

from __future__ import annotations

import math

import torch
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Tap
from cfs_explore.errors import TapError
from cfs_explore.levels import MAIN_LAM


def measure_taps(backbone: Backbone, sites: dict[str, tuple[str, str]]) -> tuple[Tap, ...]:
    """Run one image through the backbone and describe each site when it fires.

    Args:
        backbone: a loaded backbone.
        sites: module name -> (region, kind).

    Returns:
        Taps in execution order; ``depth`` is the share of the forward's floating-point work done by then, as
        counted by torch's FLOP counter.
    """
    modules = dict(backbone.module.named_modules())
    fired: list[tuple[str, int, torch.Size]] = []
    counter = FlopCounterMode(display=False)

    def record(name: str):
        def note(_module, _inputs, output):
            fired.append((name, counter.get_total_flops(), backbone.activation(name, output).shape))

        return note

    handles = [modules[name].register_forward_hook(record(name)) for name in sites]
    x = torch.zeros(1, *backbone.input_shape, device=backbone.device)
    try:
        with torch.no_grad(), counter:
            backbone.forward(x, backbone.match(MAIN_LAM))
    finally:
        for handle in handles:
            handle.remove()
    if not fired:
        raise TapError(f"No tap of {backbone.name} fired; the network has none of the expected blocks.")
    total = counter.get_total_flops()
    return tuple(_describe(name, *sites[name], flops / total, shape) for name, flops, shape in fired)


def _describe(name: str, region: str, kind: str, depth: float, shape: torch.Size) -> Tap:
    if len(shape) == 4:  # (1, C, H, W)
        return Tap(name, region, depth, shape[2], shape[1], kind)
    return Tap(name, region, depth, math.isqrt(shape[1]), shape[2], kind)  # (1, tokens, C)
