"""Which encoder and decoder tap to read: the paper's structural policy and its ID-reliability policy.

Source: arXiv 2605.11014, section on sparse snapshots, as its published code chooses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cfs_explore.contracts import VARIANCE_FLOOR, Tap
from cfs_explore.errors import TapError

POLICIES = {
    "sparse_ed": "The paper's structural choice: the last block of the lowest resolution short of the bottleneck.",
    "sparse_ed_id": "The paper's data-driven choice: of four structural candidates a side, the most repeatable on ID.",
    "manual": "Taps that you name.",
}

#: How many candidates a side are probed by ``sparse_ed_id``.
MAX_CANDIDATES = 4

_CANDIDATE_KINDS = {"encoder": ("conv", "resnet", "downsampler", "block"), "decoder": ("resnet", "block")}


def structural_order(taps: Sequence[Tap], region: str) -> list[Tap]:
    """Candidates of one side of the bottleneck, best first, by position alone.

    Encoder: blocks above the lowest resolution, from low to high resolution, the last block of each first; then
    the rest. Decoder: blocks below the highest resolution, from high to low, the last block of each first.

    Args:
        taps: all taps in execution order.
        region: "encoder" (``conv_in`` counts as one) or "decoder".
    """
    regions = ("input", "encoder") if region == "encoder" else (region,)
    pool = [t for t in taps if t.region in regions and t.kind in _CANDIDATE_KINDS[region]]
    if not pool:
        raise TapError(f"The backbone has no {region} blocks to choose from; name the taps by hand.")
    if region == "encoder":
        bound = min(t.resolution for t in pool)
        preferred = [t for t in pool if t.resolution > bound] or pool
    else:
        bound = max(t.resolution for t in pool)
        preferred = [t for t in pool if t.resolution < bound] or pool
    resolutions = sorted({t.resolution for t in preferred}, reverse=region == "decoder")
    order = [t for r in resolutions for t in reversed(preferred) if t.resolution == r]
    return order + [t for t in pool if t not in order]


def reliability_ranking(names: Sequence[str], features: Mapping[str, np.ndarray]) -> list[str]:
    """Taps by between-image over within-image variance of ID snapshots, best first.

    Args:
        names: candidate taps.
        features: tap -> (levels, draws, images, 2C), at least two draws.
    """
    ratios = {}
    for name in names:
        z = np.asarray(features[name], dtype=np.float64).mean(axis=0)  # (draw, image, feature)
        between = z.mean(axis=0).var(axis=0).mean()
        within = z.var(axis=0).mean()
        ratios[name] = between / (within + VARIANCE_FLOOR)
    return sorted(names, key=lambda name: -ratios[name])


def choose_taps(
    taps: Sequence[Tap],
    policy: str = "sparse_ed",
    *,
    features: Mapping[str, np.ndarray] | None = None,
    manual: Sequence[str] = (),
) -> list[str]:
    """The taps of CFS(1x2): one encoder tap, one decoder tap.

    Args:
        taps: all taps in execution order.
        policy: a key of ``POLICIES``.
        features: for ``sparse_ed_id``, ID-train snapshots of every tap in ``candidates(taps)``.
        manual: for ``manual``, the names.

    Raises:
        TapError: for an unknown policy or tap, or missing features.
    """
    if policy == "manual":
        unknown = sorted(set(manual) - {t.name for t in taps})
        if unknown or not manual:
            raise TapError(f"Name taps that the backbone has; unknown: {', '.join(unknown) or 'none was named'}.")
        return list(manual)
    if policy not in POLICIES:
        raise TapError(f"The tap policy must be one of {', '.join(POLICIES)}; got {policy!r}.")
    chosen = []
    for region in ("encoder", "decoder"):
        order = [t.name for t in structural_order(taps, region)]
        if policy == "sparse_ed_id":
            if features is None:
                raise TapError("The policy sparse_ed_id needs ID-train snapshots with at least two draws.")
            order = reliability_ranking(order[:MAX_CANDIDATES], features)
        chosen.append(order[0])
    return chosen


def candidates(taps: Sequence[Tap]) -> list[str]:
    """The taps that ``sparse_ed_id`` needs snapshots of."""
    return [t.name for region in ("encoder", "decoder") for t in structural_order(taps, region)[:MAX_CANDIDATES]]
