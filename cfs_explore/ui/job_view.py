"""A run being made: progress with rate and time left, cancel, resume. The run's id in the URL brings it back."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore import jobs
from cfs_explore.errors import CFSError
from cfs_explore.jobs.estimate import format_bytes, format_seconds
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.store.growing import growing_map
from cfs_explore.studies import DIAGNOSTICS, with_forwards
from cfs_explore.ui import growing_view, navigation
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.sidebar import escape

_STAGES = {
    "": "Starting the process and loading libraries",
    "starting": "Loading",
    "loading": "Loading the backbone",
    "preparing": "Preparing images",
    "measuring": "Measuring",
    "saving": "Saving",
    "tabulating": "Computing the map",
    **{stage.title.lower(): f"Diagnostics: {stage.title}" for stage in DIAGNOSTICS.values()},
}


#: Stages in which there is no map of any images yet.
_BEFORE_MAP = ("", "starting", "loading", "preparing", "measuring")


def show_requested() -> bool:
    """Show the job that the URL names, if it names one that exists."""
    name = st.query_params.get("job", "")
    known = {p.parent.name: p.parent for p in runs_root().glob("*/spec.yaml")}
    if name not in known:
        if name:
            st.warning("There is no such run on this server (any more).")
            navigation.forget_job()
        return False
    st.title(escape(_title(known[name])), anchor=False)
    with st.container():  # a part that grows does not push the next one down, to be drawn anew
        _watch(known[name], growing_map(known[name]))
    growing_view.show_growing_map(known[name])
    _show_log(known[name])
    return True


def _title(run: Path) -> str:
    """The name that the visitor gave the exploration."""
    try:
        return RunSpec.parse(run / "spec.yaml").name
    except CFSError:
        return run.name


def open_job(run: Path) -> None:
    """Point the URL at a job and start over."""
    st.query_params["job"] = run.name
    st.rerun()


@fragment(run_every=1.0)
def _watch(run: Path, on_show: Path | None) -> None:
    """How far the run is, until it is finished or another map than the one on show is there."""
    status = jobs.read_status(run)
    if not (run / "spec.yaml").is_file():  # deleted, in another tab perhaps
        st.rerun()
    state = status.state if status else "cancelled"
    if state == "finished" or _only_tables_are_left(run, status):
        navigation.leave_for(navigation.after_job(), {"run": run.name, **growing_view.view()})
    # The same places in every state: what a new state draws takes that of the old one, and no row stands twice.
    progress, offered = st.container(), st.container()
    buttons = st.container(horizontal=True, vertical_alignment="center")
    show = _show_progress if state in ("starting", "waiting", "running") else _show_stopped
    show(run, status, progress, offered, buttons)
    if growing_map(run) not in (None, on_show):  # last, or the press of a button would be lost
        st.rerun()  # only now: a map takes longer to draw than a bar


def _only_tables_are_left(run: Path, status: jobs.Status | None) -> bool:
    """Whether the map is finished and what follows it takes moments: its page need not wait for that."""
    if status is None or status.state != "running" or status.stages or not (run / "manifest.json").is_file():
        return False
    finished, stages = open_run(run), RunSpec.parse(run / "spec.yaml").stages
    return not with_forwards(finished.counts, stages) or jobs.is_kept(run)  # a kept run leaves these out


def _show_progress(
    run: Path, status: jobs.Status, progress: DeltaGenerator, offered: DeltaGenerator, buttons: DeltaGenerator
) -> None:
    with progress:
        if status.state == "waiting":
            st.info(_queued(status.place), icon=":material/hourglass:")
        else:
            _show_bar(status)
    with offered:
        _offer_map(run, "The map is finished; only the diagnostics are still being computed.")
    with buttons:
        if st.button("Cancel", icon=":material/stop_circle:", help="Stops after this batch; keeps what is done."):
            with st.spinner("Stopping"):
                jobs.cancel(run)
            st.rerun(scope="fragment")
        if status.stage == "measuring" and growing_view.has_map(run):
            if jobs.is_kept(run):
                st.caption("Stops as soon as the images under way are measured, and keeps this map.")
            else:
                _offer_to_keep(run)
        st.caption("You can close this page: the run goes on, and this address brings it back.")
    if status.stage in _BEFORE_MAP and not growing_view.has_map(run):
        st.caption("The map appears here once the ID statistics are fitted and each set has its first images.")


def _offer_to_keep(run: Path) -> None:
    """Let the visitor end the measuring with what there is."""
    what = "Makes an exploration of the images measured so far, and states their number. The rest is not measured."
    if st.button("Stop here and keep this map", icon=":material/save:", help=what):
        jobs.keep(run)
        st.rerun(scope="fragment")


def _show_bar(status: jobs.Status) -> None:
    """How far the present stage is, how fast, and how long it will take."""
    label = _STAGES.get(status.stage, status.stage)
    detail = f": {escape(status.detail)}" if status.detail else ""
    share = min(status.done / status.total, 1.0) if status.total else 0.0
    st.progress(share, text=f"{label}{detail}")
    counts = status.total > 1  # one thing is there or not
    parts = [f"{status.done:,} of {status.total:,} {status.unit}" if counts else "This takes a few seconds"]
    if status.rate and counts:
        parts.append(f"{status.rate:,.0f} {status.unit}/s")
    if status.eta is not None:
        parts.append(f"about {format_seconds(status.eta)} left")
    st.caption(" · ".join(parts))


def _queued(place: int) -> str:
    """What a waiting run waits for."""
    if place <= 1:
        return "Another run is using the device; this one is the next to start."
    return f"Place {place} in the queue: the run at work and {place - 1} other{'s' * (place > 2)} come first."


@st.fragment
def _show_log(run: Path) -> None:
    """What the worker printed last, one click away; read as long as it is open."""
    log = st.expander("Log", icon=":material/terminal:", key="job_log", on_change="rerun")
    with log:
        if log.open:
            _follow_log(run)


@st.fragment(run_every=2.0)
def _follow_log(run: Path) -> None:
    st.code(jobs.log_tail(run) or "Nothing has been printed yet.", language=None, height=240, wrap_lines=True)
    st.caption(f"The run takes {format_bytes(jobs.disk_used(run))} on this server's disk.")


def _offer_map(run: Path, why: str) -> None:
    """Lead to the map as soon as it is there: its manifest is written before the diagnostics begin."""
    if not (run / "manifest.json").is_file():
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Open the map now", type="primary", icon=":material/grid_on:"):
            navigation.leave_for("pages/map.py", {"run": run.name})
        st.caption(why)


def _show_stopped(
    run: Path, status: jobs.Status | None, progress: DeltaGenerator, offered: DeltaGenerator, buttons: DeltaGenerator
) -> None:
    with progress:
        if status is not None and status.state == "failed":
            st.error(escape(_without_places(run, status.error)), icon=":material/error:")
            if status.total:
                done = f"{status.done:,} of {status.total:,} {status.unit}"
                st.caption(f"It stopped while {_STAGES.get(status.stage, status.stage).lower()}: {done}.")
        else:
            st.warning("Cancelled. What was measured is kept.", icon=":material/stop_circle:")
    with offered:
        _offer_map(run, "The map is finished; only diagnostics are missing.")
    with buttons:
        if st.button("Go on", type="primary", icon=":material/play_arrow:", help="Resume from what is finished."):
            jobs.start(run)
            st.rerun(scope="fragment")
        if growing_view.has_map(run):
            _offer_to_keep(run)
        if st.button("Back to the form", icon=":material/arrow_back:"):
            navigation.forget_job()
            st.rerun()
        _offer_deletion(run)


def _without_places(run: Path, error: str) -> str:
    """An error that names the visitor's files as the visitor does, not where the server keeps them."""
    return re.sub(rf"{re.escape(str(run))}/(uploads/[^/\s]+/)?", "", error)


def _offer_deletion(run: Path) -> None:
    """Delete the run, after a second click that says what is lost."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown("Its uploads and everything that was measured are lost.")
        if st.button("Delete for good", type="primary", icon=":material/delete_forever:"):
            jobs.delete(run)
            navigation.forget_job()
            st.rerun()
