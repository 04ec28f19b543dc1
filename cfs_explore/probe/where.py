"""Where in an image a score comes from, as ``Probe.where`` finds it. No torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.contracts import PARTS


class Where(NamedTuple):
    """The maps of one image, means over the run's draws.

    Attributes:
        maps: A_p and B_p (theory 22, 23), float32 (2, h, w): one cell's in the size of its tap, several cells' mean
            bilinear in the size of the image, or a single position where none has more.
        score: the slot score, mean of A_p over the positions of each cell's own map.
    """

    maps: np.ndarray
    score: float

    def part(self, name: str) -> np.ndarray:
        """One of ``PARTS``, (h, w)."""
        return self.maps[PARTS.index(name)]
