"""What many comparisons on many OOD sets amount to: means over sets and counts, and means of several backbones.

A mean over sets has limits for other sets, drawn as these were (Student's t, theory 25). Backbones are too few, and too
much alike, for limits of their own: several are averaged set by set, and the limits are about sets still.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.proxy_prediction import rank_correlation
from cfs_explore.diagnostics.sealed import over_sets


class OverSets(NamedTuple):
    """A number of several OOD sets.

    Attributes:
        mean, lo, hi: over the sets, with 95 % limits for other sets; NaN limits for a single one.
        above, open, below: sets whose own 95 % interval lies above 0, holds it, or lies below.
        no_evidence: sets that are not counted among those, since there is nothing to compare.
        sets: all of them.
    """

    mean: float
    lo: float
    hi: float
    above: int
    open: int
    below: int
    no_evidence: int
    sets: int


def summarised(value: np.ndarray, lo: np.ndarray, hi: np.ndarray, no_evidence: np.ndarray | None = None) -> OverSets:
    """Over sets, of values and their 95 % intervals, (sets,) each; the mean is of all sets, counted or not.

    Raises:
        ScoreError: no set, or a value that is not finite.
    """
    value, lo, hi = (np.asarray(part, dtype=np.float64) for part in (value, lo, hi))
    if not value.size or not np.isfinite(value).all():
        raise ScoreError("A mean over sets needs a finite value of every set, and one set at least.")
    counted = np.ones(value.size, dtype=bool) if no_evidence is None else ~np.asarray(no_evidence, dtype=bool)
    above, below = counted & (lo > 0), counted & (hi < 0)
    counts = above.sum(), counted.sum() - above.sum() - below.sum(), below.sum(), (~counted).sum()
    return OverSets(float(value.mean()), *over_sets(value), *map(int, counts), value.size)


def mean_of_tables(tables: Sequence[pd.DataFrame], column: str, by: Sequence[str] = ("ood", "policy")) -> pd.Series:
    """The mean over tables of what all have: a number per key, which every table has once.

    Args:
        tables: with the columns of ``by`` and ``column``. Keys that one of them lacks, or has no number for, are left
            out.
    """
    columns = [table.set_index(list(by))[column] for table in tables]
    return pd.concat(columns, axis=1, join="inner").dropna().mean(axis=1)


def separation_fit(separation: pd.DataFrame) -> pd.DataFrame:
    """How well means and variances tell the measured AUROC of the cells of each OOD set (theory 12, 13).

    Args:
        separation: the table ``separation``.

    Returns:
        A row per set: ood; miss: mean over cells of |predicted - measured AUROC|; spearman of the two over cells;
        cells; bounded: cells with a bound (Delta > 0); broken: of these, whose AUROC's whole interval is below it.
    """
    rows = []
    for ood, part in separation.groupby("ood", sort=False):
        known = part.dropna(subset=["predicted", "auroc"])
        ranks = rank_correlation(known["predicted"].to_numpy()[None], known["auroc"].to_numpy()[None])
        row = {"ood": ood, "miss": float((known["predicted"] - known["auroc"]).abs().mean()), "spearman": ranks[0]}
        bounded, broken = int(part["bound"].notna().sum()), int((part["hi"] < part["bound"]).sum())
        rows.append(row | {"cells": len(part), "bounded": bounded, "broken": broken})
    return pd.DataFrame(rows)
