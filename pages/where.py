"""Where in the image?"""

from cfs_explore.ui import damage, navigation, sidebar, where_view

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        where_view.show(run)
