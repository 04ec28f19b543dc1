"""Numbers that judge scores: arrays in, estimates and tidy tables out. Loads without torch, scipy or
scikit-learn.

``metrics`` for one score, ``delong`` and ``auroc_map`` for a whole map, ``compose`` for a detector made of
cells, ``best_cell`` for its honest maximum, ``curves`` for plotting.
"""

from cfs_explore.diagnostics.auroc_map import auroc_map
from cfs_explore.diagnostics.best_cell import BestCell, best_cell
from cfs_explore.diagnostics.best_excess import best_excess
from cfs_explore.diagnostics.catches import GROUPS, Catches, catches, id_threshold
from cfs_explore.diagnostics.channels import (
    channel_contributions,
    participation_ratio,
    sparsity_curve,
    tap_columns,
    top_channel_auroc,
)
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.complementarity import COMPLEMENTARITY_COLUMNS, SCALES, complementarity
from cfs_explore.diagnostics.compose import compose, detector_summary, effective_forwards
from cfs_explore.diagnostics.covariate_adjusted import AdjustedAUROC, adjusted_auroc
from cfs_explore.diagnostics.curves import histogram, roc_curve
from cfs_explore.diagnostics.delong import DeLong, auroc_interval, delong, delong_covariance, placements
from cfs_explore.diagnostics.excess import auroc_excess
from cfs_explore.diagnostics.information import conditional_information
from cfs_explore.diagnostics.joint_separability import joint_separability, separability
from cfs_explore.diagnostics.metrics import (
    Estimate,
    PairedDifference,
    aupr,
    auroc,
    fpr95,
    paired_auroc_difference,
)
from cfs_explore.diagnostics.pair_gain import PAIR_COLUMNS, SIDES, StraddleShare, pair_gain, straddle_share
from cfs_explore.diagnostics.predicted_auroc import cantelli_bound, normal_prediction
from cfs_explore.diagnostics.separation import effective_dimension, separation_table
from cfs_explore.diagnostics.set_differences import CONSEQUENCE, Difference, difference_warning, set_differences
from cfs_explore.diagnostics.simulated_pair import SimulatedPair, pair_curve, pair_detectors, sample_pair
from cfs_explore.diagnostics.simulation import (
    SimulatedTap,
    TapMoments,
    TapSample,
    sample_tap,
    tap_curve,
    tap_moments,
    tap_summary,
)
from cfs_explore.diagnostics.statistic_scores import STATISTICS_TOGETHER, statistic_scores, statistic_table

__all__ = [
    "COMPLEMENTARITY_COLUMNS",
    "CONSEQUENCE",
    "GROUPS",
    "PAIR_COLUMNS",
    "SCALES",
    "SIDES",
    "STATISTICS_TOGETHER",
    "AdjustedAUROC",
    "BestCell",
    "Catches",
    "DeLong",
    "Difference",
    "Estimate",
    "PairedDifference",
    "ScoreError",
    "SimulatedPair",
    "SimulatedTap",
    "StraddleShare",
    "TapMoments",
    "TapSample",
    "adjusted_auroc",
    "aupr",
    "auroc",
    "auroc_excess",
    "auroc_interval",
    "auroc_map",
    "best_cell",
    "best_excess",
    "cantelli_bound",
    "catches",
    "channel_contributions",
    "complementarity",
    "compose",
    "conditional_information",
    "delong",
    "delong_covariance",
    "detector_summary",
    "difference_warning",
    "effective_dimension",
    "effective_forwards",
    "fpr95",
    "histogram",
    "id_threshold",
    "joint_separability",
    "normal_prediction",
    "pair_curve",
    "pair_detectors",
    "pair_gain",
    "paired_auroc_difference",
    "participation_ratio",
    "placements",
    "roc_curve",
    "sample_pair",
    "sample_tap",
    "separability",
    "separation_table",
    "set_differences",
    "sparsity_curve",
    "statistic_scores",
    "statistic_table",
    "straddle_share",
    "tap_columns",
    "tap_curve",
    "tap_moments",
    "tap_summary",
    "top_channel_auroc",
]
