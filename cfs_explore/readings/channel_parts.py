"""What the channels of a tap add to the score at one position (theory 22, 23): read in a forward of its own."""

from __future__ import annotations

from typing import Any

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level, Tap
from cfs_explore.readings.protocol import Batch
from cfs_explore.readings.score_maps import channel_parts, mean_parts
from cfs_explore.scoring import Moments
from cfs_explore.taps.capture import capture
from cfs_explore.taps.pooling import positions


class ChannelParts:
    """Per channel: what its mean and its standard deviation add to A_p, and what it adds to B_p.

    Args:
        level: where images are corrupted.
        tap: whose channels.
        moments: of ID-train's snapshots at this level and of this tap, (1, 2C).
        position: in the tap's map, row by row.
    """

    name = "channel_parts"
    unit = "tap"

    def __init__(self, level: Level, tap: Tap, moments: Moments, position: int):
        self.levels, self.tap, self.position = (level,), tap, position
        self.columns = {
            part: slice(k * tap.channels, (k + 1) * tap.channels) for k, part in enumerate(("mean", "std", "deviation"))
        }
        self.cost = Cost(forwards=1, jvps=0, effective=tap.depth)
        self._moments = tuple(torch.from_numpy(part) for part in (moments.mean, moments.variance))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float32 (B, 3C): the parts one after the other."""

        def parts(name: str, output: Any) -> torch.Tensor:
            values = positions(backbone.activation(name, output))
            score, deviation = channel_parts(values, *self._moments, self.position).unbind(dim=1)
            mean = mean_parts(values, *self._moments, self.position)
            return torch.cat([mean, score - mean, deviation], dim=1).float()

        with capture(backbone.module, [self.tap.name], parts, reduce=_as_it_is) as found:
            backbone.forward(batch.x, batch.conditioning)
        return found[self.tap.name]


def _as_it_is(output: torch.Tensor) -> torch.Tensor:
    return output
