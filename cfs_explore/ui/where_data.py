"""Score maps for pages: of the images that are shown and no others, kept for all visitors (theory 22, 23)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.contracts import SCORE
from cfs_explore.errors import CFSError
from cfs_explore.figures.image_where import Looked
from cfs_explore.jobs.estimate import format_seconds
from cfs_explore.probe.inputs import ProbeImage
from cfs_explore.probe.where import Where
from cfs_explore.store import Run
from cfs_explore.ui import data, probe_data

if TYPE_CHECKING:
    from cfs_explore.probe.network import Probe

#: Work that takes no longer shows no bar.
_PATIENCE_SECONDS = 1.0


def look(run: Run, role: str, name: str | None, index: int, cells: Sequence[int]) -> Looked:
    """An image as the backbone took it, and where its score by these cells comes from.

    Raises:
        CFSError: the backbone cannot be loaded here, or the image's pixels are not here.
    """
    probe, image = probe_data.load(run), probe_data.image(run, role, name, index)
    return Looked(image, _where(run, image.image_id, tuple(cells), image, probe))


@data.kept(max_entries=256, ttl=3600)
def _where(run: Run, image_id: str, cells: tuple[int, ...], _image: ProbeImage, _probe: Probe) -> Where:
    return _probe.where(_image, [run.cell(cell) for cell in cells])


def channels(run: Run, image: ProbeImage, cell: int, position: int) -> np.ndarray:
    """``Probe.channels``; CFSError as of ``look``."""
    return _channels(run, image.image_id, cell, position, image, probe_data.load(run))


@data.kept(max_entries=256, ttl=3600)
def _channels(run: Run, image_id: str, cell: int, position: int, _image: ProbeImage, _probe: Probe) -> np.ndarray:
    return _probe.channels(_image, run.cell(cell), position)


def look_at_all(
    run: Run, wanted: Sequence[tuple[str, str | None, int]], cells: Sequence[int], place: DeltaGenerator
) -> list[Looked]:
    """``look`` at several images; those whose pixels are not here are left out.

    A visitor who goes to another page meanwhile ends it at the next image; what is done is kept.

    Args:
        run, cells: as of ``look``.
        wanted: role, set and position of each image.
        place: for a bar where it takes longer; empty afterwards.

    Raises:
        CFSError: the backbone cannot be loaded here.
    """
    probe_data.load(run)
    start, found = time.monotonic(), []
    for done, each in enumerate(wanted):
        passed = time.monotonic() - start
        if done and passed > _PATIENCE_SECONDS:
            left = format_seconds(passed / done * (len(wanted) - done))
            place.progress(done / len(wanted), f"Maps: {done:,} of {len(wanted):,} images, about {left} left")
        try:
            probe_data.image(run, *each)
        except CFSError:
            continue
        found.append(look(run, *each, cells))
    place.empty()
    return found


@data.kept(max_entries=256, ttl=3600)
def picture(run: Run, image_id: str, cells: tuple[int, ...], end: float, _image: ProbeImage, _where: Where) -> bytes:
    """PNG of an image with its score map over it; ``end`` as of ``overlay_png``."""
    return overlay.overlay_png(_image.pixels, _where.part(SCORE), SCORE, end)
