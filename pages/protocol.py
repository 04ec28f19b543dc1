"""What makes backbones comparable?"""

from cfs_explore.ui import damage, navigation, protocol_view, sidebar

navigation.ensure_routed()
run = sidebar.chosen()
if run is not None:
    with damage.show_errors():
        protocol_view.show(run)
