"""Reading activations: pooled capture during a forward, and the policies that choose which taps to read."""

from cfs_explore.taps.capture import capture
from cfs_explore.taps.policies import POLICIES, candidates, choose_taps, reliability_ranking, structural_order
from cfs_explore.taps.pooling import pool

__all__ = ["POLICIES", "candidates", "capture", "choose_taps", "pool", "reliability_ranking", "structural_order"]
