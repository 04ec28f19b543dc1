"""A look at the images of the form before anything is measured: what they are, and what sets them apart from ID."""

from __future__ import annotations

import base64
import html
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from cfs_explore import images
from cfs_explore.diagnostics import difference_warning, set_differences
from cfs_explore.errors import CFSError
from cfs_explore.images.contact_sheet import Thumbnail, thumbnails
from cfs_explore.images.survey import FACTS, Survey, survey, survey_rows
from cfs_explore.images.survey_overlap import compare, overlap_warning
from cfs_explore.images.survey_text import EXPLAINED, summary
from cfs_explore.store import Run
from cfs_explore.ui.new_images import SetChoice
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import modified

#: Images of a set that are looked at, and shown; names that are listed.
MOST, _SHOWN, _LISTED = 2000, 48, 8
_KEPT = 32
_STYLE = """
<style>
.cfs-sheet {display: grid; grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); gap: 6px; margin: 2px 0 8px;}
.cfs-sheet figure {margin: 0; min-width: 0;}
.cfs-sheet img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px;
  background: rgba(128, 128, 128, .15);}
.cfs-sheet figcaption {font-size: 11px; line-height: 1.3; opacity: .8; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; direction: rtl; text-align: center;}
</style>
"""


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of a set, and a few of its images."""

    survey: Survey
    shown: list[Thumbnail]


def show_looks(ood: Sequence[SetChoice], base: Run | None, train: SetChoice | None) -> None:
    """Fill the place of every set of the form with a collapsed look; nothing is read before one is opened.

    Args:
        ood: the OOD sets.
        base: the run whose stored ID statistics are used, or
        train: the new ID images; None of both while there are none.
    """
    seed = int(st.session_state.get("new_seed", 0))

    def id_survey() -> Survey | None:
        if base is not None:
            return _stored_survey(base, base.digest)
        return _look(train, seed).survey if train is not None and not train.facts.error else None

    for choice in ood:
        if choice.place is not None:
            _show_look(choice, seed, id_survey)
    if train is not None and train.place is not None:
        _show_look(train, seed, None)


def _show_look(choice: SetChoice, seed: int, id_survey: Callable[[], Survey | None] | None) -> None:
    """One expander; ``id_survey`` is what the set is compared with, None for the ID set itself."""
    key = f"look_{choice.key}"
    with choice.place:
        opened = st.expander("Look at the images", key=key, icon=":material/visibility:", on_change="rerun")
    if not opened.open:
        return
    with opened:
        try:
            look = _look(choice, seed)
            other = id_survey() if id_survey else None
        except CFSError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        _warn(choice.name, look.survey, other, seed)
        st.html(_STYLE + _sheet(look.shown))
        st.table(_facts(look.survey, other), border="horizontal", hide_index=True)
        st.caption("What the rows mean", help="\n\n".join(f"{name}: {text}" for name, text in EXPLAINED.items()))
        _list_names(look.survey)
        if id_survey and other is None:
            st.caption("Choose in-distribution images (step 3), and this set is compared with them here.")


def _look(choice: SetChoice, seed: int) -> Look:
    """A look at a source, kept until the source changes; a bar tells how far it is, and any click stops it."""
    sample = min(choice.limit or MOST, MOST)
    key = (json.dumps(choice.source), modified(choice.source), sample, seed)
    kept = _looks()
    look = kept.get(key)
    if look is None:
        bar = st.empty()
        with images.open_source(choice.source) as source:
            found = survey(source, sample=sample, seed=seed, progress=_Steps(bar, choice.name))
            look = Look(found, thumbnails(source, _SHOWN, seed))
        bar.empty()
        kept.put(key, look)
    return look


class _Steps:
    """Draws a bar, at most a few times a second."""

    def __init__(self, bar: st.delta_generator.DeltaGenerator, name: str) -> None:
        self._bar, self._text, self._last = bar, f"Looking at the images of {escape(name)}", 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last > 0.2:
            self._last = now
            self._bar.progress(done / total, f"{self._text}: {done:,} of {total:,}")


class _Looks:
    """The last looks of all visitors. Streamlit's own caches allow no progress bar inside."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple, Look] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple) -> Look | None:
        with self._lock:
            return self._kept.get(key)

    def put(self, key: tuple, look: Look) -> None:
        with self._lock:
            self._kept[key] = look
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _looks() -> _Looks:
    return _Looks()


@st.cache_resource(max_entries=8, show_spinner="Reading the ID images of the stored run")
def _stored_survey(_run: Run, digest: str) -> Survey:
    """The ID images of a run, those that fit the statistics and those that are scored."""
    rows = [_run.images(role, columns=(*FACTS, "thumbnail")) for role in ("id_train", "id_test")]
    skipped = _run.table("skipped")
    unusable = skipped.loc[skipped["role"] != "ood", ["name", "reason"]]
    return survey_rows(pd.concat(rows, ignore_index=True), _run.id_test.name, unusable=unusable, sample=MOST)


def _warn(name: str, found: Survey, other: Survey | None, seed: int) -> None:
    """What would spoil the map, in the words that the run's own warnings have."""
    if other is None or not len(found) or not len(other):
        return
    overlap = compare(other, found)
    if overlap:
        st.warning(escape(overlap_warning(name, overlap, len(found))), icon=":material/content_copy:")
    difference = difference_warning(name, set_differences(other.images, found.images, seed=seed))
    if difference:
        st.warning(
            f"{escape(difference)} The diagnostic Controls (step 4, More) measures how much: it scores plain image "
            "statistics, and stores both sets alike.",
            icon=":material/warning:",
        )


def _sheet(shown: list[Thumbnail]) -> str:
    """The thumbnails with their names, as HTML; names come from users."""
    figures = []
    for each in shown:
        about = html.escape(" - ".join(filter(None, [each.name, each.label])), quote=True)
        caption = html.escape(each.name.rsplit("/", 1)[-1])
        source = base64.b64encode(each.png).decode()
        figures.append(
            f'<figure title="{about}"><img src="data:image/png;base64,{source}" alt="{about}">'
            f"<figcaption><bdi>{caption}</bdi></figcaption></figure>"
        )
    return f'<div class="cfs-sheet">{"".join(figures)}</div>'


def _facts(found: Survey, other: Survey | None) -> pd.DataFrame:
    """The table: a property a row, in this set and in the ID set."""
    columns = {"This set": summary(found)} | ({"ID set": summary(other)} if other is not None else {})
    escaped = {head: [escape(text) for text in texts.values()] for head, texts in columns.items()}
    return pd.DataFrame({"Property": list(columns["This set"]), **escaped})


def _list_names(found: Survey) -> None:
    """Which images occur twice, and which files cannot be used."""
    groups = [" = ".join(group) for group in found.duplicates()]
    if groups:
        st.markdown(f"**Twice in the set:** {escape(_first(groups))}")
    unusable = [f"{name} ({reason})" for name, reason in found.unusable.itertuples(index=False)]
    if unusable:
        st.markdown(f"**Unusable files:** {escape(_first(unusable))}")


def _first(texts: list[str]) -> str:
    more = f"; and {len(texts) - _LISTED:,} more" if len(texts) > _LISTED else ""
    return "; ".join(texts[:_LISTED]) + more
