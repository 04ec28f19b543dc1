"""What averaging two taps is worth, for every pair, and whether the best pairs straddle the bottleneck (theory 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.contracts import Tap
from cfs_explore.diagnostics.checks import ScoreError, score_rows
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.parallel import blocks

#: Averaged scores in memory at a time.
_BLOCK = 1 << 23
#: Which side of the bottleneck a region is on; the middle is on neither.
SIDES = {"input": -1, "encoder": -1, "middle": 0, "decoder": 1, "output": 1}

PAIR_COLUMNS = ("tap_a", "tap_b", "auroc", "gain", "best_single", "straddles", "n_id", "n_ood")


class StraddleShare(NamedTuple):
    """How many of the top pairs straddle the bottleneck.

    Attributes:
        share: of the top pairs.
        expected: of all pairs, which is what drawing pairs at random gives.
        lo, hi: 95 % range of the share when the taps' sides are shuffled among the taps.
        p_value: share of those shuffles that reach at least ``share``.
        top, pairs: numbers of top pairs and of all pairs.
    """

    share: float
    expected: float
    lo: float
    hi: float
    p_value: float
    top: int
    pairs: int


def pair_gain(id_scores: np.ndarray, ood_scores: np.ndarray, taps: Sequence[Tap]) -> pd.DataFrame:
    """AUROC of the average of every two taps' scores at one level, and its gain over the better one alone.

    Args:
        id_scores: (T, n_id), slot scores of the T taps. ood_scores: (T, n_ood). taps: the T taps, in order.

    Returns:
        T (T - 1) / 2 rows, tap_a before tap_b in the order of the taps: the columns of ``pair_gain``
        (``studies.complementarity``) from tap_a on.

    Raises:
        ScoreError: shapes that do not match, an empty class, NaN or infinity.
    """
    id_rows, ood_rows = score_rows(id_scores, ood_scores)
    if len(taps) != len(id_rows):
        raise ScoreError(f"The scores have {len(id_rows)} taps. Got {len(taps)} taps instead.")
    first, second = np.triu_indices(len(taps), k=1)
    single = delong(id_rows, ood_rows).auroc
    n_id, n_ood = id_rows.shape[1], ood_rows.shape[1]
    pair = np.empty(first.size)
    for rows in blocks(first.size, max(1, _BLOCK // (n_id + n_ood))):
        a, b = first[rows], second[rows]
        pair[rows] = delong(id_rows[a] + id_rows[b], ood_rows[a] + ood_rows[b]).auroc
    best = np.maximum(single[first], single[second])
    side = np.array([SIDES[tap.region] for tap in taps], dtype=int)
    names = np.array([tap.name for tap in taps], dtype=object)
    columns = (names[first], names[second], pair, pair - best, best, side[first] * side[second] < 0, n_id, n_ood)
    return pd.DataFrame(dict(zip(PAIR_COLUMNS, columns, strict=True)))


def straddle_share(
    pairs: pd.DataFrame, taps: Sequence[Tap], *, top: float = 0.05, shuffles: int = 2000, seed: int = 0
) -> StraddleShare | None:
    """Share of the pairs with the largest gain that straddle the bottleneck, against chance.

    Pairs share taps, so counting them as independent draws would claim too much: the range is that of
    shuffling the taps' sides among the taps, with the gains as they are. Pairs that tie with the last of the
    top ones belong to them.

    Args:
        pairs: rows of ``pair_gain`` of one OOD set and level. taps: the run's. top: share of the pairs.

    Returns:
        None where no pair can straddle, or there is none.
    """
    side = np.array([SIDES[tap.region] for tap in taps], dtype=int)
    if pairs.empty or not pairs["straddles"].any():
        return None
    index = {tap.name: position for position, tap in enumerate(taps)}
    first, second = (pairs[name].map(index).to_numpy() for name in ("tap_a", "tap_b"))
    gain = pairs["gain"].to_numpy()
    last = np.sort(gain)[::-1][max(1, round(top * gain.size)) - 1]
    chosen = gain >= last
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.tile(side, (shuffles, 1)), axis=1)
    by_chance = (shuffled[:, first[chosen]] * shuffled[:, second[chosen]] < 0).mean(axis=1)
    share = float(pairs["straddles"].to_numpy()[chosen].mean())
    lo, hi = np.quantile(by_chance, [0.025, 0.975])
    p_value = (1 + int((by_chance >= share - 1e-12).sum())) / (1 + shuffles)
    expected = float(pairs["straddles"].mean())
    return StraddleShare(share, expected, float(lo), float(hi), p_value, int(chosen.sum()), gain.size)
