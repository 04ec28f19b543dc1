"""Densities of the statistics that a likelihood is made of (docs/detectors.md)."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.detectors.densities import KernelDensity, varying
from cfs_explore.detectors.likelihood import TERMS, Terms


class DoSE(Terms):
    """-sum_k log p_k over ||e - eps||^2, ||eps|| and ||x0h - x0|| of each level, a kernel density each.

    The original has statistics of other generative models. log T of SCOPED, which would need Jacobians, is left out.
    The first and the last statistic are powers of each other, times a number: both count.
    """

    title = "DoSE"
    paper = "Morningstar et al. 2021 (arXiv 2006.09273)"
    variant = "original, with a diffusion network's statistics"
    meaning = "Several statistics of the network's answers are rare among ID images, too large or too small."

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """(draw, image, 3 levels)."""
        terms = self.terms(z)
        found = np.concatenate([terms[..., :1], np.sqrt(terms[..., 1:])], axis=3)
        return found.reshape(*terms.shape[:2], -1)

    def fit(self, z_train: np.ndarray) -> Self:
        """Fit the densities to ID-train readings, every draw a row; use images that no other model was fitted to."""
        rows = self.statistics(z_train).reshape(-1, TERMS * len(self.lams_))
        self.densities_ = [KernelDensity().fit(column) for column in varying(rows).T]
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), mean over draws."""
        densities, found = self.fitted("densities_"), self.statistics(z)
        logs = [density.log_density(found[..., k].ravel()) for k, density in enumerate(densities)]
        return -np.sum(logs, axis=0).reshape(found.shape[:2]).mean(axis=0)
