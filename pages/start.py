"""What this is, and which explorations there are."""

from cfs_explore.ui import navigation, start_view

navigation.ensure_routed()
start_view.show()
