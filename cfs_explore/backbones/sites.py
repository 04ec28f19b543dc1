"""Measure a backbone's taps in one traced forward: execution order, depth by work, resolution, channels."""

from __future__ import annotations

import math

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from cfs_explore.backbones.base import Backbone
from cfs_explore.backbones.checkpoint import UNFIT
from cfs_explore.contracts import Tap
from cfs_explore.errors import BackboneError, TapError
from cfs_explore.levels import MAIN_LAM


def measure_taps(backbone: Backbone, sites: dict[str, tuple[str, str]]) -> tuple[Tap, ...]:
    """Run one image through the backbone and describe each site when it fires.

    Args:
        backbone: a loaded backbone.
        sites: module name -> (region, kind).

    Returns:
        Taps in execution order; ``depth`` is the share of the forward's floating-point work done by then, as
        counted by the formulas of torch's FLOP counter.
    """
    modules = dict(backbone.module.named_modules())
    fired: list[tuple[str, int, torch.Size]] = []
    counter = _WorkCounter()

    def record(name: str):
        def note(_module, _inputs, output):
            fired.append((name, counter.total, backbone.activation(name, output).shape))

        return note

    handles = [modules[name].register_forward_hook(record(name)) for name in sites]
    x = torch.zeros(1, *backbone.input_shape, device=backbone.device)
    try:
        with torch.no_grad(), counter:
            backbone.forward(x, backbone.match(MAIN_LAM))
    except UNFIT as error:
        raise BackboneError(
            f"{backbone.name} does not compute an image of its own shape {backbone.input_shape}: "
            f"{' '.join(str(error).split())[:300]}. Its configuration is not the one that it was trained with."
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    if not fired:
        raise TapError(f"No tap of {backbone.name} fired; the network has none of the expected blocks.")
    return tuple(_describe(name, *sites[name], flops / counter.total, shape) for name, flops, shape in fired)


class _WorkCounter(TorchDispatchMode):
    """Floating-point operations of what runs inside; ``FlopCounterMode`` would first import torch's compiler."""

    def __init__(self):
        super().__init__()
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, so the compiler has nothing to skip."""
        return False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        formula = flop_registry.get(function.overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=output)
        return output


def _describe(name: str, region: str, kind: str, depth: float, shape: torch.Size) -> Tap:
    if len(shape) == 4:  # (1, C, H, W)
        return Tap(name, region, depth, shape[2], shape[1], kind)
    return Tap(name, region, depth, math.isqrt(shape[1]), shape[2], kind)  # (1, tokens, C)
