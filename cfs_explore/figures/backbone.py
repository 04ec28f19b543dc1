"""The run's backbone, for the figures that show it an image; torch loads when one is made, and not before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cfs_explore.errors import CFSError
from cfs_explore.explorations.bundles import names_places
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.store import Run
from cfs_explore.store.manifest import SetEntry

if TYPE_CHECKING:
    from cfs_explore.probe.inputs import ProbeImage
    from cfs_explore.probe.network import Probe

#: "last": the digest of a run, and its backbone, which was opened last.
_opened: dict[str, tuple[str, Probe]] = {}


def backbone_of(run: Run) -> Probe:
    """The run's backbone; the last one is kept, for the figures that follow.

    Raises:
        NotMeasuredError: it cannot be loaded here.
    """
    if not names_places(run.path):
        raise NotMeasuredError(f"{run.name} was imported: its backbone is where it was made.")
    from cfs_explore.probe.network import Probe

    digest, probe = _opened.get("last", ("", None))
    if probe is None or digest != run.digest:
        try:
            probe = Probe.open(run)
        except CFSError as error:
            raise NotMeasuredError(str(error)) from error
        _opened["last"] = run.digest, probe
    return probe


def measured_image(run: Run, entry: SetEntry, row: Mapping) -> ProbeImage:
    """An image with the pixels that the run measured; arguments as of ``probe.inputs.stored_image``.

    Raises:
        NotMeasuredError: they are not on this computer.
    """
    from cfs_explore.probe.inputs import stored_image

    try:
        return stored_image(run, entry, row, search=names_places(run.path))
    except CFSError as error:
        raise NotMeasuredError(str(error)) from error
