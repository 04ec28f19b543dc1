"""Where does the signal live? The layer x noise map of one exploration."""

from cfs_explore.ui import damage, map_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        map_view.show(run)
