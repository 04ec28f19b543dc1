"""Which images of a set stand out? Conformal p-values, a threshold by its false-alarm rate, the flagged images."""

from cfs_explore.ui import damage, navigation, sidebar, triage_view

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        triage_view.show(run)
