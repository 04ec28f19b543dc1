"""One image through all cells: its map, its scores by the presets, the features that carry it."""

from cfs_explore.ui import damage, image_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        image_view.show(run)
