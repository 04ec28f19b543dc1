"""How alike a tap's maps are at two levels, and what reusing an encoder costs (theory 34).

After Faster Diffusion (arXiv 2312.09608), whose Delta is here beside measures that do not depend on a tap's scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.bootstrap import SD_RESAMPLES
from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level
from cfs_explore.diagnostics.drift import log_mean_interval
from cfs_explore.diagnostics.groups import Members, set_weights
from cfs_explore.diagnostics.intervals import limited, z_of

#: 1 - CKA below this is none.
_ALIKE = 1e-12


def inner_products(maps: np.ndarray) -> np.ndarray:
    """h_i . h_j of every image and pair of levels.

    Args:
        maps: of one tap, float (K, n, numbers).

    Returns:
        float64 (n, K, K).
    """
    found = np.empty((maps.shape[1], len(maps), len(maps)))
    for image in range(maps.shape[1]):
        h = maps[:, image].astype(np.float64)
        found[image] = h @ h.T
    return found


def linear_cka(maps: np.ndarray) -> np.ndarray:
    """Linear centred kernel alignment of every pair of levels (Kornblith et al. 2019).

    ||X'Y||_F^2 / (||X'X||_F ||Y'Y||_F), X and Y the maps (n, numbers) about their means over images, from their inner
    products between images. With fewer images than numbers it is biased towards 1: compare it at equal n only.

    Args:
        maps: of one tap, float (K, n, numbers).

    Returns:
        float64 (K, K), 0 to 1; NaN for a level at which all images are alike, and for one image.
    """
    return _alignment(_grams(maps).reshape(len(maps), -1))


def cka_limits(
    maps: np.ndarray,
    groups: Members | None = None,
    *,
    resamples: int = SD_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ``linear_cka`` under other images: normal on ln(1 - CKA), its deviation that of resampled images (29).

    Not the percentiles of the resamples: an image that is drawn twice is like itself, which raises them all. What is
    bounded is the CKA of as many images as these, with its bias towards 1.

    Args:
        maps: as for ``linear_cka``.
        groups: of the images (theory 28), drawn whole.
        resamples, seed: of the bootstrap.

    Returns:
        float64 (K, K) each, from 0 to 1; NaN where CKA is, and for a single group. Resamples of one image
        alone, which few images make likely, are left out.
    """
    require_level(level)
    grams, drawn = _grams(maps), set_weights(groups, maps.shape[1], resamples, np.random.default_rng(seed))
    value, (total, squares) = _alignment(grams.reshape(len(grams), -1)), np.zeros((2, len(grams), len(grams)))
    drawn = [weights for weights in drawn if np.count_nonzero(weights) > 1]  # one image alone has no CKA
    for weights in drawn:
        means = grams @ (weights / len(weights))  # (K, n)
        about = grams - means[:, :, None] - means[:, None, :] + (means @ weights / len(weights))[:, None, None]
        root = np.sqrt(weights)
        away = np.log(np.maximum(1 - _alignment((about * root[:, None] * root).reshape(len(grams), -1)), _ALIKE))
        total, squares = total + away, squares + away**2
    count = max(len(drawn), 1)
    variance = np.maximum(squares / count - (total / count) ** 2, 0) * count / max(count - 1, 1)
    factor = np.exp(z_of(level) * np.sqrt(variance))
    if len(drawn) < 2 or (groups is not None and groups.count < 2):
        factor = np.full_like(factor, np.nan)
    return np.clip(1 - (1 - value) * factor, 0, 1), np.clip(1 - (1 - value) / factor, 0, 1)


def _grams(maps: np.ndarray) -> np.ndarray:
    """Inner products between images about their mean, level by level, (K, n, n)."""
    grams = np.empty((len(maps), maps.shape[1], maps.shape[1]))
    for k, of_level in enumerate(maps):
        centred = of_level.astype(np.float64)
        centred -= centred.mean(axis=0)
        grams[k] = centred @ centred.T
    return grams


def _alignment(flat: np.ndarray) -> np.ndarray:
    """Cosines between Gram matrices (K, numbers), (K, K); NaN for one that is 0."""
    products = flat @ flat.T
    norms = np.sqrt(np.diag(products))
    scale = np.outer(norms, norms)
    return np.divide(products, scale, out=np.full(products.shape, np.nan), where=scale > 0)


