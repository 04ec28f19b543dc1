"""Does anything beat a few snapshots?"""

from cfs_explore.ui import damage, falsifier_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        falsifier_view.show(run)
