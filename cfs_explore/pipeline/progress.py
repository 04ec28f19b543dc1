"""Progress of a run: stage, rate and time left, and the one place that asks whether to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from cfs_explore.errors import RunCancelled

#: Units behind the first batch, which is slow, that say how fast a stage is.
_FEWEST_TIMED = 30


@dataclass(frozen=True)
class ProgressEvent:
    """Where a run stands.

    Attributes:
        stage: "preparing", "measuring", "tabulating" or "saving".
        detail: what exactly, such as a set's name.
        done, total, unit: of the stage.
        rate: units per second, None before the first ones are done.
        eta: seconds to the end of the stage, None while unknown.
    """

    stage: str
    detail: str
    done: int
    total: int
    unit: str
    rate: float | None
    eta: float | None

    def to_dict(self) -> dict:
        return asdict(self)


class Progress:
    """Counts work and reports it.

    Args:
        report: called with each ``ProgressEvent``.
        cancelled: asked at every step; True ends the run with ``RunCancelled``.

    Attributes:
        doing: what exactly is under way, for whoever counts units without knowing.
        eta: seconds until the stage ends; None while unknown.
        timings: stage -> seconds.
        seconds_per_unit: stage -> seconds per unit done in this attempt, its first batch left out; none of few units.
    """

    def __init__(
        self,
        report: Callable[[ProgressEvent], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ):
        self._report = report or (lambda event: None)
        self.cancelled = cancelled or (lambda: False)
        self.timings: dict[str, float] = {}
        self.seconds_per_unit: dict[str, float] = {}
        self.doing = ""
        self.eta: float | None = None
        self._stage: str | None = None

    def start(self, stage: str, total: int, unit: str, *, done: int = 0) -> None:
        """Begin a stage of ``total`` units, ``done`` of which an earlier attempt finished."""
        self.finish()
        self._stage, self._unit, self._total = stage, unit, total
        self._done = self._resumed = done
        self._since = time.monotonic()
        self._first = self._last = None
        self.advance(0, "")

    def advance(self, count: int, detail: str, *, reused: bool = False) -> None:
        """Count finished units and report.

        Args:
            count: of units.
            detail: what exactly.
            reused: they were there already, and say nothing about the rate.

        Raises:
            RunCancelled: when the user asked to stop.
        """
        self._done += count
        self._resumed += count if reused else 0
        elapsed = time.monotonic() - self._since
        fresh = self._done - self._resumed
        if fresh and count:
            self._last = (elapsed, fresh)
            self._first = self._first or self._last
        rate = self._rate()
        self.eta = (self._total - self._done) / rate if rate else None
        self._report(ProgressEvent(self._stage, detail, self._done, self._total, self._unit, rate, self.eta))
        if self.cancelled():
            raise RunCancelled("The run was cancelled; what is finished is kept, start it again to go on.")

    def _rate(self) -> float | None:
        """Units per second since the first ones were done: what comes before, such as opening files, is no work."""
        if self._last is None:
            return None
        seconds, units = (last - first for first, last in zip(self._first, self._last, strict=True))
        if units and seconds > 0:
            return units / seconds
        return self._last[1] / self._last[0] if self._last[0] > 0 else None

    def finish(self) -> None:
        """End the stage and note how long it took."""
        if self._stage is not None:
            spent = time.monotonic() - self._since
            self.timings[self._stage] = self.timings.get(self._stage, 0.0) + spent
            if self._last and self._last[1] - self._first[1] >= _FEWEST_TIMED:
                seconds, units = (last - first for first, last in zip(self._first, self._last, strict=True))
                self.seconds_per_unit[self._stage] = seconds / units
        self._stage = None