def sharing_table(
    inner: np.ndarray,
    cka: Sequence[np.ndarray],
    sizes: Sequence[int],
    levels: Sequence[Level],
    taps: Sequence[Tap],
    *,
    groups: Members | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Every tap at every pair of levels.

    Delta = ||h_i - h_j||^2 / numbers; Delta_rel = ||h_i - h_j||^2 / (||h_i||^2 / 2 + ||h_j||^2 / 2), 0 where both are
    0; cosine = h_i . h_j / (||h_i|| ||h_j||). Each is a mean over images.

    Args:
        inner: ``inner_products`` of every tap, (n, T, K, K).
        cka: ``linear_cka`` of every tap and its two ``cka_limits``, (T, K, K) each.
        sizes: numbers of a map, (T,).
        levels: the K levels, clean to noisy. taps: the T taps. groups: of the images (theory 28).

    Returns:
        K (K - 1) / 2 x T rows: the table ``sharing`` (``studies.sharing``). The limits of what is never negative are
        normal on the logarithm, those of a cosine from 1 - cosine; NaN for one image.

    Raises:
        ScoreError: another shape, no image, NaN or infinity.
    """
    require_level(level)
    inner = np.asarray(inner, dtype=np.float64)
    count, expected = len(levels), (len(taps), len(levels), len(levels))
    if inner.ndim != 4 or inner.shape[1:] != expected or not len(inner):
        raise ScoreError(f"inner must have shape (n_images, {expected}). Got {inner.shape} instead.")
    require_finite(inner, "inner")
    squares = np.diagonal(inner, axis1=2, axis2=3)  # (n, T, K)
    parts = []
    for i in range(count):
        for j in range(i + 1, count):
            one, other, product = squares[..., i], squares[..., j], inner[..., i, j]
            apart = np.maximum(one + other - 2 * product, 0.0)
            mean = (one + other) / 2
            norms = np.sqrt(one * other)
            cosine = np.divide(product, norms, out=np.full(norms.shape, np.nan), where=norms > 0)
            measures = {
                "delta": apart / np.asarray(sizes),
                "delta_rel": np.divide(apart, mean, out=np.zeros_like(apart), where=mean > 0),
            }
            columns = {}
            for name, values in measures.items():
                columns |= limited(name, *log_mean_interval(values, groups, level))
            away, lo, hi = log_mean_interval(np.maximum(1 - cosine, 0.0), groups, level)
            columns |= limited("cosine", 1 - away, 1 - hi, 1 - lo) | limited("cka", *(part[:, i, j] for part in cka))
            parts.append(_tap_columns(taps).assign(**_pair("", i, levels), **_pair("other_", j, levels), **columns))
    return pd.concat(parts, ignore_index=True).assign(n_id=len(inner))


def reuse_table(
    errors: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    levels: Sequence[Level],
    saved: float,
    *,
    why_not: str = "",
    groups: Members | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """What an estimate at one level loses with the encoder's work of another.

    Args:
        errors: ||eps_reuse - eps||^2 / ||eps||^2, (n, P); n images of NaN where the network does not allow it.
        pairs: (level of the encoder, level of the decoder), P of them.
        levels: the K levels.
        saved: share of a forward's work that is not done again.
        why_not: why there are no numbers.
        groups: of the images (theory 28).

    Returns:
        P rows: the table ``reuse`` (``studies.sharing``); limits as of Delta.
    """
    require_level(level)
    mean, lo, hi = log_mean_interval(np.asarray(errors, dtype=np.float64), groups, level)
    rows = [_pair("", j, levels) | _pair("encoder_", i, levels) for i, j in pairs]
    return pd.DataFrame(rows).assign(
        error=mean, lo=lo, hi=hi, saved=np.nan if why_not else saved, n_id=len(errors), note=why_not
    )


def _tap_columns(taps: Sequence[Tap]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tap": [tap.name for tap in taps],
            "tap_index": range(len(taps)),
            "region": [tap.region for tap in taps],
            "depth": [tap.depth for tap in taps],
        }
    )


def _pair(prefix: str, position: int, levels: Sequence[Level]) -> dict:
    """Columns of one of the two levels."""
    found = levels[position]
    return {f"{prefix}level": position, f"{prefix}lam": found.lam, f"{prefix}requested": found.requested}
