"""What the run of the form will cost. The speed of this machine is measured while the visitor fills in the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from cfs_explore import jobs
from cfs_explore.errors import CFSError
from cfs_explore.explorations.absent import Absent
from cfs_explore.jobs.estimate import Estimate, estimate_run, format_bytes, format_seconds
from cfs_explore.studies import Counts
from cfs_explore.ui import background
from cfs_explore.ui.backbone_facts import inspecting
from cfs_explore.ui.new_backbone import BackboneChoice
from cfs_explore.ui.new_diagnostics import diagnostic_forwards
from cfs_explore.ui.new_settings import Settings
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted

_MEASURING = "Measuring the speed of this machine; you need not wait for it: Start takes what is shown"


@dataclass(frozen=True)
class Speed:
    """Time of one forward per image on this machine.

    Attributes:
        asked: whether it is being measured, or was.
        seconds: None before it is known, and where that failed.
        device: that was timed.
        error: why it failed.
    """

    asked: bool = False
    seconds: float | None = None
    device: str = ""
    error: str = ""


def speed_of(backbone: BackboneChoice) -> Speed:
    """What is known by now."""
    try:
        measured = backbone.speed()
    except CFSError as error:
        return Speed(asked=True, error=str(error))
    return Speed(True) if measured is None else Speed(True, *measured)


def show_estimate(
    images: int,
    ood_sets: int,
    backbone: BackboneChoice,
    settings: Settings,
    counts: Counts | None,
    absent: Sequence[Absent],
    speed: Speed,
    *,
    about: bool = False,
) -> Estimate:
    """Say time, disk and forwards of map and diagnostics; gives them.

    Args:
        images: that run through the backbone.
        ood_sets: how many OOD sets there are.
        backbone, settings, counts: of the run to be.
        absent: sets whose images are not here.
        speed: of this machine.
        about: whether the number of images is estimated.
    """
    estimate = estimate_run(
        new_images=images,
        levels=len(settings.lams),
        draws=settings.draws,
        taps=settings.measured_taps(backbone),
        image_shape=backbone.facts["image_shape"],
        sets=ood_sets + 2,
        seconds_per_forward=speed.seconds,
        diagnostic_forwards=diagnostic_forwards(counts, absent),
    )
    work = _work("about " * about + counted(images, "image"), settings, estimate)
    if speed.error:
        st.error(escape(speed.error), icon=":material/error:")
    elif estimate.seconds is None:
        st.markdown(f":material/timer: {work}")
        if speed.asked:
            background.watch(inspecting(backbone.spec), _MEASURING)
    else:
        st.info(
            f"About **{format_seconds(estimate.seconds)}** on {speed.device}, {work} {settings.draws_note}".rstrip(),
            icon=":material/timer:",
        )
    try:
        jobs.check_room(estimate.peak_bytes)
    except CFSError as error:
        st.error(escape(str(error)), icon=":material/error:")
    return estimate


def _work(images: str, settings: Settings, estimate: Estimate) -> str:
    """Disk and forwards."""
    more = f", and {estimate.diagnostic_forwards:,} for the diagnostics" if estimate.diagnostic_forwards else ""
    return (
        f"**{format_bytes(estimate.disk_bytes)}** of disk ({format_bytes(estimate.peak_bytes)} while it runs): "
        f"{images} × {counted(len(settings.lams), 'level')} × {counted(settings.draws, 'draw')} = "
        f"{counted(estimate.forwards, 'forward')}{more}."
    )
