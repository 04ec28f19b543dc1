"""Numbers that judge scores: arrays in, estimates and tidy tables out. Loads without torch, scipy or
scikit-learn.

``metrics`` for one score, ``delong`` and ``auroc_map`` for a whole map, ``compose`` for a detector made of
cells, ``best_cell`` for its honest maximum, ``cost`` for what it costs, ``comparison`` for two explorations, ``curves``
for plotting.
"""

from cfs_explore.diagnostics.alignment import aligned_lams, has_aligned
from cfs_explore.diagnostics.auroc_map import auroc_map
from cfs_explore.diagnostics.best_cell import best_cell
from cfs_explore.diagnostics.best_excess import best_excess
from cfs_explore.diagnostics.catches import GROUPS, Catches, catches, id_threshold
from cfs_explore.diagnostics.channels import (
    channel_contributions,
    participation_ratio,
    sparsity_curve,
    top_channel_auroc,
)
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.comparison import MeasuredMap, difference_map, match_levels, match_taps
from cfs_explore.diagnostics.complementarity import COMPLEMENTARITY_COLUMNS, SCALES, complementarity
from cfs_explore.diagnostics.compose import compose, detector_summary, effective_forwards
from cfs_explore.diagnostics.conditioning_loss import conditioning_loss
from cfs_explore.diagnostics.conformal import (
    Alarm,
    adjusted_p_values,
    alarm,
    clopper_pearson,
    conformal_p_values,
    discovery_rate,
    false_alarms,
    id_percentiles,
    triage,
)
from cfs_explore.diagnostics.cost import detector_costs, honest_front, measured_ms, pareto_front
from cfs_explore.diagnostics.covariate_adjusted import adjusted_auroc
from cfs_explore.diagnostics.curves import histogram, roc_curve
from cfs_explore.diagnostics.delong import DeLong, delong, delong_covariance, placements
from cfs_explore.diagnostics.excess import auroc_excess
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.image_profile import (
    Exceedance,
    cell_profile,
    detector_profile,
    exceedance,
    feature_profile,
)
from cfs_explore.diagnostics.information import conditional_information
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.joint_separability import joint_separability, separability
from cfs_explore.diagnostics.metrics import (
    Estimate,
    aupr,
    auroc,
    fpr95,
    paired_auroc_difference,
)
from cfs_explore.diagnostics.pair_gain import PAIR_COLUMNS, SIDES, StraddleShare, pair_gain, straddle_share
from cfs_explore.diagnostics.predicted_auroc import cantelli_bound, normal_prediction
from cfs_explore.diagnostics.sensitivity import map_agreement, sensitivity
from cfs_explore.diagnostics.separation import separation_table
from cfs_explore.diagnostics.set_differences import COLUMNS as DIFFERENCE_COLUMNS
from cfs_explore.diagnostics.set_differences import CONSEQUENCE, difference_warning, set_differences
from cfs_explore.diagnostics.simulated_pair import SimulatedPair, pair_curve, pair_detectors, sample_pair
from cfs_explore.diagnostics.simulation import (
    SimulatedTap,
    TapSample,
    sample_tap,
    tap_curve,
    tap_moments,
    tap_summary,
)
from cfs_explore.diagnostics.ssim import ssim
from cfs_explore.diagnostics.statistic_scores import STATISTICS_TOGETHER, statistic_scores, statistic_table

__all__ = [
    "COMPLEMENTARITY_COLUMNS",
    "CONSEQUENCE",
    "DIFFERENCE_COLUMNS",
    "GROUPS",
    "PAIR_COLUMNS",
    "SCALES",
    "SIDES",
    "STATISTICS_TOGETHER",
    "Alarm",
    "Catches",
    "DeLong",
    "Estimate",
    "Exceedance",
    "Groups",
    "MeasuredMap",
    "ScoreError",
    "SimulatedPair",
    "SimulatedTap",
    "StraddleShare",
    "TapSample",
    "adjusted_auroc",
    "adjusted_p_values",
    "alarm",
    "aligned_lams",
    "aupr",
    "auroc",
    "auroc_excess",
    "auroc_interval",
    "auroc_map",
    "best_cell",
    "best_excess",
    "cantelli_bound",
    "catches",
    "cell_profile",
    "channel_contributions",
    "clopper_pearson",
    "complementarity",
    "compose",
    "conditional_information",
    "conditioning_loss",
    "conformal_p_values",
    "delong",
    "delong_covariance",
    "detector_costs",
    "detector_profile",
    "detector_summary",
    "difference_map",
    "difference_warning",
    "discovery_rate",
    "effective_forwards",
    "exceedance",
    "false_alarms",
    "feature_profile",
    "fpr95",
    "has_aligned",
    "histogram",
    "honest_front",
    "id_percentiles",
    "id_threshold",
    "joint_separability",
    "map_agreement",
    "match_levels",
    "match_taps",
    "measured_ms",
    "normal_prediction",
    "pair_curve",
    "pair_detectors",
    "pair_gain",
    "paired_auroc_difference",
    "pareto_front",
    "participation_ratio",
    "placements",
    "roc_curve",
    "sample_pair",
    "sample_tap",
    "sensitivity",
    "separability",
    "separation_table",
    "set_differences",
    "sparsity_curve",
    "ssim",
    "statistic_scores",
    "statistic_table",
    "straddle_share",
    "tap_curve",
    "tap_moments",
    "tap_summary",
    "top_channel_auroc",
    "triage",
]
