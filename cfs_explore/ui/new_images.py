"""Steps 1 and 2 of the form: image sets from uploads, server paths, data sets by name or built-in samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.contracts import SET_GROUPS
from cfs_explore.images.survey import Survey
from cfs_explore.ui import access, uploads
from cfs_explore.ui.new_reading import with_pages, with_reading
from cfs_explore.ui.new_sources import choose_other_sources, remove
from cfs_explore.ui.new_uploads import choose_uploads, still_there
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import Found, SourceFacts, facts_of
from cfs_explore.wording import counted


@dataclass(frozen=True)
class SetChoice:
    """An image set of the form.

    Attributes:
        name: what figures call it.
        source: what ``open_source`` takes.
        limit: seeded subsample, None for all.
        set_group: near, far, covariate; "" for none.
        facts: what the source holds.
        key: of its widgets.
        place: where the page shows its images and what to mind.
        details: the closed part of its place.
        looking: whether its images are still being looked at, as this run of the page began with it.
        survey: what was seen of them by then; None where nothing was, or they cannot be read.
    """

    name: str
    source: str | dict
    limit: int | None
    facts: SourceFacts
    key: str = ""
    set_group: str = ""
    place: DeltaGenerator | None = field(default=None, compare=False, repr=False)
    details: DeltaGenerator | None = field(default=None, compare=False, repr=False)
    looking: bool = False
    survey: Survey | None = field(default=None, compare=False, repr=False)

    @property
    def count(self) -> int:
        """Images that will be measured: without those that cannot be read, as far as they are known."""
        if not self._unreadable:
            return self._files
        return max(1, round(self._files * len(self.survey) / self._looked_at)) if self.is_about else len(self.survey)

    @property
    def is_about(self) -> bool:
        """Whether ``count`` is estimated: some of the images that were looked at cannot be read, and there are more."""
        return bool(self._unreadable) and self._looked_at < self._files

    @property
    def _files(self) -> int:
        return min(self.facts.count, self.limit or self.facts.count)

    @property
    def _unreadable(self) -> int:
        return 0 if self.survey is None else len(self.survey.unreadable)

    @property
    def _looked_at(self) -> int:
        return len(self.survey) + self._unreadable


def choose_ood_sets() -> list[SetChoice]:
    """Every OOD set: one per uploaded archive or folder, one of all single pictures, one per added source."""
    found = choose_uploads(
        "new_ood",
        "Archives, tables and arrays become an OOD set each; single pictures become one set together",
        "A zip or tar of pictures, with or without class folders, Parquet, NumPy arrays, or pictures. Nothing in them "
        "is ever executed.",
    )
    choose_other_sources("new_ood")
    return _named_sets([*found, *still_there("new_ood")], "new_ood")


def choose_id_images() -> SetChoice | None:
    """New ID images: one set, split by seed into a fitting and a scored part."""
    found = choose_uploads(
        "new_id",
        "Images of the kind the backbone was trained on",
        "One archive, table, array or folder, or pictures. Two thirds fit the statistics, one third is scored.",
    )
    choose_other_sources("new_id")
    sets = _named_sets([*found, *still_there("new_id")], "new_id")
    if len(sets) > 1:
        st.error(f"Give one set of ID images; there are {len(sets)}. Take the others out.", icon=":material/error:")
        return None
    return sets[0] if sets else None


def _named_sets(found: list[Found], prefix: str) -> list[SetChoice]:
    """A part of the page per source: what it holds, its images, what to mind, a button to take it out."""
    most = access.settings().max_images
    most = None if most is None else max(1, most)
    sets: list[SetChoice] = []
    for item in found:
        key = f"{prefix}_{item.key}"
        with st.container():
            source, facts = with_reading(item, facts_of(item.source), key)
            if facts.error:  # its path on the server says nothing to the visitor
                with st.container(horizontal=True, vertical_alignment="center"):
                    if not facts.asks:
                        st.error(escape(facts.error.replace(str(item.source), item.label)), icon=":material/error:")
                    _remove_button(item, prefix)
                sets.append(SetChoice(item.label, source, None, facts))
                continue
            sets.append(_card(item, source, facts, key, prefix, most, [s.name for s in sets]))
    if most is not None and any(s.facts.count > most for s in sets):
        st.caption(f"This server measures at most {most:,} images of a set: a random subsample, chosen by the seed.")
    return sets


def _card(
    item: Found, source: str | dict, facts: SourceFacts, key: str, prefix: str, most: int | None, taken: list[str]
) -> SetChoice:
    """One set that can be used."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            heading = st.empty()
            _remove_button(item, prefix)
        source, facts = with_pages(source, facts, key)
        place = st.container()
        details = st.expander("Name, number, details", key=f"look_{key}", icon=":material/tune:", on_change="rerun")
    suggestion = item.name or uploads.suggest_name(item.label, taken)
    capped = most is not None and facts.count > most
    name_column, limit_column, group_column = details.columns([3, 2, 2])
    name = name_column.text_input("Name", suggestion, key=f"name_{key}", max_chars=64).strip()
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
    group = "" if prefix == "new_id" else _choose_group(group_column, key)
    for note in facts.notes:
        place.caption(escape(note))
    if limit is None and capped:
        limit = most
    choice = SetChoice(name or suggestion, source, int(limit) if limit else None, facts, key, group, place, details)
    heading.markdown(f"**{escape(choice.name)}** · {_facts_text(facts)}", width="stretch")
    return choice


def _choose_group(column: DeltaGenerator, key: str) -> str:
    return column.selectbox(
        "Group",
        ["", *SET_GROUPS],
        key=f"set_group_{key}",
        format_func=lambda group: group or "none",
        help="Of a benchmark: near or far in meaning, or covariate, ID images that are only shifted. A group has its "
        "mean AUROC; in the full spectrum covariate sets count as ID.",
    )


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


def _facts_text(facts: SourceFacts) -> str:
    text = counted(facts.count, "image")
    return text + (f", {counted(facts.skipped, 'file')} left out" if facts.skipped else "")
