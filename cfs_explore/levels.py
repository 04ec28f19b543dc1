"""Canonical noise levels: log-SNR <-> a backbone's own coordinate (theory 1). NumPy only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cfs_explore.contracts import Level
from cfs_explore.errors import LevelError

ALIGNMENTS = ("logsnr", "uniform_t", "score_norm", "perceptual")

#: Alignments that compare two backbones, so that a schedule alone cannot decide them.
RELATIVE_ALIGNMENTS = ("score_norm", "perceptual")

#: The map's default grid, from clean to noisy.
DEFAULT_LAMS = (9.0, 7.0, 5.0, 3.0, 1.0, -1.0, -3.0, -5.0)

#: The paper's main level.
MAIN_LAM = 5.0

#: A request may miss the reach by this much (in log-SNR) before it is reported.
REACH_TOLERANCE = 0.5


class Schedule(Protocol):
    """Maps a requested log-SNR to what a backbone can be given; as text, it says what kind it is."""

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest reachable log-SNR."""

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """The level nearest to the request; ``requested`` and ``lam`` may differ, and both are kept."""


@dataclass(frozen=True)
class DiscreteVP:
    """Discrete variance-preserving schedule (DDPM): a = sqrt(abar_t), b = sqrt(1 - abar_t).

    Attributes:
        alphas_cumprod: abar_t, shape (T,), in (0, 1), decreasing.
    """

    alphas_cumprod: np.ndarray

    def __str__(self) -> str:
        return f"discrete VP, {len(self.alphas_cumprod)} steps"

    @property
    def lams(self) -> np.ndarray:
        """Log-SNR of every native timestep, shape (T,)."""
        abar = np.asarray(self.alphas_cumprod, dtype=np.float64)
        with np.errstate(divide="ignore"):
            return np.log(abar) - np.log1p(-abar)

    @property
    def reach(self) -> tuple[float, float]:
        lams = self.lams[np.isfinite(self.lams)]
        return float(lams.min()), float(lams.max())

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """Snap to the nearest native timestep (theory 1), or to the same fraction of the native range."""
        check_request(lam, alignment)
        lams = self.lams
        if alignment == "logsnr":
            t = int(np.argmin(np.abs(lams - lam)))
        else:
            low, high = self.reach
            finite = np.flatnonzero(np.isfinite(lams))  # a schedule may end in pure noise, lam = -inf
            fraction = np.clip((high - lam) / (high - low), 0, 1)
            t = int(finite[int(np.rint(fraction * (len(finite) - 1)))])
        abar = float(self.alphas_cumprod[t])
        return Level(float(lam), float(lams[t]), math.sqrt(abar), math.sqrt(1.0 - abar), float(t))


@dataclass(frozen=True)
class ContinuousVP:
    """Variance-preserving SDE with linear beta (Song et al. 2021).

    ln abar(t) = -(beta_min t + (beta_max - beta_min) t^2 / 2), a = sqrt(abar), b = sqrt(1 - abar).
    The native coordinate is the time t in [t_min, 1], without steps.
    """

    beta_min: float
    beta_max: float
    t_min: float

    def __str__(self) -> str:
        return f"continuous VP, beta {self.beta_min:g} to {self.beta_max:g}"

    @property
    def reach(self) -> tuple[float, float]:
        return self._lam(1.0), self._lam(self.t_min)

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """Hit lam exactly inside the trained range, else its nearest end."""
        check_request(lam, alignment)
        fraction, achieved = _fraction_and_lam(lam, self.reach)
        if alignment == "uniform_t":
            t = self.t_min + fraction * (1.0 - self.t_min)
        else:
            minus_log_abar = math.log1p(math.exp(-achieved))  # -ln abar, since abar = 1 / (1 + e^-lam)
            slope = self.beta_max - self.beta_min
            t = 2.0 * minus_log_abar / (self.beta_min + math.sqrt(self.beta_min**2 + 2.0 * slope * minus_log_abar))
        log_abar = self._log_abar(t)
        return Level(float(lam), self._lam(t), math.exp(log_abar / 2.0), math.sqrt(-math.expm1(log_abar)), t)

    def _log_abar(self, t: float) -> float:
        return -(self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t * t)

    def _lam(self, t: float) -> float:
        log_abar = self._log_abar(t)
        return log_abar - math.log(-math.expm1(log_abar))


