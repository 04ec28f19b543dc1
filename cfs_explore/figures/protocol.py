"""The protocol page's figures, view by view; those that compare explorations take the other ones (theory 1)."""

from cfs_explore.figures import (
    group_rivals,
    protocol_alignment,
    protocol_conditioning,
    protocol_cost,
    protocol_levels,
    set_groups,
)

KINDS = (
    protocol_levels.KINDS
    | protocol_alignment.KINDS
    | protocol_conditioning.KINDS
    | protocol_cost.KINDS
    | set_groups.KINDS
    | group_rivals.KINDS
)
