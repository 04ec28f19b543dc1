"""What makes backbones comparable?"""

from cfs_explore.ui import navigation, protocol_view, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    protocol_view.show(run)
