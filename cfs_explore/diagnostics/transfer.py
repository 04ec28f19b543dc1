"""Whether the map of one backbone chooses well on another (theory 26).

The choice and its judgement never share an image: a backbone's map on one half of the images chooses a cell, and the
other backbone's map on the other half says what that cell is worth, beside the one that its own map would have chosen
on the same first half. Ranks are compared across halves, too, so that no noise is common to both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_mean import mean_over_sets
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.comparison import match_levels, match_taps
from cfs_explore.diagnostics.delong import placements
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.intervals import z_of
from cfs_explore.diagnostics.metrics import Estimate
from cfs_explore.diagnostics.proxy_prediction import rank_correlation, resampled_aurocs
from cfs_explore.diagnostics.regret import ALL_SETS
from cfs_explore.diagnostics.sealed import over_sets
from cfs_explore.diagnostics.splits import FEWEST, draw_splits, split_aurocs

#: Random halves, and resamples behind an interval of ranks.
SPLITS, RESAMPLES = 40, 200
#: Choices that no other backbone makes.
FIXED, RANDOM = "fixed", "random"


@dataclass(frozen=True)
class SetRows:
    """One backbone's scores on one OOD set, the images in an order that all backbones share.

    Attributes:
        halves: AUROC of each cell on both halves of every split, (2, cells, splits).
        placed: placements of the ID and the OOD images, (cells, n_id) and (cells, n_ood).
        again: AUROC in resamples of the images, (resamples, cells).
        chooses: True for the ID and the OOD images of the first half, (splits, n_id) and (splits, n_ood).
        groups: of the images.
    """

    halves: np.ndarray
    placed: tuple[np.ndarray, np.ndarray]
    again: np.ndarray
    chooses: tuple[np.ndarray, np.ndarray]
    groups: Groups | None

    @classmethod
    def of(cls, id_rows: np.ndarray, ood_rows: np.ndarray, groups: Groups | None, seed: int) -> SetRows:
        """Of scores (cells, n_id) and (cells, n_ood). The same seed and numbers of images give the same halves.

        Raises:
            ScoreError: fewer than four images of a class, which have no halves with a variance.
        """
        n_id, n_ood = id_rows.shape[1], ood_rows.shape[1]
        if min(n_id, n_ood) < FEWEST:
            raise ScoreError(f"Transfer needs at least {FEWEST} ID and OOD images. Got {n_id} and {n_ood} instead.")
        splits = draw_splits(n_id, n_ood, SPLITS, seed, groups)
        halves = np.stack(split_aurocs(id_rows, ood_rows, splits))
        again = resampled_aurocs(id_rows, ood_rows, RESAMPLES, seed, groups)
        return cls(halves, placements(id_rows, ood_rows), again, (splits.id, splits.ood), groups)


def matched_cells(
    source: tuple[Sequence[Level], Sequence[Tap]], target: tuple[Sequence[Level], Sequence[Tap]]
) -> np.ndarray:
    """Cells of the source and the target that match by region, depth and log-SNR, (2, pairs); levels outermost."""
    levels, taps = match_levels(source[0], target[0]), match_taps(source[1], target[1])
    widths = len(source[1]), len(target[1])
    return np.array([[k[i] * widths[i] + t[i] for k in levels for t in taps] for i in (0, 1)], dtype=int)


def transfer_rows(
    source: Mapping[str, SetRows], target: Mapping[str, SetRows], cells: np.ndarray, everyone: Groups | None
) -> pd.DataFrame:
    """What the source's map is worth on the target, for every OOD set that both have, and their mean.

    Args:
        source, target: OOD set -> scores of the same images.
        cells: of ``matched_cells``.
        everyone: groups of the ID images, and of the OOD images of all sets one after the other.

    Returns:
        ood (``ALL_SETS`` for the mean); spearman of the matched cells; loss: AUROC of the target's own choice minus
        that of the source's; gain: of the source's choice minus the mean of all the target's cells; each with _lo, _hi
        for other images, and in the mean's row _sets_lo, _sets_hi for other sets; cells: matched pairs; n_id, n_ood.
    """
    rows, parts, again = [], {"loss": [], "gain": []}, []
    for name in source:
        a, b = source[name], target[name]
        picked, own = _picks(a.halves[:, cells[0]], cells[1]), _picks(b.halves, np.arange(b.halves.shape[1]))
        rho, spread = _ranks(a, b, cells)
        again.append(spread)
        found = {"ood": name, "spearman": rho} | _around("spearman", rho, spread)
        for what, other in (("loss", picked), ("gain", None)):
            value = float(_worth(b, own if what == "loss" else picked) - _worth(b, other))
            first = own if what == "loss" else picked
            parts[what].append([x - y for x, y in zip(_influence(b, first), _influence(b, other), strict=True)])
            found |= {what: value} | _limits(what, value, [parts[what][-1]], b.groups)
        rows.append(found | _sizes(b, cells))
    mean = {"ood": ALL_SETS, "spearman": float(np.mean([row["spearman"] for row in rows]))}
    mean |= _around("spearman", mean["spearman"], np.mean(again, axis=0))
    for what, of_sets in parts.items():
        mean[what] = float(np.mean([row[what] for row in rows]))
        mean |= _limits(what, mean[what], of_sets, everyone)
    for what in ("spearman", *parts):
        ends = np.clip(over_sets([row[what] for row in rows]), -1, 1)
        mean |= dict(zip((f"{what}_sets_lo", f"{what}_sets_hi"), ends, strict=True))
    sizes = {"cells": cells.shape[1], "n_id": rows[0]["n_id"], "n_ood": sum(row["n_ood"] for row in rows)}
    return pd.DataFrame([*rows, mean | sizes])


def reference_rows(target: Mapping[str, SetRows], cell: int | None, everyone: Groups | None) -> pd.DataFrame:
    """What a fixed cell of the target loses to the target's own choice, or for None the mean of all its cells.

    Returns:
        ood, loss with limits, cells, n_id, n_ood, as of ``transfer_rows``.
    """
    rows, parts = [], []
    for name, b in target.items():
        own = _picks(b.halves, np.arange(b.halves.shape[1]))
        other = None if cell is None else np.full_like(own, cell)
        value = float(_worth(b, own) - _worth(b, other))
        parts.append([x - y for x, y in zip(_influence(b, own), _influence(b, other), strict=True)])
        rows.append({"ood": name, "loss": value} | _limits("loss", value, [parts[-1]], b.groups) | _sizes(b, None))
    value = float(np.mean([row["loss"] for row in rows]))
    ends = dict(zip(("loss_sets_lo", "loss_sets_hi"), over_sets([row["loss"] for row in rows]), strict=True))
    mean = {"ood": ALL_SETS, "loss": value} | _limits("loss", value, parts, everyone) | ends
    sizes = {"cells": rows[0]["cells"], "n_id": rows[0]["n_id"], "n_ood": sum(row["n_ood"] for row in rows)}
    return pd.DataFrame([*rows, mean | sizes])


def _picks(halves: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The best cell on each half of every split, (2, splits), by its name."""
    return names[halves.argmax(axis=1)]


