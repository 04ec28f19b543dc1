"""Do encoder and decoder know different things?"""

from cfs_explore.ui import complementarity_view, damage, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        complementarity_view.show(run)
