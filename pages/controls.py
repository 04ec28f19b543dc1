"""Is it the backbone?"""

from cfs_explore.ui import controls_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    controls_view.show(run)