def _worth(target: SetRows, picks: np.ndarray | None) -> float:
    """AUROC of what was picked on each half, on the other one; None: mean of all cells."""
    if picks is None:
        return float(target.halves.mean())
    at = np.arange(picks.shape[1])
    return float(np.mean([target.halves[1 - half][picks[half], at] for half in (0, 1)]))


def _influence(target: SetRows, picks: np.ndarray | None) -> list[np.ndarray]:
    """What each ID and OOD image adds to ``_worth``, to first order: placements under the cells that it judges."""
    if picks is None:
        return [values.mean(axis=0) for values in target.placed]
    found = []
    for values, first in zip(target.placed, target.chooses, strict=True):
        total, weight = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for half in (0, 1):
            judges = ~first if half == 0 else first
            total += np.einsum("sn,sn->n", judges, values[picks[half]])
            weight += judges.sum(axis=0)
        found.append(total / weight)
    return found


def _ranks(a: SetRows, b: SetRows, cells: np.ndarray) -> tuple[float, np.ndarray]:
    """Spearman across halves, averaged over splits, and in resamples of the images (resamples,)."""
    across = [rank_correlation(a.halves[half][cells[0]].T, b.halves[1 - half][cells[1]].T) for half in (0, 1)]
    return float(np.nanmean(across)), rank_correlation(a.again[:, cells[0]], b.again[:, cells[1]])


def _around(name: str, value: float, again: np.ndarray) -> dict[str, float]:
    """Limits on Fisher's scale with the spread of resamples."""
    edge = 1 - 1e-9
    half = z_of(0.95) * np.arctanh(np.clip(again, -edge, edge)).std(ddof=1)
    ends = np.tanh(np.arctanh(np.clip(value, -edge, edge)) + np.array([-half, half]))
    return {f"{name}_lo": float(ends[0]), f"{name}_hi": float(ends[1])}


def _limits(name: str, value: float, parts: Sequence[Sequence[np.ndarray]], groups: Groups | None) -> dict[str, float]:
    """Limits of a difference of AUROCs from what each image adds to it, set by set."""
    if not any(values.any() for part in parts for values in part):
        around = Estimate(value, value, value)
    else:
        around = mean_over_sets([part[0] for part in parts], [part[1] for part in parts], groups=groups)
    return {f"{name}_lo": value + around.lo - around.value, f"{name}_hi": value + around.hi - around.value}


def _sizes(rows: SetRows, cells: np.ndarray | None) -> dict[str, int]:
    count = rows.halves.shape[1] if cells is None else cells.shape[1]
    return {"cells": count, "n_id": rows.placed[0].shape[1], "n_ood": rows.placed[1].shape[1]}
