"""What is known of a detector once it is measured on a run, and what detectors that read the same share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cfs_explore import detectors
from cfs_explore.contracts import Cost
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.studies.detectors import NETWORKS

#: Every detector but the one that a person composes, and the head that makes CFS(1x2) of its snapshots once more.
ALL = tuple(name for name in detectors.names() if name not in ("cfs", "head_diag"))


@dataclass(eq=False)
class Measured:
    """A detector on one network.

    Attributes:
        detector: fitted, where it has scores.
        network: one of ``NETWORKS``.
        cost, fit_cost: per image; None where it cannot read this backbone.
        ms: milliseconds per image of ID-test.
        price, effective: the cost in forwards, whole and up to the last tap, products at their measured cost (19).
        scores: "id_test" or an OOD set's name -> float64 (image,); empty where it was not measured.
        note: why not, or what was done for this backbone.
        copy: which of the untrained copies, from 0.
        needed: the budget, as a multiple of the map's forwards, that has room for it where this one had none.
    """

    detector: ReadingDetector
    network: str
    cost: Cost | None = None
    fit_cost: Cost | None = None
    ms: float = float("nan")
    price: float = float("nan")
    effective: float = float("nan")
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    note: str = ""
    copy: int = 0
    needed: float = float("nan")

    @property
    def folder(self) -> str:
        """Of what is kept of this network."""
        return self.network if self.copy == 0 else f"{self.network}-{self.copy}"

    @property
    def kind(self) -> str:
        """ "cfs", "head" or "rival"."""
        start = self.detector.name.partition("_")[0]
        return start if start in ("cfs", "head") else "rival"

    def facts(self) -> dict[str, object]:
        """The columns of ``falsifier`` that do not depend on the OOD set."""
        cost, fit = self.cost or Cost(0, 0, float("nan")), self.fit_cost or Cost(0, 0, float("nan"))
        return {
            "detector": self.detector.name,
            **{name: getattr(self.detector, name) for name in ("title", "variant", "paper")},
            **{"kind": self.kind, "network": self.network, "note": self.note, "ms": self.ms, "cost": self.price},
            **{"forwards": cost.forwards, "jvps": cost.jvps, "effective": self.effective},
            **{"trajectory": self.detector.trajectory, "copy": self.copy, "needed": self.needed},
            **{"fit_forwards": fit.forwards, "fit_jvps": fit.jvps},
        }


@dataclass
class Read:
    """One reading of every set with one network, which some detectors share.

    Attributes:
        network: one of ``NETWORKS``.
        columns: name -> slice of the features. z: set -> (draw, image, feature). by: names of the detectors.
    """

    network: str
    columns: dict[str, slice]
    z: dict[str, np.ndarray] = field(default_factory=dict)
    by: list[str] = field(default_factory=list)

    @property
    def place(self) -> tuple[int, int]:
        """Of the first detector that reads it: workers come to the detectors in any order."""
        return NETWORKS.index(self.network), min(ALL.index(name) for name in self.by)
