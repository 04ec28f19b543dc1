"""A run being made: progress with rate and time left, cancel, resume. The run's id in the URL brings it back."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cfs_explore import jobs
from cfs_explore.errors import CFSError
from cfs_explore.estimate import format_bytes, format_seconds
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.stages import STAGES
from cfs_explore.ui import navigation
from cfs_explore.ui.sidebar import escape

_STAGES = {
    "loading": "Loading the backbone",
    "preparing": "Preparing images",
    "measuring": "Measuring",
    "saving": "Saving",
    "tabulating": "Computing the map",
    **{stage.title.lower(): f"Diagnostics: {stage.title}" for stage in STAGES.values()},
}


def show_requested() -> bool:
    """Show the job that the URL names, if it names one that exists."""
    name = st.query_params.get("job", "")
    known = {p.parent.name: p.parent for p in runs_root().glob("*/spec.yaml")}
    if name not in known:
        if name:
            st.warning("There is no such run on this server (any more).")
            del st.query_params["job"]
        return False
    st.title(escape(_title(known[name])), anchor=False)
    _watch(known[name])
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


@st.fragment(run_every=1.0)
def _watch(run: Path) -> None:
    try:
        status = jobs.read_status(run)
    except CFSError as error:
        st.error(escape(str(error)))
        return
    state = status.state if status else "cancelled"
    if state == "finished":
        navigation.leave_for("pages/map.py", {"run": run.name})
    if state in ("starting", "waiting", "running"):
        _show_progress(run, status)
    else:
        _show_stopped(run, status)


def _show_progress(run: Path, status: jobs.Status) -> None:
    if status.state == "waiting":
        st.info(_queued(status.place), icon=":material/hourglass:")
    else:
        _show_bar(status)
    _offer_map(run, "The map is finished; only the diagnostics are still being computed.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Cancel", icon=":material/stop_circle:", help="Stops after this batch; keeps what is done."):
            with st.spinner("Stopping"):
                jobs.cancel(run)
            st.rerun(scope="fragment")
        st.caption("You can close this page: the run goes on, and this address brings it back.")
    _show_log(run)


def _show_bar(status: jobs.Status) -> None:
    """How far the present stage is, how fast, and how long it will take."""
    label = _STAGES.get(status.stage, "Starting")
    detail = f": {escape(status.detail)}" if status.detail else ""
    share = min(status.done / status.total, 1.0) if status.total else 0.0
    st.progress(share, text=f"{label}{detail}")
    parts = [f"{status.done:,} of {status.total:,} {status.unit}"] if status.total else ["This takes a few seconds"]
    if status.rate:
        parts.append(f"{status.rate:,.0f} {status.unit}/s")
    if status.eta is not None:
        parts.append(f"about {format_seconds(status.eta)} left")
    st.caption(" · ".join(parts))


def _queued(place: int) -> str:
    """What a waiting run waits for."""
    if place <= 1:
        return "Another run is using the device; this one is the next to start."
    return f"Place {place} in the queue: the run at work and {place - 1} other{'s' * (place > 2)} come first."


def _show_log(run: Path) -> None:
    """What the worker printed last, one click away."""
    with st.expander("Log", icon=":material/terminal:", key="job_log"):
        st.code(jobs.log_tail(run) or "Nothing was printed so far.", language=None, height=240, wrap_lines=True)
        st.caption(f"The run takes {format_bytes(jobs.disk_used(run))} on this server's disk.")


def _offer_map(run: Path, told: str) -> None:
    """Lead to the map as soon as it is there: its manifest is written before the diagnostics begin."""
    if not (run / "manifest.json").is_file():
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Open the map now", type="primary", icon=":material/grid_on:"):
            navigation.leave_for("pages/map.py", {"run": run.name})
        st.caption(told)


def _show_stopped(run: Path, status: jobs.Status | None) -> None:
    if status is not None and status.state == "failed":
        st.error(escape(status.error), icon=":material/error:")
        if status.total:
            done = f"{status.done:,} of {status.total:,} {status.unit}"
            st.caption(f"It stopped while {_STAGES.get(status.stage, status.stage).lower()}: {done}.")
    else:
        st.warning("Cancelled. What was measured is kept.", icon=":material/stop_circle:")
    _offer_map(run, "The map is finished; only diagnostics are missing.")
    with st.container(horizontal=True):
        if st.button("Go on", type="primary", icon=":material/play_arrow:", help="Resume from what is finished."):
            jobs.start(run)
            st.rerun(scope="fragment")
        if st.button("Back to the form", icon=":material/arrow_back:"):
            del st.query_params["job"]
            st.rerun()
        _offer_deletion(run)
    _show_log(run)


def _offer_deletion(run: Path) -> None:
    """Delete the run, after a second click that says what is lost."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown("Its uploads and everything that was measured are lost.")
        if st.button("Delete for good", type="primary", icon=":material/delete_forever:"):
            try:
                jobs.delete(run)
            except CFSError as error:
                st.error(escape(str(error)))
                return
            del st.query_params["job"]
            st.rerun()
