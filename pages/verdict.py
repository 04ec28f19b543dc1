"""Do the paper's claims hold here?"""

from cfs_explore.ui import damage, navigation, sidebar, verdict_view

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        verdict_view.show(run)
