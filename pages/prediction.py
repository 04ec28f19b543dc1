"""Can the right cell be found without OOD images?"""

from cfs_explore.ui import damage, navigation, prediction_view, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        prediction_view.show(run)
