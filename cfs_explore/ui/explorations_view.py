"""The page of all explorations: a list to search and choose from, and what can be done with those that are chosen."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.explorations import bundles
from cfs_explore.jobs.estimate import format_bytes
from cfs_explore.locations import runs_root
from cfs_explore.ui import access, explorations_chosen, ownership, state, uploads
from cfs_explore.ui.explorations_rows import Row, list_rows, size_of, table_of
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted

#: The list is read again so often while something runs.
_POLL_SECONDS = 3.0
#: Above this height the list scrolls.
_ROW_PX, _MOST_ROWS = 35, 14
#: Of the session: ids of the chosen ones; how many imports there were, after each of which its inputs are empty again.
_CHOSEN, _IMPORTS, _REFUSED = "explorations_chosen", "explorations_imports", "explorations_refused"


def show() -> None:
    """The whole page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Explorations", anchor=False, width="stretch")
        st.page_link("pages/new.py", label="New exploration", icon=":material/add_circle:")
    if access.is_public():
        state.remember(**ownership.address())
    rows = list_rows()
    running = any(row.under_way for row in rows)
    st.fragment(_list, run_every=_POLL_SECONDS if running else None)()
    with st.container():
        _import()


def _list() -> None:
    """Search, table, and the panel of what is chosen."""
    rows = list_rows()
    if not rows:
        st.info("There is no exploration yet. Make one, or import one below.", icon=":material/folder_open:")
        return
    words = st.text_input(
        "Search",
        key=f"explorations_search_{st.session_state.get(_IMPORTS, 0)}",
        placeholder="Search by name, backbone or image set",
        icon=":material/search:",
        label_visibility="collapsed",
    ).split()
    shown = [row for row in rows if row.matches(words)]
    if not shown:
        st.info("No exploration has all of these words in its name, backbone or image sets.", icon=":material/search:")
        return
    chosen = _choose(shown)
    st.caption(_summary(rows))
    with st.container(key="explorations_panel"):
        explorations_chosen.show(chosen)


def _choose(rows: Sequence[Row]) -> list[Row]:
    """The table; gives the rows that are ticked, or else the one that was clicked."""
    ids = [row.path.name for row in rows]
    before = st.session_state.get(_CHOSEN, [])
    key = "explorations_" + hashlib.blake2b("\n".join(ids).encode(), digest_size=6).hexdigest()
    event = st.dataframe(
        table_of(rows),
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        selection_default={"selection": {"rows": [ids.index(name) for name in before if name in ids]}},
        height=min(len(rows), _MOST_ROWS) * _ROW_PX + 38,
        placeholder="",
        column_config={
            "Name": st.column_config.TextColumn(width=200),
            "State": st.column_config.TextColumn(width=140),
            "OOD sets": st.column_config.TextColumn(width=150),
            "Images": st.column_config.NumberColumn(
                format="localized", help="Images that were measured, in all sets together."
            ),
            "Created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            "Disk (MB)": st.column_config.NumberColumn(format="%.1f"),
        },
        alt="Explorations: name, state, backbone, image sets, images, date and size on disk.",
    )
    picked = event["selection"]
    positions = list(picked["rows"]) or [cell[0] for cell in picked["cells"]]
    found = [rows[position] for position in positions if position < len(rows)]
    st.session_state[_CHOSEN] = [row.path.name for row in found]
    return found


def _summary(rows: Sequence[Row]) -> str:
    """How many there are, and what they take of what there is."""
    own = [row for row in rows if not row.bundled]
    count = counted(len(rows), "exploration")
    mine = "yours take " + format_bytes(sum(size_of(row.path) for row in own)) if own else "none is your own yet"
    limit = access.settings().max_disk_bytes
    if limit is not None:
        room = f"all runs of this server take {format_bytes(size_of(runs_root()))} of {format_bytes(limit)}"
    elif not access.is_public() and runs_root().is_dir():
        room = f"{format_bytes(shutil.disk_usage(runs_root()).free)} of the disk are free"
    else:
        room = ""
    kept = (
        "only you see yours: bookmark this page, its address leads back to them" if own and access.is_public() else ""
    )
    return " · ".join(filter(None, [count, mine, room, kept])) + "."


def _import() -> None:
    """A zip that ``export`` made becomes one of the visitor's explorations."""
    turn = st.session_state.get(_IMPORTS, 0)
    with st.expander("Import an exploration", icon=":material/upload_file:"):
        key = f"explorations_upload_{turn}"
        st.file_uploader(
            "A zip that was downloaded here, or made by `cfs-explore export`",
            ["zip"],
            key=key,
            help="Only tables and arrays are taken from it, and all are checked. Nothing in it is ever executed.",
        )
        upload = st.session_state[key]  # what the uploader gives is a copy, memory included
        if upload is None:
            return
        refused = st.session_state.setdefault(_REFUSED, {})
        if upload.file_id in refused:
            st.error(refused[upload.file_id], icon=":material/error:")
            return
        try:
            with st.spinner("Checking every table and array"):
                path = uploads.spool(upload)
                try:
                    run = bundles.import_zip(path, trusted=not access.is_public())
                finally:
                    shutil.rmtree(path.parent, ignore_errors=True)
        except CFSError as error:
            refused[upload.file_id] = escape(f"{upload.name} was not imported. {error}")
            st.error(refused[upload.file_id], icon=":material/error:")
            return
    ownership.claim([run.name])
    st.session_state[_IMPORTS] = turn + 1
    st.session_state[_CHOSEN] = [run.name]
    st.toast("Imported.", icon=":material/check:")
    st.rerun()
