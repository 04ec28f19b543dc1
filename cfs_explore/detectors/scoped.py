"""SCOPED: the score's squared norm over its divergence, of mean 1 on what the network learned (docs/detectors.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.densities import KernelDensity
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError
from cfs_explore.heads.protocol import FeatureError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.score_trace import ScoreTrace

#: A denominator b tr J below this share of ID-train's median size is set to it.
FLOOR = 1e-3


class SCOPED(ReadingDetector):
    """The largest of -log KDE(T) over its levels, T = ||eps||^2 / (b tr J).

    Squared norm and trace are averaged over draws before they form one ratio, since a trace of one probe may be
    negative. The paper's sign, in an appendix that could not be read, is offered in one reading of it.

    Args:
        lams: log-SNRs.
        probes: of Hutchinson's trace, +-1 each.
        sign: "none", or "sum": T times the sign of the sum of the score over pixels.
        jvp: how a probe's derivative is taken: "reverse", by a backward pass; "forward", by a forward-mode derivative,
            which is slower; "difference", by two forwards; "auto", the first of these that the network has. All three
            estimate the same v'Jv.
        draws: noise draws per image.

    Attributes:
        densities_: of T, a level each.
        floor_: smallest denominator that is believed, (level,).
        floored_: share of the ID-train images whose denominator was below it, (level,).
    """

    title = "SCOPED"
    paper = "arXiv 2510.01456"
    variant = "original; its sign left out"
    meaning = "The score's length does not fit its divergence, as it does on ID images."

    def __init__(
        self,
        *,
        lams: Sequence[float] = (10.8, 4.1),
        probes: int = 1,
        sign: str = "none",
        jvp: str = "auto",
        draws: int = 1,
    ):
        super().__init__(draws)
        if sign not in ("none", "sum"):
            raise CFSError(f"sign must be none or sum. Got {sign!r} instead.")
        if jvp not in ("auto", "reverse", "forward", "difference"):
            raise CFSError(f"jvp must be auto, reverse, forward or difference. Got {jvp!r} instead.")
        if probes < 1 or not len(lams):
            raise CFSError(f"probes and the number of lams must be at least 1. Got {probes} and {len(lams)} instead.")
        self.lams, self.probes, self.sign, self.jvp = tuple(map(float, lams)), int(probes), sign, jvp
        if sign == "sum":
            self.title, self.variant = f"{self.title}, signed", "original; its sign in one reading of it"

    def readings(self, backbone: Backbone) -> list[ScoreTrace]:
        """Raises CFSError where the network has no derivatives of the mode that was asked for."""
        from cfs_explore.readings.score_trace import ScoreTrace

        mode, _ = self._mode(backbone)
        return [ScoreTrace([backbone.match(lam) for lam in self.lams], self.probes, mode)]

    def _mode(self, backbone: Backbone) -> tuple[str, str]:
        """How derivatives are taken, and why not in reverse mode, where "auto" would rather have had that."""
        from cfs_explore.readings.score_trace import without_derivative

        if self.jvp == "difference":
            return self.jvp, ""
        whys = {}
        for mode in ("reverse", "forward") if self.jvp == "auto" else (self.jvp,):
            whys[mode] = without_derivative(backbone, mode)
            if not whys[mode]:
                return mode, whys.get("reverse", "")
        if self.jvp == "auto":
            return "difference", whys["reverse"]
        raise CFSError(
            f"{backbone.name} gives no derivative in {self.jvp} mode ({whys[self.jvp]}): "
            'use jvp="auto", or "difference".'
        )

    def notes(self, backbone: Backbone) -> list[str]:
        found, (mode, why) = super().notes(backbone), self._mode(backbone)
        if why:
            how = {
                "forward": "Forward-mode derivatives stand",
                "difference": "Central differences of two forwards stand",
            }
            found.append(f"{how[mode]} for a backward pass, which fails ({why}).")
        if "floored_" in vars(self) and self.floored_.any():
            shown = ", ".join(f"{share:.1%} at {lam:g}" for lam, share in zip(self.lams, self.floored_, strict=True))
            found.append(f"Share of ID-train images whose trace is below its floor: {shown}. More probes help.")
        return found

    def components(self, z: np.ndarray) -> np.ndarray:
        """||eps||^2, b tr J and the sum of eps, mean over draws, float64 (image, level, 3).

        Raises:
            FeatureError: readings of another shape.
        """
        z, width = np.asarray(z, dtype=np.float64), 3 * len(self.lams)
        if z.ndim != 3 or z.shape[2] != width:
            raise FeatureError(f"Readings must have shape (draw, image, {width}). Got {z.shape} instead.")
        return z.mean(axis=0).reshape(-1, len(self.lams), 3)

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """T, (image, level), with the denominator floored and the sign that was asked for."""
        if "floor_" not in vars(self):
            raise FeatureError(f"{self.name} is not fitted. Call fit(readings of ID-train) first.")
        square, trace, total = np.moveaxis(self.components(z), 2, 0)
        found = square / np.maximum(trace, self.floor_)
        return found * np.where(total < 0, -1.0, 1.0) if self.sign == "sum" else found

    def floored(self, z: np.ndarray) -> np.ndarray:
        """Share of the images whose denominator is below ``floor_``, (level,)."""
        return (self.components(z)[..., 1] < self.floor_).mean(axis=0)

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn the density of T from ID-train readings (draw, image, feature).

        Raises:
            FeatureError: the network's derivative is zero for most images at a level.
        """
        usual = np.median(np.abs(self.components(z_train)[..., 1]), axis=0)
        if not (usual > 0).all():
            raise FeatureError(
                "The Jacobian of the noise estimate is zero for half or more of the ID-train images at log-SNR "
                f"{self.lams[int(np.argmin(usual))]:g}: this network gives no gradient there. Use another level, or "
                "another backbone."
            )
        self.floor_ = FLOOR * usual
        self.floored_ = self.floored(z_train)
        self.densities_ = [KernelDensity().fit(column) for column in self.statistics(z_train).T]
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,)."""
        found = self.statistics(z)
        return np.max([-density.log_density(t) for density, t in zip(self.densities_, found.T, strict=True)], axis=0)


class SCOPEDSingle(SCOPED):
    """SCOPED at its middle level alone. Options as of ``SCOPED``."""

    title = "SCOPED, one level"
    trajectory = False

    def __init__(
        self,
        *,
        lams: Sequence[float] = (4.1,),
        probes: int = 1,
        sign: str = "none",
        jvp: str = "auto",
        draws: int = 1,
    ):
        super().__init__(lams=lams, probes=probes, sign=sign, jvp=jvp, draws=draws)
