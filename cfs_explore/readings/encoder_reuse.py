"""What a noise estimate loses when the encoder's work of another level is used again (theory 34)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level
from cfs_explore.corruption import corrupt
from cfs_explore.readings.protocol import Batch
from cfs_explore.taps.capture import capture
from cfs_explore.taps.replacement import replaced

#: Regions whose outputs are used again; the rest of the network, the decoder, is computed anew.
REUSED = ("input", "encoder", "middle")
#: Share of the input's own effect on the output that may be left when all of the encoder is replaced.
_LEAK = 1e-3


class EncoderReuse:
    """||eps_reuse - eps||^2 / ||eps||^2 for every pair of levels, same image and noise.

    eps is the estimate at level j; eps_reuse that of the decoder under level j, with everything that it takes from the
    encoder (its skips too) and from the middle as it was at level i (arXiv 2312.09608). A row walks through all levels,
    so the reading itself has one, the first.

    Args:
        levels: of the pairs, two or more.
        taps: names of those whose outputs are used again, from ``reused_taps``.
        conditioning: what the network is conditioned on at each; None: the levels themselves.
    """

    unit = "pair of levels"

    def __init__(self, levels: Sequence[Level], taps: Sequence[str], conditioning: Sequence[Level] | None = None):
        self.path, self.taps = tuple(levels), tuple(taps)
        self.conditioning = self.path if conditioning is None else tuple(conditioning)
        self.levels = self.path[:1]
        self.name = "encoder_reuse of " + ", ".join(f"{level.requested:g}" for level in self.path)
        count = len(self.path)
        self.pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        self.columns = {
            f"{self.path[i].requested:g} at {self.path[j].requested:g}": slice(place, place + 1)
            for place, (i, j) in enumerate(self.pairs)
        }
        self.cost = Cost(forwards=count**2, jvps=0, effective=float(count**2))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, K (K - 1)), pairs (i, j) in the order of ``pairs``; NaN where eps is 0."""
        x0, noise = batch.x0, batch.noise
        xs = [corrupt(x0, noise, level.a, level.b).contiguous(memory_format=batch.layout) for level in self.path]
        kept, own = [], []
        for x, level in zip(xs, self.conditioning, strict=True):
            with capture(backbone.module, self.taps, reduce=_whole, stop=False) as outputs:
                own.append(backbone.predict_eps(x, level).double().flatten(1))
            kept.append(outputs)
        errors = []
        for i, j in self.pairs:
            with replaced(backbone.module, kept[i]):
                again = backbone.predict_eps(xs[j], self.conditioning[j]).double().flatten(1)
            errors.append((again - own[j]).square().sum(dim=1) / own[j].square().sum(dim=1))
        return torch.stack(errors, dim=1)


def reused_taps(backbone: Backbone) -> list[str]:
    """Names of the taps whose outputs are used again."""
    return [tap.name for tap in backbone.taps() if tap.region in REUSED]


def reused_work(backbone: Backbone) -> float:
    """Share of a forward's work that is done by then, and saved where the outputs are at hand, 0..1."""
    return max((tap.depth for tap in backbone.taps() if tap.region in REUSED), default=0.0)


def why_not(backbone: Backbone, one: Level, other: Level) -> str:
    """Why an encoder cannot be used again in this network, a sentence; "" where it can.

    Tried on two images of noise: with all of the encoder replaced the output must not depend on the input any more (but
    for a multiple of the input itself, which preconditioning adds), and the decoder must be told its level.
    """
    names = reused_taps(backbone)
    if not names or len(names) == len(backbone.taps()):
        return "No taps tell this network's encoder from its decoder."
    with torch.inference_mode():
        return _tried(backbone, names, one, other)


def _tried(backbone: Backbone, names: list[str], one: Level, other: Level) -> str:
    generator = torch.Generator().manual_seed(0)
    first, second, third = (
        torch.randn(1, *backbone.input_shape, generator=generator).to(backbone.device) for _ in range(3)
    )
    with capture(backbone.module, names, reduce=_whole, stop=False) as outputs:
        backbone.forward(third, other)
    free = backbone.forward(first, one) - backbone.forward(second, one)
    with replaced(backbone.module, outputs):
        at_one, at_other = backbone.forward(first, one), backbone.forward(first, other)
        left = at_one - backbone.forward(second, one)
    channels, difference = backbone.input_shape[0], first - second
    direct = (left[:, :channels] * difference).sum() / difference.square().sum()
    left[:, :channels] -= direct * difference
    if left.norm() > _LEAK * free.norm():
        return "This network's decoder takes more from its encoder than the taps hold."
    if (at_one - at_other).norm() <= 1e-6 * at_one.norm():
        return (
            "This network's decoder is told the level by its encoder alone: it would repeat the other level's estimate."
        )
    return ""


def _whole(output: Any) -> Any:
    return output
