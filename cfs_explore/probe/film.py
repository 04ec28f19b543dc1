"""What the probe sees at every level, or in every draw, packed small enough for a browser, which plays it."""

from __future__ import annotations

import base64
import functools
import math
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cfs_explore.probe.inputs import ProbeImage
from cfs_explore.probe.seen import Seen, TapView

if TYPE_CHECKING:
    from cfs_explore.probe.network import Probe

#: Strongest channels of a tap whose maps are kept.
CHANNELS = 8
#: What the largest size in a score map is packed as.
FULL = 32767
#: Share of a score map's positions that a scale should hold.
HELD = 0.99
#: Where all levels would take longer, the run's measured ones have to do.
BUDGET_S = 10.0
#: For all draws at one level; where they would take longer, the first ones have to do.
DRAWS_BUDGET_S = 1.0
_MAP_SIDE, _IMAGE_SIDE = 32, 256
#: The pictures of all levels in one draw together; larger ones are shrunk.
_MOST_BYTES = 8_000_000


class Film:
    """What a probe sees of some images at every level; frames are made when they are asked for, and kept.

    The run's measured levels come first. Those between them follow beside the page (``begin_rest``) where, going by the
    time that the measured ones took, all together take no longer than the budget.

    Args:
        probe: the loaded backbone.
        images: one or more.
        draw: of the noise, as in ``Probe.see``.
        taps: names of taps that the run measured.
        budget: seconds for all levels.
        clock: seconds that go by; to time the frames.
    """

    def __init__(
        self,
        probe: Probe,
        images: Sequence[ProbeImage],
        draw: int,
        taps: Sequence[str],
        *,
        budget: float = BUDGET_S,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._probe, self._images, self._draw, self._taps = probe, images, draw, taps
        self._budget, self._clock = budget, clock
        self._frames: dict[float, dict] = {}
        self._seconds: list[float] = []
        self._lock = threading.Lock()
        self._rest: threading.Thread | None = None

    @property
    def rest_seconds(self) -> float:
        """How long the levels that are still to come will take; 0 where none will."""
        missing = len(self._probe.levels) - len(self._frames)
        gone = self._rest is not None and not self._rest.is_alive()  # all are made, or it failed
        return 0.0 if gone or not self._fits else missing * self._second

    def begin_rest(self) -> None:
        """Make the levels between, in a thread of its own, once; ``pack`` then holds those that are ready."""
        with self._lock:
            if self._rest is None and self._fits:
                self._rest = threading.Thread(target=self.make_rest, daemon=True)
                self._rest.start()

    def make_rest(self) -> None:
        """Make the levels between, if they fit the budget."""
        if self._fits:
            self._make(self._probe.levels)

    @property
    def _second(self) -> float:
        """What a frame takes."""
        return statistics.median(self._seconds)

    @functools.cached_property
    def _fits(self) -> bool:
        """Judged once, by the measured levels: others who use the network would only seem to slow it down."""
        return self._second * len(self._probe.levels) <= self._budget

    def pack(self, lam: float, progress: Callable[[int, int], None] = lambda done, total: None) -> dict:
        """The film as a dict for JSON; arrays are base64 of their bytes in C order.

        Args:
            lam: a key of ``probe.levels`` that the film must hold.
            progress: called with frames made and frames to make before each that is missing; it may raise to stop, and
                what is made is kept.

        Returns:
            lams, from noisy to clean, and frames, one of each (``_frame``): the measured levels, ``lam``, and what else
            is made; total: number of levels; seconds: that a frame took; images: original pictures, each shape
            (C, H, W) and pixels (uint8).
        """
        levels = self._probe.levels
        self._make([*(at for at, level in levels.items() if level is not None), lam], progress)
        frames = dict(self._frames)
        lams = sorted(frames)
        originals = [_shrunk(image.pixels, _IMAGE_SIDE) for image in self._images]
        return {
            "lams": lams,
            "frames": [frames[at] for at in lams],
            "total": len(levels),
            "seconds": self._second,
            "images": [{"shape": list(image.shape), "pixels": _text(image)} for image in originals],
        }

    def _make(self, lams: Iterable[float], progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        for lam in lams:
            with self._lock:
                if lam in self._frames:
                    continue
                progress(len(self._frames), len(self._probe.levels))
                start = self._clock()
                self._frames[lam] = _frame(self._probe, self._probe.see(self._images, lam, self._draw, self._taps))
                self._seconds.append(self._clock() - start)


def draws(
    probe: Probe,
    images: Sequence[ProbeImage],
    lam: float,
    taps: Sequence[str],
    count: int,
    seconds: float,
    budget: float = DRAWS_BUDGET_S,
) -> list[dict | None]:
    """One level in the draws 0, 1, ...: frames as of ``Film.pack``, None for those that the budget leaves out.

    Args:
        probe, images, lam, taps: as for ``Probe.see``.
        count: of draws.
        seconds: that a frame takes, as ``Film.pack`` says.
        budget: seconds for all.
    """
    made = [
        _frame(probe, probe.see(images, lam, draw, taps)) for draw in range(min(count, math.floor(budget / seconds)))
    ]
    return made + [None] * (count - len(made))


def _frame(probe: Probe, seen: Seen) -> dict:
    """One level.

    Returns:
        lam (achieved), a, b; position of the measured level whose ID statistics are used, and measured: whether it
        is that level; shape (C, h, w) of the pictures x_lam and x0_hat, uint8 (n, C, h, w); and taps (``_tap``).
    """
    images, channels = seen.x_lam_picture.shape[:2]
    side = math.isqrt(_MOST_BYTES // (2 * images * channels * len(probe.levels)))
    noisy, guess = (_shrunk(pictures, side) for pictures in (seen.x_lam_picture, seen.x0_hat_picture))
    return {
        "lam": seen.level.lam,
        "a": seen.level.a,
        "b": seen.level.b,
        "position": seen.position,
        "measured": seen.level.native == probe.run.levels[seen.position].native,
        "shape": list(noisy.shape[1:]),
        "x_lam": _text(noisy),
        "x0_hat": _text(guess),
        "taps": [_tap(view) for view in seen.taps.values()],
    }


def _tap(view: TapView) -> dict:
    """One tap: name, score (n,), the strongest channels (k,), shape (h, w) of their maps, uint8 (n, k, h, w), z,
    little-endian float32 (n, 2C), and where the score comes from: A_p and B_p as shares, in 1/``FULL``, of the largest
    size of each, peaks (2,), little-endian int16 (n, 2, h, w); and high (2,), the size that ``HELD`` of the positions
    do not exceed.
    """
    strongest, where = view.strongest(CHANNELS), _shrunk(view.where, _MAP_SIDE)
    maps = np.rint(_shrunk(strongest.maps, _MAP_SIDE) * 255).astype(np.uint8)
    sizes = np.abs(where).swapaxes(0, 1).reshape(where.shape[1], -1)
    peaks = np.maximum(sizes.max(axis=1), np.finfo(np.float32).tiny)
    shares = np.rint(where / peaks[:, None, None] * FULL).astype("<i2")
    return {
        "name": view.tap.name,
        "score": [float(score) for score in view.score],
        "channels": strongest.channels.tolist(),
        "shape": list(maps.shape[2:]),
        "maps": _text(maps),
        "z": _text(view.z.astype("<f4")),
        "peaks": peaks.tolist(),
        "high": np.quantile(sizes, HELD, axis=1).tolist(),
        "where": _text(shares),
    }


def _shrunk(values: np.ndarray, side: int) -> np.ndarray:
    """Means of square blocks of (..., H, W), as few pixels each as make both sides ``side`` at most."""
    factor = -(-max(values.shape[-2:]) // side)
    if factor == 1:
        return values
    means = values.astype(np.float64)
    for axis in (-2, -1):
        starts = np.arange(0, values.shape[axis], factor)
        means = np.add.reduceat(means, starts, axis=axis)
        counts = np.diff([*starts, values.shape[axis]])
        means /= counts[:, None] if axis == -2 else counts
    return np.rint(means).astype(np.uint8) if values.dtype == np.uint8 else means


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
