"""Numbers that judge scores: arrays in, estimates and tidy tables out. Loads without torch, scipy or
scikit-learn.

``metrics`` for one score, ``delong`` and ``auroc_map`` for a whole map, ``compose`` for a detector made of
cells, ``best_cell`` for its honest maximum, ``curves`` for plotting.
"""

from cfs_explore.diagnostics.auroc_map import auroc_map
from cfs_explore.diagnostics.best_cell import BestCell, best_cell
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.compose import compose, detector_summary, effective_forwards
from cfs_explore.diagnostics.curves import histogram, roc_curve
from cfs_explore.diagnostics.delong import DeLong, auroc_interval, delong, delong_covariance, placements
from cfs_explore.diagnostics.metrics import (
    Estimate,
    PairedDifference,
    aupr,
    auroc,
    fpr95,
    paired_auroc_difference,
)

__all__ = [
    "BestCell",
    "DeLong",
    "Estimate",
    "PairedDifference",
    "ScoreError",
    "aupr",
    "auroc",
    "auroc_interval",
    "auroc_map",
    "best_cell",
    "compose",
    "delong",
    "delong_covariance",
    "detector_summary",
    "effective_forwards",
    "fpr95",
    "histogram",
    "paired_auroc_difference",
    "placements",
    "roc_curve",
]
