"""Levels of Score-SDE that no other family has: indexed sigmas, and the sub-VP SDE (Song et al. 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cfs_explore.contracts import Level
from cfs_explore.levels import ContinuousVP, check_request


@dataclass(frozen=True)
class DiscreteVE:
    """Variance-exploding noise on a grid (SMLD): a = 1, b = sigma_i, lam = -2 ln sigma_i; the native level is i.

    Attributes:
        sigmas: sigma_i, (N,), decreasing.
    """

    sigmas: np.ndarray

    def __str__(self) -> str:
        return f"discrete variance exploding, {len(self.sigmas)} levels"

    @property
    def reach(self) -> tuple[float, float]:
        return -2.0 * math.log(self.sigmas[0]), -2.0 * math.log(self.sigmas[-1])

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """Snap to the nearest native level; these are evenly spaced in lam, so that both alignments agree."""
        check_request(lam, alignment)
        index = int(np.argmin(np.abs(-2.0 * np.log(self.sigmas) - lam)))
        sigma = float(self.sigmas[index])
        return Level(float(lam), -2.0 * math.log(sigma), 1.0, sigma, float(index))


@dataclass(frozen=True)
class ContinuousSubVP:
    """Sub-VP SDE with linear beta: a = sqrt(abar), b = 1 - abar, abar(t) and the native t as in ``ContinuousVP``.

    With lam' = ln(abar / (1 - abar)) of the VP SDE at the same time, lam = 2 lam' + ln(1 + exp(-lam')), and
    lam' = lam / 2 - asinh(exp(-lam / 2) / 2).
    """

    beta_min: float
    beta_max: float
    t_min: float

    def __str__(self) -> str:
        return f"continuous sub-VP, beta {self.beta_min:g} to {self.beta_max:g}"

    @property
    def reach(self) -> tuple[float, float]:
        return tuple(2.0 * lam + math.log1p(math.exp(-lam)) for lam in self._vp.reach)

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """Hit lam exactly inside the trained range, else its nearest end."""
        check_request(lam, alignment)
        low, high = self.reach
        inside = min(max(float(lam), low), high)
        if alignment == "uniform_t":
            start, end = self._vp.reach
            vp_lam = end - (high - inside) / (high - low) * (end - start)
        else:
            vp_lam = inside / 2.0 - math.asinh(math.exp(-inside / 2.0) / 2.0)
        same_time = self._vp.match(vp_lam, alignment)
        a, b = same_time.a, same_time.b**2
        return Level(float(lam), 2.0 * math.log(a / b), a, b, same_time.native)

    @property
    def _vp(self) -> ContinuousVP:
        return ContinuousVP(self.beta_min, self.beta_max, self.t_min)
