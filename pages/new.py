"""Make a new exploration, and watch it being made."""

from cfs_explore.ui import job_view, new_view

if not job_view.show_requested():
    new_view.show()
