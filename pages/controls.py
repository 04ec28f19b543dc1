"""Is it the backbone?"""

from cfs_explore.ui import controls_view, damage, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        controls_view.show(run)
