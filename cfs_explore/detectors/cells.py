"""Detectors that read snapshots of cells: CFS, the mean of slot scores (theory 4), and heads on their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError
from cfs_explore.heads import REGISTRY
from cfs_explore.heads.protocol import FeatureError
from cfs_explore.scoring import Moments, slot_scores
from cfs_explore.taps.policies import choose_taps
from cfs_explore.wording import counted

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.snapshots import TapSnapshots

SIDES = ("encoder", "decoder")


class CellDetector(ReadingDetector):
    """Reads the snapshots of some cells.

    Args:
        cells: (tap, lam) each; None takes the taps that ``sparse_ed`` chooses, at ``lam``.
        sides: which of these two taps, without cells.
        lam: requested log-SNR, or several, without cells.
        draws: noise draws per image.
    """

    trajectory = False  # a few snapshots are none

    def __init__(
        self,
        *,
        cells: Sequence[tuple[str, float]] | None = None,
        sides: Sequence[str] = SIDES,
        lam: float | Sequence[float] = 5.0,
        draws: int = 1,
    ):
        super().__init__(draws)
        try:
            self.cells = None if cells is None else [(str(tap), float(at)) for tap, at in cells]
        except (TypeError, ValueError) as error:
            raise CFSError(
                f"cells must be (tap, lam) each, such as ('mid_block', 5.0). Got {cells} instead."
            ) from error
        if self.cells is not None and (not self.cells or len(set(self.cells)) < len(self.cells)):
            raise CFSError(f"cells must be one or more (tap, lam), no two alike. Got {list(cells)} instead.")
        if not sides or not set(sides) <= set(SIDES):
            raise CFSError(f"sides must be of {', '.join(SIDES)}. Got {list(sides)} instead.")
        self.sides, self.lams = tuple(sides), tuple(np.atleast_1d(lam).astype(float).tolist())

    def readings(self, backbone: Backbone) -> list[TapSnapshots]:
        """One for all levels that read the same taps: so each forward stops after the last tap of its own level."""
        from cfs_explore.readings.snapshots import TapSnapshots, select_taps

        at: dict[float, list[str]] = {}
        for tap, lam in self.cells or self._preset(backbone):
            at.setdefault(lam, []).append(tap)
        together: dict[tuple, list[float]] = {}
        for lam, names in at.items():
            together.setdefault(tuple(select_taps(backbone.taps(), names)), []).append(lam)
        return [TapSnapshots([backbone.match(lam) for lam in lams], taps) for taps, lams in together.items()]

    def _preset(self, backbone: Backbone) -> list[tuple[str, float]]:
        taps = dict(zip(SIDES, choose_taps(backbone.taps()), strict=True))
        return [(taps[side], lam) for lam in self.lams for side in self.sides]


class CFS(CellDetector):
    """The mean of the cells' slot scores, over draws (theory 3, 4). Options as of ``CellDetector``.

    Attributes:
        moments_: of ID-train's readings, one level of all features.
    """

    paper = "arXiv 2605.11014"
    variant = "original"
    meaning = "The snapshots of the cells lie far from those of ID-train, channel by channel."

    @property
    def title(self) -> str:
        """As the paper calls it: CFS(K x L), or CFS-dec(1x1)."""
        if self.cells is not None:
            return f"CFS of {counted(len(self.cells), 'cell')}"
        side = f"-{self.sides[0][:3]}" if len(self.sides) == 1 else ""
        return f"CFS{side}({len(self.lams)}x{len(self.sides)})"

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn mean and variance of every feature from ID-train readings (draw, image, feature)."""
        return self.fit_moments(Moments.of(_checked(self, z_train)[None]))

    def fit_moments(self, moments: Moments) -> Self:
        """Take streamed moments, (1, feature), such as a run's at these cells."""
        self.moments_ = moments
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), about 1 on ID."""
        if "moments_" not in vars(self):
            raise FeatureError(f"{self.name} is not fitted. Call fit(readings of ID-train) first.")
        slots = slot_scores(_checked(self, z)[None], self.moments_, self.columns_)  # (image, draw, 1, cell)
        return slots.mean(axis=(1, 2, 3), dtype=np.float64)


def composed(*, cells: Sequence[tuple[str, float]], draws: int = 1) -> CFS:
    """CFS of these cells: (tap, lam) each."""
    return CFS(cells=cells, draws=draws)


class HeadOnCells(CellDetector):
    """A head on the concatenated features of the cells (theory 2); the score is its mean over draws.

    Args:
        head: a key of ``heads.REGISTRY``.
        head_options: of the head.
        cells, sides, lam, draws: as of ``CellDetector``.
    """

    variant = "this project's"
    meaning = "The snapshots of the cells together are unlike those of ID-train, by the head's own measure."

    def __init__(
        self,
        head: str,
        *,
        head_options: dict | None = None,
        cells: Sequence[tuple[str, float]] | None = None,
        sides: Sequence[str] = SIDES,
        lam: float | Sequence[float] = 5.0,
        draws: int = 1,
    ):
        super().__init__(cells=cells, sides=sides, lam=lam, draws=draws)
        try:
            self.head = REGISTRY[head](**(head_options or {}))
        except TypeError as error:
            raise CFSError(f"head_options of {head}: {error}.") from error
        self.title = f"{self.head.title} head"

    def fit(self, z_train: np.ndarray) -> Self:
        """Fit the head to every draw of the ID-train images, (draw, image, feature)."""
        z_train = _checked(self, z_train)
        self.head.fit(z_train.reshape(-1, z_train.shape[2]))
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,)."""
        return np.mean([self.head.score(draw) for draw in _checked(self, z)], axis=0)


def _checked(detector: CellDetector, z: np.ndarray) -> np.ndarray:
    """Readings (draw, image, feature) that fit what the detector has read."""
    columns = vars(detector).get("columns_")
    if columns is None:
        raise FeatureError(f"{detector.name} does not know its features yet. Call read(backbone, images) first.")
    width = max(part.stop for part in columns.values())
    z = np.asarray(z)
    if z.ndim != 3 or z.shape[2] != width:
        raise FeatureError(f"Readings must have shape (draw, image, {width}). Got {z.shape} instead.")
    return z
