"""Two simulated scores, of an encoder and a decoder tap: what each separates, alone, averaged, and combined best.

ID scores are normal with mean 0 and covariance S_ID, OOD scores normal with mean delta and covariance S_OOD =
ratio S_ID. A weighted sum w's is normal too, so its AUROC is (13) exactly. With S = (S_ID + S_OOD) / 2 that is
Phi(sqrt(D2_w / 2)), D2_w = (w'delta)^2 / (w'S w), where w'delta > 0: the order of the distances (5) to (7) is the
order of the AUROCs, and averaging hurts exactly where D2_avg falls below the better tap's own distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.joint_separability import separability
from cfs_explore.diagnostics.predicted_auroc import normal_prediction

#: Ways to make one score of two.
COMBINATIONS = ("encoder", "decoder", "average", "best")


@dataclass(frozen=True)
class SimulatedPair:
    """Settings of two scores.

    Attributes:
        shift_e, shift_d: mean of the OOD scores (ID: 0).
        sd_e, sd_d: standard deviations of the ID scores, > 0.
        correlation: of the two scores within a class, in (-1, 1).
        variance_ratio: variance of the OOD scores, ID = 1.
    """

    shift_e: float = 1.0
    shift_d: float = 1.0
    sd_e: float = 1.0
    sd_d: float = 1.0
    correlation: float = 0.0
    variance_ratio: float = 1.0

    def __post_init__(self):
        allowed = {
            "shift_e": ("finite", np.isfinite(self.shift_e)),
            "shift_d": ("finite", np.isfinite(self.shift_d)),
            "sd_e": ("positive", 0 < self.sd_e < np.inf),
            "sd_d": ("positive", 0 < self.sd_d < np.inf),
            "correlation": ("in (-1, 1)", -1 < self.correlation < 1),
            "variance_ratio": ("positive", 0 < self.variance_ratio < np.inf),
        }
        for name, (rule, holds) in allowed.items():
            if not holds:
                raise ScoreError(f"{name} must be {rule}. Got {getattr(self, name)!r} instead.")

    @property
    def delta(self) -> np.ndarray:
        """E_OOD - E_ID of (encoder, decoder), (2,)."""
        return np.array([self.shift_e, self.shift_d], dtype=np.float64)

    @property
    def id_covariance(self) -> np.ndarray:
        """S_ID, (2, 2)."""
        off = self.correlation * self.sd_e * self.sd_d
        return np.array([[self.sd_e**2, off], [off, self.sd_d**2]], dtype=np.float64)

    @property
    def covariance(self) -> np.ndarray:
        """S = (S_ID + S_OOD) / 2, (2, 2)."""
        return self.id_covariance * (1 + self.variance_ratio) / 2

    @property
    def weights(self) -> np.ndarray:
        """Of (encoder, decoder) in each of ``COMBINATIONS``, (4, 2); the best is S^-1 delta, scaled to |w| sum 1."""
        best = np.linalg.solve(self.covariance, self.delta)
        total = np.abs(best).sum()
        return np.array([[1, 0], [0, 1], [0.5, 0.5], best / total if total else best])


def sample_pair(pair: SimulatedPair, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw (encoder, decoder) scores of n ID and n OOD images, (n, 2) each; a seed's random numbers stay the same."""
    if n < 1:
        raise ScoreError(f"n must be at least 1. Got {n} instead.")
    root = np.linalg.cholesky(pair.id_covariance)
    own = [np.random.default_rng([seed, kind]).standard_normal((n, 2)) @ root.T for kind in (0, 1)]
    return own[0], pair.delta + np.sqrt(pair.variance_ratio) * own[1]


def pair_detectors(pair: SimulatedPair, id_scores: np.ndarray, ood_scores: np.ndarray) -> pd.DataFrame:
    """AUROC of each combination, exact and in a sample.

    Args:
        id_scores: (n_id, 2). ood_scores: (n_ood, 2), as of ``sample_pair``.

    Returns:
        One row per combination: combination, weight_e, weight_d, exact, auroc, lo, hi (DeLong, 95 %), n_id, n_ood.
    """
    weights = pair.weights
    value, var = delong(weights @ id_scores.T, weights @ ood_scores.T)
    lo, hi = auroc_interval(value, var, len(id_scores), len(ood_scores))
    return pd.DataFrame(
        {
            "combination": COMBINATIONS,
            "weight_e": weights[:, 0],
            "weight_d": weights[:, 1],
            "exact": _exact(pair),
            "auroc": value,
            "lo": lo,
            "hi": hi,
            "n_id": len(id_scores),
            "n_ood": len(ood_scores),
        }
    )


def pair_curve(pair: SimulatedPair, setting: str, values: Sequence[float]) -> pd.DataFrame:
    """Exact distances and AUROCs while one setting moves and the others stay (theory 5 to 7).

    Args:
        pair: the other settings.
        setting: name of a field of ``SimulatedPair``. values: what it becomes.

    Returns:
        One row per value: the setting; d2, d2_e, d2_d, d2_avg, gain_d (of the decoder given the encoder), gain_e;
        auroc_encoder, auroc_decoder, auroc_average, auroc_best; hurts (the average is worse than the better tap alone).
    """
    pairs = [replace(pair, **{setting: value}) for value in values]
    if not pairs:
        raise ScoreError("A curve needs at least one value.")
    parts = separability(np.stack([p.delta for p in pairs]), np.stack([p.covariance for p in pairs]))
    aurocs = np.stack([_exact(p) for p in pairs], axis=1)
    frame = pd.DataFrame({setting: list(values)}).assign(
        d2=parts.d2,
        d2_e=parts.alone_e**2,
        d2_d=parts.alone_d**2,
        d2_avg=parts.average**2,
        gain_d=parts.shift_d**2,
        gain_e=parts.shift_e**2,
        **{f"auroc_{name}": row for name, row in zip(COMBINATIONS, aurocs, strict=True)},
    )
    better = np.maximum(parts.alone_e, parts.alone_d)  # signed: a tap that ranks the wrong way round is no detector
    return frame.assign(hurts=parts.average < better - 1e-12)


def _exact(pair: SimulatedPair) -> np.ndarray:
    """AUROC of each combination, (4,)."""
    weights = pair.weights
    variance = np.einsum("ci,ij,cj->c", weights, pair.id_covariance, weights)
    return normal_prediction(weights @ pair.delta, variance, pair.variance_ratio * variance)
