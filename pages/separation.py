"""What makes the scores separate?"""

from cfs_explore.ui import damage, navigation, separation_view, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        separation_view.show(run)
