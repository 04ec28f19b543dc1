"""A laboratory without a backbone: what the formulas do to simulated features."""

from cfs_explore.ui import lab_view, navigation

navigation.ensure_routed()
lab_view.show()
