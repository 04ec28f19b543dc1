"""Densities of ID-train's statistics: a kernel density in one dimension, and mixtures whose size the data choose.

A score -log p(statistic) is two-sided: statistics that are unusually small are as rare as large ones, so an image that
the network knows too well scores high, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np

from cfs_explore.errors import CFSError
from cfs_explore.heads.protocol import STD_FLOOR, FeatureError, Standardiser, scoring_features, training_features

#: Values that spread less than this share of their magnitude are one value: readings are float32.
SAME = 1e-7

#: Kernels that are in memory at a time.
_AT_ONCE = 4_000_000


class KernelDensity:
    """A Gaussian kernel density of one statistic, by logsumexp, so that far values keep their order.

    Args:
        bandwidth: None is Silverman's 0.9 min(std, IQR / 1.34) n^(-1/5); a number is in the statistic's own unit.

    Attributes:
        values_: ID-train's, (n,).
        bandwidth_: in the statistic's own unit.
    """

    def __init__(self, bandwidth: float | None = None):
        if bandwidth is not None and not bandwidth > 0:
            raise CFSError(f"bandwidth must be a positive number, or None for Silverman's. Got {bandwidth} instead.")
        self.bandwidth = bandwidth

    def fit(self, values: np.ndarray) -> Self:
        """Learn from ID-train's values (n >= 2,).

        Raises:
            FeatureError: fewer than 2, not finite, or all the same where Silverman's bandwidth is asked for.
        """
        values = training_features(np.asarray(values, dtype=np.float64).reshape(-1, 1), minimum=2)[:, 0]
        self.bandwidth_ = silverman(values) if self.bandwidth is None else float(self.bandwidth)
        self.values_ = values
        return self

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """log p of values (n,), float64 (n,)."""
        if "values_" not in vars(self):
            raise FeatureError("This KernelDensity is not fitted. Call fit(values of ID-train) first.")
        values = np.asarray(values, dtype=np.float64).reshape(-1)
        if not np.isfinite(values).all():
            raise FeatureError(f"Statistics must be finite. {(~np.isfinite(values)).sum()} of {values.size} are not.")
        found = np.empty(values.size)
        size = max(1, _AT_ONCE // self.values_.size)
        for start in range(0, values.size, size):
            part = slice(start, start + size)
            exponents = -0.5 * ((values[part, None] - self.values_) / self.bandwidth_) ** 2  # (part, n)
            top = exponents.max(axis=1, keepdims=True)
            found[part] = top[:, 0] + np.log(np.exp(exponents - top).sum(axis=1))
        return found - np.log(self.values_.size * self.bandwidth_ * np.sqrt(2 * np.pi))


def silverman(values: np.ndarray) -> float:
    """0.9 min(std, IQR / 1.34) n^(-1/5) of values (n,); the std alone where half of the values are one.

    Raises:
        FeatureError: all values are the same, so that there is no width.
    """
    spread = varying(values).std()
    quartiles = np.percentile(values, [75, 25])
    iqr = (quartiles[0] - quartiles[1]) / 1.34
    return 0.9 * float(min(spread, iqr) if iqr > 0 else spread) * values.size ** (-0.2)


def varying(values: np.ndarray) -> np.ndarray:
    """The values (n,), or (n, d), themselves.

    Raises:
        FeatureError: a column is the same for all images, so that nothing can be measured in its unit.
    """
    spread, size = np.ptp(values, axis=0), np.abs(values).max(axis=0)
    same = np.flatnonzero(spread <= SAME * size)
    if same.size:
        which = f"Statistic {same[0]}" if values.ndim > 1 else "The statistic"
        raise FeatureError(
            f"{which} is the same for all {len(values)} ID-train images ({np.ravel(values[0])[same[0]]:.6g}): "
            "it has no spread to compare others with. Use ID images that differ."
        )
    return values


class MixtureDensity:
    """A Gaussian mixture of standardised features; number of components and kind of covariance are chosen on ID-train.

    Deviations are 1e-6 larger than measured, as in the CFS paper's code.

    Args:
        components: numbers of Gaussians to choose from.
        covariances: kinds to choose from: full, tied, diag, spherical.
        choose: "cv", the largest mean log-likelihood of left-out folds (not shuffled), or "bic", the smallest.
        folds: of "cv".
        steps: of EM, at most.
        seed: of the k-means starts.

    Attributes:
        components_, covariance_: what was chosen.
    """

    def __init__(
        self,
        components: Sequence[int],
        *,
        covariances: Sequence[str] = ("full",),
        choose: str = "cv",
        folds: int = 10,
        steps: int = 100,
        seed: int = 0,
    ):
        self.components, self.covariances = tuple(int(n) for n in components), tuple(covariances)
        if not self.components or min(self.components) < 1:
            raise CFSError(f"components must be one or more numbers from 1 up. Got {components} instead.")
        self.choose, self.folds, self.steps, self.seed = choose, folds, steps, seed

    def fit(self, features: np.ndarray) -> Self:
        """Choose and fit on ID-train features (n, d).

        Raises:
            FeatureError: fewer images than the largest mixture needs (in what is left when a fold is left out), or a
                feature that is the same for all images.
        """
        most = max(self.components)
        values = varying(training_features(features, minimum=2))
        alone = len(self.components) * len(self.covariances) == 1
        left_out = -(-len(values) // self.folds) if self.choose == "cv" and not alone else 0
        if len(values) - left_out < most or (left_out and len(values) < self.folds):
            without = f" after one of {self.folds} folds is left out" if left_out else ""
            raise FeatureError(
                f"A mixture of {most} Gaussians needs at least {most} ID-train images{without}. "
                f"Got {len(values)} images, {len(values) - left_out} of them to fit on: use more, or give smaller "
                f"`components` than {', '.join(map(str, self.components))}."
            )
        self.standardiser_ = Standardiser(values.mean(axis=0), values.std(axis=0) + STD_FLOOR)
        self.n_features_ = values.shape[1]
        values = self.standardiser_(values)
        options = [(kind, n) for kind in self.covariances for n in self.components]
        best = options[0] if alone else max(options, key=lambda option: self._worth(values, *option))
        self.covariance_, self.components_ = best
        self.mixture_ = self._mixture(values, *best)
        return self

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """log p of features (n, d), in standard units, float64 (n,)."""
        return self.mixture_.score_samples(self.standardiser_(scoring_features(features, self)))

    def _mixture(self, values: np.ndarray, kind: str, components: int):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(components, covariance_type=kind, max_iter=self.steps, random_state=self.seed)
        with warnings.catch_warnings():  # the published fits stop after so many steps, too
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mixture.fit(values)

    def _worth(self, values: np.ndarray, kind: str, components: int) -> float:
        if self.choose == "bic":
            return -self._mixture(values, kind, components).bic(values)
        found = []
        for out in np.array_split(np.arange(len(values)), self.folds):
            found.append(self._mixture(np.delete(values, out, axis=0), kind, components).score(values[out]))
        return float(np.mean(found))
