"""What taps hold during a forward, pooled to means and standard deviations (theory 2): the reading of CFS."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level, Tap
from cfs_explore.errors import TapError
from cfs_explore.readings.protocol import Batch
from cfs_explore.scoring import feature_columns
from cfs_explore.taps.capture import capture
from cfs_explore.wording import short_tap_name


class TapSnapshots:
    """Pooled activations of chosen taps; one forward serves all of them and stops after the last.

    Args:
        levels: where images are corrupted.
        taps: which sites to read.
    """

    name = "snapshots"
    unit = "tap"

    def __init__(self, levels: Sequence[Level], taps: Sequence[Tap]):
        self.levels, self.taps = tuple(levels), tuple(taps)
        self.columns = feature_columns(self.taps)
        self.cost = Cost(forwards=1, jvps=0, effective=max((tap.depth for tap in self.taps), default=0.0))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """Snapshots of a batch, float32 (B, sum of 2C)."""
        names = [tap.name for tap in self.taps]
        with capture(backbone.module, names, backbone.activation) as features:
            backbone.forward(batch.x, batch.conditioning)
        return torch.cat([features[name] for name in names], dim=1)


def select_taps(taps: Sequence[Tap], names: Sequence[str] | None) -> list[Tap]:
    """The taps of these names, full or short, in execution order; all when None.

    Raises:
        TapError: there is no tap of a name, or no name.
    """
    if names is None:
        return list(taps)
    full = {short_tap_name(t.name): t.name for t in taps} | {t.name: t.name for t in taps}
    unknown = sorted(set(names) - set(full))
    if unknown or not names:
        raise TapError(
            f"Unknown taps: {', '.join(unknown) or '(none given)'}. The backbone has: "
            f"{', '.join(t.name for t in taps)}."
        )
    chosen = {full[name] for name in names}
    return [t for t in taps if t.name in chosen]
