"""How far a set of images lies from ID-train in snapshot space, cell by cell, from stored moments alone (theory 37)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.scoring import Moments, mean_per_tap


def distances(
    found: Moments,
    reference: Moments,
    columns: Mapping[str, slice],
    images: tuple[int, int],
    independent: tuple[int, int] | None = None,
) -> np.ndarray:
    """Squared Frechet distance per feature between two sets as diagonal Gaussians, less what chance adds (theory 37).

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
    sets = zip((found, reference), images, independent or images, strict=True)
    (spread, chance), (own_spread, own_chance) = (_spread(*each) for each in sets)
    apart = (found.mean - reference.mean) ** 2 + (spread - own_spread) ** 2
    return mean_per_tap((apart - chance - own_chance) / reference.variance, columns)


def _spread(moments: Moments, images: int, independent: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of a set's features without its bias, and what chance adds to a distance: (level, feature).

    Chance is the variance of the mean plus that of the standard deviation; the latter, and the bias, as of normal
    features. The draws of an image are one image: what varies between images (B, of an image's mean over its draws) and
    within (W) is told apart.
    """
    if images < 1 or moments.count % images:
        raise ScoreError(f"{moments.count} samples are no whole number of draws of {images} images.")
    if min(images, independent) < 2:
        missing = np.full_like(moments.mean, np.nan)
        return missing, missing
    draws = moments.count // images
    between = moments.m2_between / moments.count * (independent / (independent - 1))
    total, of_total = between, 2 * between**2 / (independent - 1)
    if draws > 1:
        within = moments.m2_within / moments.count  # (M - 1) / M of the variance of single draws
        total = total + within
        of_total = of_total + 2 * within**2 / (independent * (draws - 1))
    total = np.maximum(total, VARIANCE_FLOOR)
    of_spread = of_total / (4 * total)
    return np.sqrt(total) + of_spread / (2 * np.sqrt(total)), between / independent + of_spread
