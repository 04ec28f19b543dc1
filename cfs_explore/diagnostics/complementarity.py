"""Every number that says whether encoder and decoder know different things (theory 5 to 9), as one tidy table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.catches import GROUPS, catches, id_threshold
from cfs_explore.diagnostics.covariate_adjusted import adjusted_auroc
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.information import conditional_information
from cfs_explore.diagnostics.intervals import auroc_interval, limited
from cfs_explore.diagnostics.joint_separability import joint_separability, pair_features
from cfs_explore.diagnostics.metrics import paired_auroc_difference
from cfs_explore.diagnostics.parallel import thread_map

SCALES = ("s", "ln s")


def _with_limits(*names: str) -> list[str]:
    return [f"{name}{end}" for name in names for end in ("", "_lo", "_hi")]


#: The columns of ``complementarity``, in order.
COMPLEMENTARITY_COLUMNS = (
    *("pair", "scale"),
    *_with_limits("d2", "d2_e", "d2_d", "gain_d", "gain_e", "d2_avg", "realised", "shift_d", "shift_e"),
    *("avg_beats_e", "avg_beats_d"),
    *_with_limits("auroc_e", "auroc_d", "auroc_avg", "auroc_gain"),
    *("auroc_gain_p", "better"),
    *_with_limits("adjusted_d", "adjusted_e"),
    *("adjusted_d_n_id", "adjusted_d_n_ood", "adjusted_e_n_id", "adjusted_e_n_ood"),
    *_with_limits("bits_d", "bits_e"),
    *("loss_e", "loss_d", "threshold_e", "threshold_d", "threshold_avg"),
    *(f"caught_{group}" for group in GROUPS),
    *("n_id", "n_ood"),
)


def complementarity(
    id_e: np.ndarray,
    id_d: np.ndarray,
    ood_e: np.ndarray,
    ood_d: np.ndarray,
    *,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Theory (5) to (9) and the comparison of AUROCs, for many pairs of scores, with 95 % intervals.

    Args:
        id_e, id_d: (pairs, n_id), encoder and decoder slot scores of the same images. ood_e, ood_d:
            (pairs, n_ood).
        groups: of the images (theory 28); None where each is alone.
        resamples, seed: of the bootstrap of D2 and its like; the seed also draws the folds of (9).

    Returns:
        Two rows per pair, scale "s" and "ln s" (D2 and its like all NaN in the second where a score is not
        positive): pair (position), then the columns of ``complementarity`` (``studies.complementarity``) from scale
        on.

    Raises:
        ScoreError: shapes that do not match, an empty class, NaN or infinity.
    """
    options = {"groups": groups, "resamples": resamples, "seed": seed}
    scores, pairs = (id_e, id_d, ood_e, ood_d), range(len(id_e))
    pair_features(id_e, id_d, "ID")  # checks
    pair_features(ood_e, ood_d, "OOD")
    twice = [np.concatenate(each) for each in zip(scores, _logarithms(*scores), strict=True)]
    together = joint_separability(*twice, **options)
    both = [together[: len(id_e)], together[len(id_e) :].reset_index(drop=True)]
    single = thread_map(lambda k: _one_pair(id_e[k], id_d[k], ood_e[k], ood_d[k], groups), pairs)
    information = conditional_information(id_e, id_d, ood_e, ood_d, groups=groups, seed=seed)
    shared = pd.concat([_aurocs(id_e, id_d, ood_e, ood_d, groups), pd.DataFrame(single), information], axis=1)
    shared = shared.assign(n_id=id_e.shape[1], n_ood=ood_e.shape[1])
    parts = []
    for scale, frame in zip(SCALES, both, strict=True):
        keys = pd.DataFrame({"pair": list(pairs), "scale": scale})
        parts.append(pd.concat([keys, frame, shared], axis=1))
    frame = pd.concat(parts).sort_values("pair", kind="stable", ignore_index=True)
    return frame[list(COMPLEMENTARITY_COLUMNS)]


def _logarithms(*scores: np.ndarray) -> list[np.ndarray]:
    """ln s of scores (pairs, n); 0 for pairs with one that is not positive, whose separability is NaN then."""
    scores = [np.asarray(values, dtype=np.float64) for values in scores]
    positive = np.all([values.min(axis=1) > 0 for values in scores], axis=0)
    return [np.log(np.where(positive[:, None], values, 1.0)) for values in scores]


def _aurocs(id_e, id_d, ood_e, ood_d, groups: Groups | None) -> pd.DataFrame:
    """AUROC of both scores and of their average, with DeLong limits."""
    columns = {}
    averages = np.add(id_e, id_d, dtype=np.float64), np.add(ood_e, ood_d, dtype=np.float64)
    for name, rows in (("e", (id_e, ood_e)), ("d", (id_d, ood_d)), ("avg", averages)):
        value, var = delong(*rows, groups)
        lo, hi = auroc_interval(value, var, *independent(groups, rows[0].shape[1], rows[1].shape[1]))
        columns |= limited(f"auroc_{name}", value, lo, hi)
    frame = pd.DataFrame(columns)
    return frame.assign(better=np.where(frame["auroc_d"] > frame["auroc_e"], "decoder", "encoder"))


def _one_pair(id_e, id_d, ood_e, ood_d, groups: Groups | None) -> dict[str, float | int]:
    """Paired DeLong, adjusted AUROC both ways, catches: what is computed pair by pair."""
    id_avg, ood_avg = np.add(id_e, id_d, dtype=np.float64), np.add(ood_e, ood_d, dtype=np.float64)
    row: dict[str, float | int] = dict.fromkeys(
        ("auroc_gain", "auroc_gain_lo", "auroc_gain_hi", "auroc_gain_p"), np.nan
    )
    if min(independent(groups, len(id_e), len(ood_e))) > 1:
        alone = delong(np.stack([id_e, id_d]), np.stack([ood_e, ood_d])).auroc
        better = (id_d, ood_d) if alone[1] > alone[0] else (id_e, ood_e)
        difference = paired_auroc_difference(id_avg, ood_avg, *better, groups=groups)
        row = dict(zip(row, difference, strict=True))
    for side, scores in (("d", (id_d, ood_d, id_e, ood_e)), ("e", (id_e, ood_e, id_d, ood_d))):
        value, lo, hi, _, n_id, n_ood = adjusted_auroc(*scores, groups=groups)
        row |= limited(f"adjusted_{side}", value, lo, hi)
        row |= {f"adjusted_{side}_n_id": n_id, f"adjusted_{side}_n_ood": n_ood}
    found = catches(id_e, id_d, ood_e, ood_d)
    row |= {"threshold_e": found.threshold_e, "threshold_d": found.threshold_d}
    row["threshold_avg"] = id_threshold(id_avg / 2)
    return row | {f"caught_{group}": int(count) for group, count in zip(GROUPS, found.count, strict=True)}
