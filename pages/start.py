"""What this is, and which explorations there are."""

from cfs_explore.ui import start_view

start_view.show()
