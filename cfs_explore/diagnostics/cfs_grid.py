"""The detectors CFS(K x L) that a map holds: mean slot scores over K levels of L taps (theory 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cfs_explore.contracts import Cell, Tap


class Grid(NamedTuple):
    """Candidates: every tap alone and every pair of an encoder and a decoder tap, at one level or at K spread ones.

    Attributes:
        taps: positions of the taps of each set of taps.
        levels: positions of the levels of each set of levels; its length is what a candidate costs in forwards.
    """

    taps: tuple[tuple[int, ...], ...]
    levels: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, levels: int, taps: Sequence[Tap]) -> Grid:
        """Of a map with so many levels, clean to noisy, and these taps.

        A set of K > 1 levels is spread evenly over all of them, or takes the K cleanest.
        """
        encoder, decoder = ([k for k, tap in enumerate(taps) if tap.region == side] for side in ("encoder", "decoder"))
        pairs = [(first, second) for first in encoder for second in decoder]
        spread = [tuple(np.linspace(0, levels - 1, k).round().astype(int).tolist()) for k in range(2, levels + 1)]
        cleanest = [tuple(range(k)) for k in range(2, levels)]
        sets = dict.fromkeys([*((k,) for k in range(levels)), *spread, *cleanest])
        return cls((*((k,) for k in range(len(taps))), *pairs), tuple(sets))

    @property
    def forwards(self) -> np.ndarray:
        """Forwards of each candidate, int64 (candidates,), level set after level set."""
        return np.repeat([len(levels) for levels in self.levels], len(self.taps))

    def scores(self, slots: np.ndarray) -> np.ndarray:
        """Slot scores (level, tap, image) -> scores of the candidates, float64 (candidates, image)."""
        of_taps = np.stack([slots[:, list(taps)].mean(axis=1, dtype=np.float64) for taps in self.taps], axis=1)
        return np.concatenate([of_taps[list(levels)].mean(axis=0) for levels in self.levels])

    def cells(self, candidate: int) -> list[Cell]:
        """What a candidate averages."""
        levels, taps = divmod(candidate, len(self.taps))
        return [Cell(level, tap) for level in self.levels[levels] for tap in self.taps[taps]]
