"""What stands in the place of a diagnostic that a run lacks: what it answers, what it costs, and the way to get it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from cfs_explore import jobs
from cfs_explore.errors import CFSError
from cfs_explore.explorations import bundles
from cfs_explore.explorations.absent import computable, explain, needed
from cfs_explore.explorations.missing import cost_of, missing_stages, time_of
from cfs_explore.locations import program, runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run
from cfs_explore.studies import DIAGNOSTICS, Diagnostic
from cfs_explore.ui import data
from cfs_explore.ui.backbone_facts import LOADING, inspect_backbone
from cfs_explore.ui.sidebar import escape


def show_skipped(run: Run, stage: Diagnostic) -> None:
    """A stage that was tried and could not be computed: why, and how to try it again."""
    st.info(f"{stage.title} could not be computed: {escape(run.manifest.stages[stage.name].why)}", icon=_ICON)
    if _is_visitors(run) and not _at_work(run, stage):
        _tell_absent(run, [stage.name])
        if _possible(run, [stage.name]):
            _button(run, "Try again", stage, [stage.name], None)


def show_missing(run: Run, stage: Diagnostic, *, everything: bool = True) -> None:
    """A stage that was not tried.

    Args:
        run: the exploration.
        stage: that it lacks.
        everything: offer all that is missing, too; once on a page.
    """
    without = f"This exploration was made without the stage {stage.title}."
    if not stage.applies(run.counts) and bundles.names_places(run.path):
        st.info(f"This shows {stage.question[0].lower()}{stage.question[1:]} {stage.lacking}", icon=_ICON)
        return
    if not bundles.names_places(run.path):
        st.info(
            f"{without} It was imported, and its backbone and images are not on this server: compute it where it "
            "was made.",
            icon=_ICON,
        )
        return
    if _is_visitors(run) and _at_work(run, stage):
        return
    with st.container(border=True):
        st.markdown(f"**{without}**  \nIt shows {stage.question[0].lower()}{stage.question[1:]}")
        slot = st.empty()
        with slot:
            speed = _speed(run)
        slot.caption(f"It takes {cost_of(run, [stage.name], speed)}.", help=_COST_HELP)
        _tell_absent(run, [stage.name])
        missing = missing_stages(run)
        rest = _possible(run, missing)
        offered = {"Compute it": [stage.name]} if stage.name in rest else {}
        if everything and len(rest) > 1:
            offered[
                "Compute everything that is missing" if rest == missing else "Compute what can be computed here"
            ] = rest
        if not _is_visitors(run):
            for label, names in offered.items():
                st.caption(f"{label}{_in_brackets(run, names, speed)}:")
                asked = "all" if names == missing else ",".join(names)
                st.code(f"{program()} diagnose {run.path.name} --stages {asked}", language="bash")
            return
        with st.container(horizontal=True):
            for label, names in offered.items():
                _button(run, label, stage, names, speed)


_ICON = ":material/info:"
_COST_HELP = (
    "One forward is one image at one noise level through the backbone. The time is estimated from the speed at which "
    "this exploration's map was measured, or else from a few forwards on this server."
)


def _tell_absent(run: Run, names: Sequence[str]) -> None:
    """Say which images these stages need that are not on this machine, and how to get them."""
    missing = explain(run, needed(names, data.absent(run)))
    if missing:
        st.info(escape(missing), icon=":material/image:")


def _possible(run: Run, names: Sequence[str]) -> list[str]:
    """Those of these stages that can be computed: for a bundle, by its owner at the command line."""
    absent = data.absent(run)
    if not _is_visitors(run):
        absent = [replace(each, fetched=bool(each.origin)) for each in absent]
    return computable(names, absent)


def _is_visitors(run: Run) -> bool:
    """Whether a visitor may change it: a run of this server, no bundle."""
    return run.path.parent == runs_root()


def _at_work(run: Run, stage: Diagnostic) -> bool:
    """Whether a worker is at the run; the page then says so, and leads to it."""
    try:
        status = jobs.read_status(run.path)
    except CFSError:
        return False
    if not jobs.is_alive(status):
        return False
    coming = status.stages.split(",") if status.stages else RunSpec.parse(run.path / "spec.yaml").stages
    when = "is being computed" if stage.name in coming else "can be computed when the work on this exploration is done"
    st.info(f"{stage.title} {when}.", icon=":material/hourglass:")
    st.page_link("pages/new.py", label="See its progress", icon=":material/timer:", query_params=_job(run, stage))
    return True


def _job(run: Run, stage: Diagnostic) -> dict[str, str]:
    """The address of the job's page, which leads back to the stage's page in the end (``navigation.after_job``)."""
    return {"job": run.path.name, "back": stage.page.name}


def _button(run: Run, label: str, stage: Diagnostic, names: Sequence[str], speed: float | None) -> None:
    """Start a job that computes these stages, in the place of ``stage``."""
    several = len(names) > 1
    key, kind = ("compute_everything", "secondary") if several else (f"compute_{stage.name}", "primary")
    if st.button(f"{label}{_in_brackets(run, names, speed)}", key=key, type=kind, icon=":material/play_arrow:"):
        jobs.start(run.path, list(names))
        st.switch_page("pages/new.py", query_params=_job(run, stage))


def _in_brackets(run: Run, names: Sequence[str], speed: float | None) -> str:
    time = time_of(run, names, speed)
    return f" ({time})" if time else ""


def _speed(run: Run) -> float | None:
    """Seconds per forward where the run does not say; None where it does, or nobody can tell."""
    if run.manifest.seconds_per_forward is not None or not any(
        DIAGNOSTICS[n].forwards(run.counts) for n in missing_stages(run)
    ):
        return None
    try:
        with st.spinner(LOADING):
            return inspect_backbone(RunSpec.parse(run.path / "spec.yaml").backbone)["seconds_per_forward"]
    except CFSError:  # the job says why it cannot be loaded
        return None
