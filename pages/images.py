"""Which images lie together inside the network?"""

from cfs_explore.ui import damage, images_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        images_view.show(run)
