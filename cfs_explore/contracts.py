"""What passes between the rooms: levels, taps, ids of images, and the column names of the tables.

Plain, frozen values with no heavy imports, so that every room can depend on them.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

#: Parts of a backbone, in execution order. Transformers use encoder / middle / decoder for early / middle / late.
REGIONS = ("input", "encoder", "middle", "decoder", "output")

#: What an image set is for: statistics are fitted on id_train, and id_test is compared with each ood set.
ROLES = ("id_train", "id_test", "ood")

#: Groups of OOD sets in a benchmark (theory 36): near and far in meaning, and ID images whose look alone is shifted.
SET_GROUPS = ("near", "far", "covariate")

#: Two AUROCs that are both above this leave nothing to compare: no evidence, whatever their difference (theory 30).
SATURATED = 0.995

#: Variance floor of the pooled features and of the diagonal head (theory 2, 3).
VARIANCE_FLOOR = 1e-6

#: Parts of a score map (theory 22, 23), in the order in which arrays hold them: SCORE is A_p, whose mean over positions
#: is the slot score; DEVIATION is B_p, about 1 on ID images.
SCORE, DEVIATION = PARTS = ("score", "deviation")


def pixel_id(pixels: np.ndarray) -> str:
    """16 hex characters from the shape and values of an image's bytes, uint8 (H, W, 1 | 3): a run's image_id."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=8)
    digest.update(pixels.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Level:
    """A canonical corruption level x_lam = a x0 + b e (theory 1).

    Attributes:
        requested: the log-SNR that was asked for.
        lam: the achieved log-SNR, ln(a^2 / b^2).
        a, b: signal and noise amplitude.
        native: the backbone's own coordinate (timestep or sigma); opaque outside ``backbones``.
    """

    requested: float
    lam: float
    a: float
    b: float
    native: float

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Tap:
    """A site inside the backbone whose output is pooled into a snapshot.

    Attributes:
        name: the module's name.
        region: one of ``REGIONS``.
        depth: share of the forward pass's floating-point work done when the tap fires, 0..1.
        resolution: height (= width) of the feature map; for tokens, the side of the token grid.
        channels: C; the pooled snapshot (theory 2) has 2C features.
        kind: conv, resnet, attention, downsampler, upsampler, block.
    """

    name: str
    region: str
    depth: float
    resolution: int
    channels: int
    kind: str = "block"

    def to_dict(self) -> dict:
        return asdict(self)


class Cell(NamedTuple):
    """One slot (k, l) of the map: a level and a tap, by their position in the run's lists.

    Tables and figures number the cells row by row, level after level; people call them by name, 'up1.res1@5'.
    """

    level: int
    tap: int

    @classmethod
    def at(cls, index: int, taps: int) -> Cell:
        """The cell with this number in a map of so many taps."""
        return cls(*divmod(int(index), taps))

    def number(self, taps: int) -> int:
        """Its number in a map of so many taps."""
        return self.level * taps + self.tap


@dataclass(frozen=True)
class Cost:
    """Work on one image (theory 19).

    Attributes:
        forwards: #F.
        jvps: #J, Jacobian-vector products.
        effective: forwards, each counted only up to the last tap that is read (theory 1).
    """

    forwards: int
    jvps: int
    effective: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forwards + other.forwards, self.jvps + other.jvps, self.effective + other.effective)

    def times(self, count: int) -> Cost:
        """Of so many rows."""
        return Cost(count * self.forwards, count * self.jvps, count * self.effective)
