"""How far a set of images lies from ID-train in snapshot space, cell by cell, from stored moments alone (theory 36)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.scoring import Moments, mean_per_tap


def distances(
    found: Moments,
    reference: Moments,
    columns: Mapping[str, slice],
    images: tuple[int, int],
    independent: tuple[int, int] | None = None,
) -> np.ndarray:
    """Squared Frechet distance per feature between two sets as diagonal Gaussians, less what chance adds (theory 36).

    Args:
        found: moments of the set. reference: of ID-train, whose variance is the unit.
        columns: tap -> its slice of the features.
        images: of the set and of the reference; each has so many whole draws.
        independent: images or groups of them that count as independent (theory 28); without, the images.

    Returns:
        float64 (level, tap): 0 for two samples of one distribution, and then as often below 0 as above; NaN where a set
        has fewer than two independent images.

    Raises:
        ScoreError: the two differ in levels or features, or a set counts no whole number of draws.
    """
    if found.mean.shape != reference.mean.shape:
        raise ScoreError(f"Two sets must have the same cells. Got {found.mean.shape} and {reference.mean.shape}.")
    unit = reference.variance
    apart = (found.mean - reference.mean) ** 2 + (np.sqrt(found.variance) - np.sqrt(unit)) ** 2
    sets = zip((found, reference), images, independent or images, strict=True)
    return mean_per_tap((apart - sum(_by_chance(*each) for each in sets)) / unit, columns)


def _by_chance(moments: Moments, images: int, independent: int) -> np.ndarray:
    """Variance of a set's mean plus that of its standard deviation, (level, feature); the latter as of normal features.

    The draws of an image are one image: what varies between images (B, of an image's mean over its draws) and within
    (W) is told apart.
    """
    if images < 1 or moments.count % images:
        raise ScoreError(f"{moments.count} samples are no whole number of draws of {images} images.")
    if min(images, independent) < 2:
        return np.full_like(moments.mean, np.nan)
    draws = moments.count // images
    between = moments.m2_between / draws / (images - 1)
    within = moments.m2_within / (images * (draws - 1)) if draws > 1 else np.zeros_like(between)
    share = (draws - 1) / draws
    of_variance = 2 * between**2 / (independent - 1)
    if draws > 1:
        of_variance = of_variance + 2 * (share * within) ** 2 / (independent * (draws - 1))
    return between / independent + of_variance / (4 * moments.variance)
