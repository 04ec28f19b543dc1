"""How does the map come into being?"""

from cfs_explore.ui import damage, navigation, sidebar, training_view

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        training_view.show(run)
