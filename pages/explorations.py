"""Which explorations there are: find, open, compare, rename, download, delete, import."""

from cfs_explore.ui import explorations_view, navigation

navigation.ensure_routed()
explorations_view.show()
