"""What does the backbone see? Two images, one level, from the inside."""

from cfs_explore.ui import damage, navigation, probe_view, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        probe_view.show(run)
