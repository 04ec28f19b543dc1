"""How a sealed ranking of the cells did on OOD sets that were measured after it (theory 25).

The ranking is fixed when it is judged, so every interval is about other images, or about other OOD sets; none is about
other ID-train images. The choice is compared with what others would have chosen, cell by cell on the same images, so
that no comparison rests on the best of many cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.diagnostics.auroc_mean import mean_over_sets
from cfs_explore.diagnostics.bootstrap import SD_RESAMPLES
from cfs_explore.diagnostics.delong import delong, placements
from cfs_explore.diagnostics.groups import Groups, taken
from cfs_explore.diagnostics.intervals import z_of
from cfs_explore.diagnostics.metrics import Estimate, paired_auroc_difference
from cfs_explore.diagnostics.proxy_prediction import rank_correlation, resampled_aurocs
from cfs_explore.diagnostics.regret import ALL_SETS, ANY_CELL

#: Policy whose choice is compared with all others.
SEALED = "sealed"
#: A set, or all of them: what its seal is worth.
VERDICTS = ("confirmed", "refuted", "open", "no evidence", "refused")
_LEVEL = 0.05
#: Positions of a map over another, at most.
_MOST_SHIFTS = 1_000
_UNKNOWN = Estimate(*[float("nan")] * 3)


def chance(predicted: np.ndarray, measured: np.ndarray) -> tuple[float, float]:
    """How often the same prediction, laid elsewhere on the map, would rank its cells as well: p above, p below.

    Neighbours on a map are alike, so cells are no independent sample. Here both maps keep their structure: the sealed
    one, continued by its mirror images so that it has no edge, is moved over the measured one in every way. With the
    mean over sets of Spearman's correlation as the statistic, p is the share of all positions, the true one among them,
    that are as high (or as low). Compare torus translation (Harms et al. 2001), which has edges.

    Args:
        predicted, measured: (sets, levels, taps).
    """
    sets, levels, taps = predicted.shape
    shifts = [(k, t) for k in range(2 * levels) for t in range(2 * taps)]
    step = -(-len(shifts) // _MOST_SHIFTS)
    shifts = np.array(shifts[::step])  # the first is the true position
    rows = (shifts[:, :1] + np.arange(levels)) % (2 * levels)
    columns = (shifts[:, 1:] + np.arange(taps)) % (2 * taps)
    total = np.zeros(len(shifts))
    for one, other in zip(predicted, measured, strict=True):
        endless = np.block([[one, one[:, ::-1]], [one[::-1], one[::-1, ::-1]]])
        moved = endless[rows[:, :, None], columns[:, None, :]].reshape(len(shifts), -1)
        total += np.nan_to_num(rank_correlation(moved, np.broadcast_to(other.ravel(), moved.shape)))
    slack = 1e-9 * sets
    return float((total >= total[0] - slack).mean()), float((total <= total[0] + slack).mean())


def over_sets(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Limits of a mean for other OOD sets, drawn as these (Student's t); NaN for a single one."""
    from scipy import special

    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return float("nan"), float("nan")
    half = special.stdtrit(len(values) - 1, 0.5 + level / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def ranking_table(
    predicted: np.ndarray,
    id_rows: np.ndarray,
    ood_rows: Mapping[str, np.ndarray],
    levels: int,
    gains: pd.DataFrame,
    groups: Mapping[str, Groups | None],
    seed: int,
) -> pd.DataFrame:
    """Spearman of the sealed and the measured AUROC of all cells for every set and their mean, with the verdict.

    Args:
        predicted: (sets, cells). id_rows: (cells, n_id). ood_rows: set -> (cells, n_ood).
        levels: of the map; cells are numbered levels outermost.
        gains: of ``gain_table``.
        groups: set -> those of its and the ID images.
        seed: of the resamples.

    Returns:
        ood (``ALL_SETS`` for the mean), spearman with limits for other images and sets_lo, sets_hi for other sets,
        chance (p of ``chance``), verdict, n_id, n_ood, n_sets.
    """
    names, rows, again, measured = list(ood_rows), [], [], []
    for s, name in enumerate(names):
        resampled = resampled_aurocs(id_rows, ood_rows[name], SD_RESAMPLES, seed, groups[name])
        measured.append(delong(id_rows, ood_rows[name])[0])
        again.append(rank_correlation(np.broadcast_to(predicted[s], resampled.shape), resampled))
        value = float(rank_correlation(predicted[s][None], measured[s][None])[0])
        rows.append({"ood": name, "n_ood": ood_rows[name].shape[1], "n_sets": 1} | _limited(value, again[s]))
    values = [row["spearman"] for row in rows]
    lo, hi = np.clip(over_sets(values), -1, 1)
    mean = {"ood": ALL_SETS, "n_ood": sum(row["n_ood"] for row in rows), "n_sets": len(rows)}
    rows.append(mean | _limited(float(np.mean(values)), np.mean(again, axis=0)) | {"sets_lo": lo, "sets_hi": hi})
    shape = (len(names), levels, -1)
    maps = predicted.reshape(shape), np.stack(measured).reshape(shape)
    for s, row in enumerate(rows):
        which = slice(None) if row["ood"] == ALL_SETS else slice(s, s + 1)
        above, below = chance(*(each[which] for each in maps))
        row |= {"chance": above, "n_id": id_rows.shape[1], "verdict": _verdict(gains, row["ood"], above, below)}
    return pd.DataFrame(rows)


def gain_table(
    id_rows: np.ndarray,
    ood_rows: Mapping[str, np.ndarray],
    choices: Mapping[str, Sequence[int | str]],
    groups: Groups | None,
) -> pd.DataFrame:
    """AUROC of the sealed cell minus that of every other policy's, for every set and the mean of the sets.

    Args:
        id_rows, ood_rows: as for ``ranking_table``.
        choices: as of ``regret_table``, ``SEALED`` among them.
        groups: of the ID images, and of the OOD images of all sets one after the other.

    Returns:
        ood, policy; gain with limits (paired DeLong) gain_lo, gain_hi, and in the rows of the mean sets_lo, sets_hi for
        other sets; saturated: whether both AUROCs are so high that they are no evidence. NaN without a choice.
    """
    ends, rows = np.cumsum([0, *(part.shape[1] for part in ood_rows.values())]), []
    ranked = {name: placements(id_rows, part) for name, part in ood_rows.items()}
    for policy, cells in choices.items():
        parts, found = [], []
        for s, (name, own) in enumerate(ood_rows.items()):
            here, pair = taken(groups, oods=slice(ends[s], ends[s + 1])), (choices[SEALED][s], cells[s])
            row = {"ood": name, "policy": policy, "sets_lo": np.nan, "sets_hi": np.nan, "saturated": False}
            if any(isinstance(cell, str) for cell in pair):
                found.append(row | _gain(_UNKNOWN))
                continue
            first, second = (_placed(ranked[name], cell) for cell in pair)
            parts.append([first[k] - second[k] for k in (0, 1)])
            row["saturated"] = bool(min(first[1].mean(), second[1].mean()) > SATURATED)
            found.append(row | _gain(_paired(id_rows, own, pair, parts[-1], here)))
        mean, limits = _UNKNOWN, (np.nan, np.nan)
        if len(parts) == len(ood_rows):
            mean, limits = _mean(parts, groups), over_sets([part[1].mean() for part in parts])
        ends_of = dict(zip(("sets_lo", "sets_hi"), limits, strict=True))
        every = all(row["saturated"] for row in found)
        rows += [*found, {"ood": ALL_SETS, "policy": policy, **ends_of, "saturated": every} | _gain(mean)]
    return pd.DataFrame(rows)


def _verdict(gains: pd.DataFrame, ood: str, above: float, below: float) -> str:
    """Confirmed: the sealed cell is better than a random one, and its ranking is better than the same laid elsewhere.

    Both hold at 5 %; for the mean of the sets the first holds for other images and for other sets.
    """
    row = gains[(gains["ood"] == ood) & (gains["policy"] == "random")].iloc[0]
    if row["saturated"] or not np.isfinite(row["gain"]):
        return "no evidence"
    los, his = row[["gain_lo", "sets_lo"]], row[["gain_hi", "sets_hi"]]
    if not np.isfinite(row["sets_lo"]):
        los, his = los[:1], his[:1]
    if (los > 0).all() and above <= _LEVEL:
        return "confirmed"
    return "refuted" if (his < 0).all() and below <= _LEVEL else "open"


def _limited(value: float, again: np.ndarray) -> dict[str, float]:
    """Spearman with limits on Fisher's scale, whose spread is that of resamples (resamples,)."""
    again = again[np.isfinite(again)]
    inner = float(np.clip(value, -1 + 1e-9, 1 - 1e-9))
    spread = np.arctanh(np.clip(again, -1 + 1e-9, 1 - 1e-9)).std(ddof=1) if len(again) > 1 else np.nan
    half = z_of(0.95) * spread
    lo, hi = (float(np.tanh(np.arctanh(inner) + side * half)) for side in (-1, 1))
    return {"spearman": value, "spearman_lo": lo, "spearman_hi": hi, "sets_lo": np.nan, "sets_hi": np.nan}


def _placed(ranked: tuple[np.ndarray, np.ndarray], cell: int) -> list[np.ndarray]:
    """Placements of the ID and the OOD images under one cell, or averaged over all."""
    return [values.mean(axis=0) if cell == ANY_CELL else values[cell] for values in ranked]


def _paired(
    id_rows: np.ndarray, own: np.ndarray, pair: tuple[int, int], parts: list[np.ndarray], groups: Groups | None
) -> Estimate:
    if pair[0] == pair[1]:
        return Estimate(0.0, 0.0, 0.0)
    if ANY_CELL in pair or min(id_rows.shape[1], own.shape[1]) < 2:
        return _mean([parts], groups)
    scores = [rows[cell] for cell in pair for rows in (id_rows, own)]
    return Estimate(*paired_auroc_difference(*scores, groups=groups)[:3])


def _mean(parts: Sequence[Sequence[np.ndarray]], groups: Groups | None) -> Estimate:
    """Over sets, of differences of placements (ID, OOD)."""
    if not any(values.any() for part in parts for values in part):
        return Estimate(0.0, 0.0, 0.0)
    return mean_over_sets([part[0] for part in parts], [part[1] for part in parts], groups=groups)


def _gain(estimate: Estimate) -> dict[str, float]:
    return dict(zip(("gain", "gain_lo", "gain_hi"), estimate, strict=True))
