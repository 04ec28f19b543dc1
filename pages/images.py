"""Which images lie together inside the network?"""

from cfs_explore.ui import images_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    images_view.show(run)
