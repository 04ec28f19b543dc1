"""Make a new exploration, and watch it being made."""

from cfs_explore.ui import job_view, navigation, new_view

navigation.ensure_routed()
if not job_view.show_requested():
    new_view.show()