@dataclass(frozen=True)
class ContinuousVE:
    """Variance-exploding or EDM noise: a = 1, b = sigma, lam = -2 ln sigma; any sigma in the trained range.

    Attributes:
        sigma_min, sigma_max: the trained range.
        rho: exponent of EDM's time steps (Karras et al. 2022, equation 5); None for geometric ones (Song et al. 2021).
    """

    sigma_min: float
    sigma_max: float
    rho: float | None = None

    def __str__(self) -> str:
        return f"variance exploding, sigma {self.sigma_min:g} to {self.sigma_max:g}"

    @property
    def reach(self) -> tuple[float, float]:
        return -2.0 * math.log(self.sigma_max), -2.0 * math.log(self.sigma_min)

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """Hit lam exactly inside the trained range, else its nearest end."""
        check_request(lam, alignment)
        fraction, achieved = _fraction_and_lam(lam, self.reach)
        if alignment == "uniform_t" and self.rho is not None:
            low, high = (sigma ** (1.0 / self.rho) for sigma in (self.sigma_min, self.sigma_max))
            achieved = -2.0 * self.rho * math.log(low + fraction * (high - low))
        sigma = math.exp(-achieved / 2.0)
        return Level(float(lam), achieved, 1.0, sigma, sigma)


@dataclass(frozen=True)
class ContinuousFlow:
    """Rectified flow: a = 1 - s, b = s, lam = 2 ln((1 - s) / s); any s in the trained range, inside (0, 1)."""

    s_min: float
    s_max: float

    def __str__(self) -> str:
        return f"rectified flow, s {self.s_min:g} to {self.s_max:g}"

    @property
    def reach(self) -> tuple[float, float]:
        return self._lam(self.s_max), self._lam(self.s_min)

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """Hit lam exactly inside the trained range, else its nearest end."""
        check_request(lam, alignment)
        fraction, achieved = _fraction_and_lam(lam, self.reach)
        if alignment == "uniform_t":
            s = self.s_min + fraction * (self.s_max - self.s_min)
        else:
            s = 1.0 / (1.0 + math.exp(achieved / 2.0))
        return Level(float(lam), self._lam(s), 1.0 - s, s, s)

    @staticmethod
    def _lam(s: float) -> float:
        return 2.0 * (math.log1p(-s) - math.log(s))


def lam_range(high: float, low: float, count: int, grid: int = 200) -> list[float]:
    """``count`` levels from clean to noisy, picked evenly on a grid of ``grid`` points, ends included.

    Raises:
        LevelError: when the range is empty or has fewer grid points than levels.
    """
    if not high > low or not 2 <= count <= grid:
        raise LevelError(
            f"A level range needs high > low and 2 <= count <= grid; got high={high}, low={low}, "
            f"count={count}, grid={grid}."
        )
    points = np.linspace(high, low, grid)
    return [float(points[i]) for i in np.rint(np.linspace(0, grid - 1, count)).astype(int)]


def out_of_reach(schedule: Schedule, lams: list[float]) -> list[str]:
    """One sentence for each requested level that the schedule misses, naming the nearest reachable one."""
    low, high = schedule.reach
    return [
        f"lam = {lam:g} is out of the backbone's reach ({low:.2f} to {high:.2f}); "
        f"the nearest reachable level, lam = {schedule.match(lam).lam:.2f}, stands in for it."
        for lam in lams
        if not low - REACH_TOLERANCE <= lam <= high + REACH_TOLERANCE
    ]


def check_request(lam: float, alignment: str) -> None:
    """LevelError for a log-SNR that is not finite, or an alignment that a schedule cannot decide."""
    if alignment in RELATIVE_ALIGNMENTS:
        raise LevelError(f"The alignment {alignment} compares with a reference backbone; name it with `reference`.")
    if alignment not in ALIGNMENTS:
        raise LevelError(f"The alignment must be one of {', '.join(ALIGNMENTS)}; got {alignment!r}.")
    if not math.isfinite(lam):
        raise LevelError(f"A level must be a finite log-SNR; got {lam!r}.")


def _fraction_and_lam(lam: float, reach: tuple[float, float]) -> tuple[float, float]:
    """Which fraction of the reach, from clean to noisy, a request stands at, and the request brought inside it."""
    low, high = reach
    achieved = min(max(float(lam), low), high)
    return (high - achieved) / (high - low), achieved
