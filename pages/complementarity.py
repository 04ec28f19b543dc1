"""Do encoder and decoder know different things?"""

from cfs_explore.ui import complementarity_view, navigation, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    complementarity_view.show(run)
