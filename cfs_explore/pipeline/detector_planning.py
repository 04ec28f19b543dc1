"""Which detectors a budget has room for, the cheapest first, and what the others would take (theory 19)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Cost
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError
from cfs_explore.pipeline.detector_costs import PLANNED

#: Forwards per image up to which untrained copies are measured, too: beyond, they would double what takes longest.
UNTRAINED_MOST = 100.0


class Work(NamedTuple):
    """How much is read.

    Attributes:
        train, scored: images of ID-train, and of all scored sets together.
        copies: untrained copies of the network.
        first: forwards that are spent whatever is measured: the map of CFS on these images.
        allowed: forwards in all. unit: those of the map.
    """

    train: int
    scored: int
    copies: int
    first: float
    allowed: float
    unit: int

    def networks(self, cost: Cost) -> int:
        """How many networks a detector of this cost is measured on."""
        return 1 + self.copies if planned(cost) <= UNTRAINED_MOST else 1


class Refused(NamedTuple):
    """A detector without room: why, and the budget that has room for it, as a multiple of the map's forwards."""

    why: str
    needed: float


def too_dear(known: Iterable[ReadingDetector], backbone: Backbone, work: Work) -> dict[str, Refused]:
    """Detectors that the budget has no room for, by name; a reading that several share is paid once."""
    alone: dict[str, tuple[float, dict[str, float], list[str]]] = {}
    for detector in known:
        try:
            fit, cost, readings = detector.fit_cost(backbone), detector.cost(backbone), detector.readings(backbone)
        except CFSError:
            continue  # measuring says why
        networks = work.networks(cost)
        total = networks * (planned(fit) * work.train + planned(cost) * work.scored)
        parts = {
            detector.identity(reading): networks * planned(detector.cost_of(reading)) * (work.train + work.scored)
            for reading in readings
        }
        alone.setdefault(detector.identity(*readings), (total, parts, []))[2].append(detector.name)
    spent, paid, found = work.first, {}, {}  # paid: identity of a reading -> its forwards, on as many networks
    for total, parts, names in sorted(alone.values(), key=lambda each: each[0]):
        spent += max(0.0, total - sum(min(cost, paid.get(identity, 0.0)) for identity, cost in parts.items()))
        paid |= {identity: max(cost, paid.get(identity, 0.0)) for identity, cost in parts.items()}
        if spent > work.allowed:
            needed = math.ceil(10 * spent / work.unit) / 10
            why = (
                f"It takes {total:,.0f} forwards on these images, and the budget of {work.allowed / work.unit:.4g} "
                f"times the map's has no room for them: one of {needed:.10g} has. Fewer images cost less, too."
            )
            found |= dict.fromkeys(names, Refused(why, needed))
    return found


def planned(cost: Cost) -> float:
    """In forwards, as far as plans know."""
    return cost.forwards + PLANNED * cost.jvps
