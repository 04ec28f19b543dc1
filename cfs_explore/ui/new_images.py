"""Steps 1 and 3 of the form: image sets from uploads, server paths, data sets by name or built-in samples."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.errors import CFSError
from cfs_explore.images.listing import printable
from cfs_explore.ui import access, uploads
from cfs_explore.ui.new_sources import add, added_list, choose_other_sources, remove
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import Found, SourceFacts, facts_of

#: Fewer images than this make intervals that are too wide to say much.
_FEW = 20
_FILES, _FOLDER = "Files", "A folder"
#: How an array says that its range must be told, and the ranges that arrays are often saved in.
_UNTOLD = re.compile(r"the values run from (\S+) to (\S+?)\.?\s|the array's type is u?int\d+")
_RANGES = {
    "0 to 255": (0.0, 255.0),
    "0 to 4,095 (12 bit)": (0.0, 4095.0),
    "0 to 65,535 (16 bit)": (0.0, 65535.0),
    "-128 to 127": (-128.0, 127.0),
}
#: The ends in a message are rounded to six digits.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class SetChoice:
    """An image set of the form.

    Attributes:
        name: what figures call it.
        source: what ``open_source`` takes.
        limit: seeded subsample, None for all.
        facts: what the source holds.
        key: of its widgets.
        place: where the page shows a look at its images.
    """

    name: str
    source: str | dict
    limit: int | None
    facts: SourceFacts
    key: str = ""
    place: DeltaGenerator | None = field(default=None, compare=False, repr=False)

    @property
    def count(self) -> int:
        """Images that will be measured."""
        return min(self.facts.count, self.limit or self.facts.count)


def choose_ood_sets() -> list[SetChoice]:
    """Every OOD set: one per uploaded archive or folder, one of all single pictures, one per added source."""
    found = _choose_uploads(
        "new_ood",
        "Archives, tables and arrays become an OOD set each; single pictures become one set together",
        "A zip or tar of pictures, with or without class folders, Parquet, NumPy arrays, or pictures. Nothing in them "
        "is ever executed.",
    )
    choose_other_sources("new_ood")
    return _named_sets([*found, *_still_there("new_ood")], "new_ood")


def choose_id_images() -> SetChoice | None:
    """New ID images: one set, split by seed into a fitting and a scored part."""
    found = _choose_uploads(
        "new_id",
        "Images of the kind the backbone was trained on",
        "One archive, table, array or folder, or pictures. Two thirds fit the statistics, one third is scored.",
    )
    choose_other_sources("new_id")
    sets = _named_sets([*found, *_still_there("new_id")], "new_id")
    if len(sets) > 1:
        st.error(f"Give one set of ID images; there are {len(sets)}. Take the others out.", icon=":material/error:")
        return None
    return sets[0] if sets else None


def _choose_uploads(prefix: str, label: str, help_text: str) -> list[Found]:
    """What was uploaded, on disk by now; what cannot be taken is said on the page."""
    key = f"{prefix}_uploads"
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
        "A folder of pictures; the folder that a picture lies in is its class" if folder else label,
        uploads.PICTURES if folder else uploads.TYPES,
        accept_multiple_files="directory" if folder else True,
        key=key,
        help="Files that are no pictures are left out." if folder else help_text,
        max_upload_size=None if limit is None else max(1, -(-limit // 2**20)),
    )
    found = []
    for item in _spooled(st.session_state[key]):  # what the uploader gives is a copy, memory included
        if isinstance(item, Found):
            found.append(item)
        else:
            st.error(escape(item), icon=":material/error:")
    return found


def _keep_uploads(prefix: str) -> None:
    """Switching between files and folder removes the other uploader: what it holds moves to the list of added sets.

    What was said of a set moves with it.
    """
    for item in _spooled(st.session_state.get(f"{prefix}_uploads") or ()):
        if isinstance(item, Found):
            told = {what: st.session_state.get(f"{what}_{prefix}_{item.key}") for what in ("name", "limit", "range")}
            kept = replace(Found.added(item.label, item.source), name=told["name"] or "", limit=told["limit"])
            add(prefix, kept)
            if told["range"] is not None:
                st.session_state[f"range_{prefix}_{kept.key}"] = told["range"]


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


def _still_there(prefix: str) -> list[Found]:
    """The added sources, without uploads that a run has taken over."""

    def taken_over(source: str | dict) -> bool:
        spooled = isinstance(source, str) and Path(source).is_relative_to(uploads.spool_folder())
        return spooled and not Path(source).exists()

    return [found for found in added_list(prefix) if not taken_over(found.source)]


def _named_sets(found: list[Found], prefix: str) -> list[SetChoice]:
    """A row per source: its name to edit, how many images it holds, how many to use, a button to take it out."""
    most = access.settings().max_images
    most = None if most is None else max(1, most)
    sets: list[SetChoice] = []
    for item in found:
        key = f"{prefix}_{item.key}"
        with st.container():
            source, facts = _in_range(item, facts_of(item.source), key)
            if facts.error:  # its path on the server says nothing to the visitor
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.error(escape(facts.error.replace(str(item.source), item.label)), icon=":material/error:")
                    _remove_button(item, prefix)
                sets.append(SetChoice(item.label, source, None, facts))
                continue
            sets.append(_row(item, source, facts, key, prefix, most, [s.name for s in sets]))
    if most is not None and any(s.facts.count > most for s in sets):
        st.caption(
            f"This server measures at most {most:,} images of a set: the rest is left out by a draw that the seed "
            "decides."
        )
    return sets


def _row(
    item: Found, source: str | dict, facts: SourceFacts, key: str, prefix: str, most: int | None, taken: list[str]
) -> SetChoice:
    """One set that can be used."""
    name_column, limit_column, last_column = st.columns([6, 4, 8], vertical_alignment="bottom")
    suggestion = item.name or uploads.suggest_name(item.label, taken)
    name = name_column.text_input("Name", suggestion, key=f"name_{key}", max_chars=64).strip()
    capped = most is not None and facts.count > most
    limit = limit_column.number_input(
        "Use at most",
        min_value=1,
        max_value=most,
        value=item.limit or (most if capped else None),
        step=100,
        placeholder="all",
        key=f"limit_{key}",
        help="A random subsample of this size, chosen by the seed.",
    )
    with last_column.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_facts_text(facts), width="stretch")
        _remove_button(item, prefix)
    if limit is None and capped:
        limit = most
    return SetChoice(name or suggestion, source, int(limit) if limit else None, facts, key, st.container())


def _remove_button(item: Found, prefix: str) -> None:
    if item.removable:
        st.button(
            "Take out",
            key=f"remove_{prefix}_{item.key}",
            icon=":material/close:",
            help=escape(item.label),
            type="tertiary",
            on_click=remove,
            args=(prefix, item.key),
        )


def _in_range(item: Found, facts: SourceFacts, key: str) -> tuple[str | dict, SourceFacts]:
    """An array that must be told its range, with the one that the visitor says; any other source as it is."""
    told = _UNTOLD.search(facts.error)
    if told is None or not isinstance(item.source, str):
        return item.source, facts
    ranges = _RANGES
    if told[1] is not None:
        low, high = float(told[1]), float(told[2])
        if not math.isfinite(low) or not math.isfinite(high):
            return item.source, facts
        ranges = {label: ends for label, ends in _RANGES.items() if ends[0] <= low and high <= ends[1]}
        own = (low - _ROUNDING * abs(low), high + _ROUNDING * abs(high))
        ranges |= {f"{low:g} to {high:g}, the array's own": own}
    chosen = st.selectbox(
        f"{escape(item.label)}: values run from ... to ...",
        list(ranges),
        index=None,
        placeholder="Choose what is black and what is white",
        key=f"range_{key}",
        help="This array does not hold bytes from 0 to 255, nor floats in [0, 1] or [-1, 1]. The ends that you choose "
        "become black and white.",
    )
    if chosen is None:
        return item.source, facts
    source = {"path": item.source, "range": list(ranges[chosen])}
    return source, facts_of(source)


def _facts_text(facts: SourceFacts) -> str:
    text = f"{facts.count:,} image{'s' * (facts.count != 1)}"
    if facts.skipped:
        text += f", {facts.skipped} file(s) left out"
    if facts.count < _FEW:
        text += f" · :orange[fewer than {_FEW}: wide intervals]"
    return text
