"""What makes the scores separate?"""

from cfs_explore.ui import navigation, separation_view, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    separation_view.show(run)
