"""Step 1 of the form: files and folders from the visitor's computer, on disk as soon as they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.images.listing import printable
from cfs_explore.ui import access, uploads
from cfs_explore.ui.new_sources import add, added_list
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import Found

_FILES, _FOLDER = "Files", "A folder"


def choose_uploads(prefix: str, label: str, help_text: str) -> list[Found]:
    """What was uploaded, on disk by now; what cannot be taken is said on the page."""
    key = f"{prefix}_uploads"
    if key not in st.session_state:  # the visitor was on another page, where the uploader is forgotten
        for kept in st.session_state.pop(f"{prefix}_held", ()):
            add(prefix, kept)
    kind = st.segmented_control(
        "Upload",
        [_FILES, _FOLDER],
        default=_FILES,
        required=True,
        key=f"{prefix}_upload_kind",
        label_visibility="collapsed",
        on_change=lambda: _keep_uploads(prefix),
    )
    limit = access.settings().max_upload_bytes
    folder = kind == _FOLDER
    st.file_uploader(
        "A folder of pictures; each picture's own folder is its class" if folder else label,
        uploads.PICTURES if folder else uploads.TYPES,
        accept_multiple_files="directory" if folder else True,
        key=key,
        help="Files that are not pictures are left out." if folder else help_text,
        max_upload_size=None if limit is None else max(1, -(-limit // 2**20)),
    )
    found = []
    for item in _spooled(st.session_state[key]):  # what the uploader gives is a copy, memory included
        if isinstance(item, Found):
            found.append(item)
        else:
            st.error(escape(item), icon=":material/error:")
    st.session_state[f"{prefix}_held"] = [_kept(item, prefix) for item in found]
    return found


def _keep_uploads(prefix: str) -> None:
    """Switching between files and folder removes the other uploader: what it holds moves to the list of added sets."""
    for item in _spooled(st.session_state.get(f"{prefix}_uploads") or ()):
        if isinstance(item, Found):
            add(prefix, _kept(item, prefix))


def _kept(item: Found, prefix: str) -> Found:
    """An upload as an entry of the list of added sets, with the name, limit and range that were entered."""
    entered = {what: st.session_state.get(f"{what}_{prefix}_{item.key}") for what in ("name", "limit", "range")}
    kept = replace(Found.added(item.label, item.source), name=entered["name"] or "", limit=entered["limit"])
    if entered["range"] is not None:
        st.session_state[f"range_{prefix}_{kept.key}"] = entered["range"]
    return kept


def _spooled(files: Sequence) -> Iterator[Found | str]:
    """A set per archive, one per uploaded folder, one of the single pictures; in place of one that fails, why."""
    together: dict[str, list] = {}
    for file in files:
        folder, _, rest = file.name.lstrip("/").partition("/")
        picture = Path(file.name).suffix.lower()[1:] in uploads.PICTURES
        if rest or picture:
            together.setdefault(folder if rest else "", []).append(file)
            continue
        try:
            yield Found(printable(file.name), str(uploads.spool(file)), file.file_id)
        except CFSError as error:
            yield printable(str(error))
    for folder, members in together.items():
        label = folder or (members[0].name if len(members) == 1 else "pictures")
        try:
            yield Found(printable(label), str(uploads.spool_pictures(members, label)), f"together_{folder}")
        except CFSError as error:
            yield printable(str(error))


def still_there(prefix: str) -> list[Found]:
    """The added sources, without uploads that a run has taken over."""

    def taken_over(source: str | dict) -> bool:
        spooled = isinstance(source, str) and Path(source).is_relative_to(uploads.spool_folder())
        return spooled and not Path(source).exists()

    return [found for found in added_list(prefix) if not taken_over(found.source)]
