"""How much of a snapshot survives the noise?"""

from cfs_explore.ui import damage, navigation, sidebar, stability_view

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        stability_view.show(run)
