"""The images of the form before anything is measured: a strip of them and what to mind, unasked; more in details."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import difference_warning, set_differences
from cfs_explore.errors import CFSError
from cfs_explore.images.contact_sheet import Thumbnail
from cfs_explore.images.proposal import Shape
from cfs_explore.images.survey import Survey
from cfs_explore.images.survey_overlap import compare, overlap_warning
from cfs_explore.images.survey_text import EXPLAINED, summary
from cfs_explore.images.survey_warnings import set_warnings
from cfs_explore.store import Run
from cfs_explore.ui import background, survey
from cfs_explore.ui.new_images import SetChoice
from cfs_explore.ui.sidebar import escape

#: Names that are listed.
_LISTED = 8
_STYLE = """
<style>
.cfs-strip {display: flex; gap: 6px; overflow-x: auto; padding: 3px; margin-bottom: 4px; scrollbar-width: thin;}
.cfs-strip img {flex: none; height: 72px; max-width: 216px; border-radius: 4px;}
.cfs-sheet {display: grid; grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); gap: 6px; margin: 2px 0 8px;}
.cfs-sheet figure {margin: 0; min-width: 0;}
.cfs-sheet img {width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 4px;}
:is(.cfs-strip, .cfs-sheet) img {image-rendering: pixelated; background: rgba(128, 128, 128, .15);}
.cfs-sheet figcaption {font-size: 11px; line-height: 1.3; opacity: .8; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; direction: rtl; text-align: center;}
</style>
"""


def show_surveys(ood: Sequence[SetChoice], base: Run | None, train: SetChoice | None, shape: Shape | None) -> None:
    """Fill the place of every set of the form.

    Args:
        ood: the OOD sets, as ``survey.look_at`` gives them.
        base: the run whose stored ID statistics are used, or
        train: the new ID images; None of both while there are none.
        shape: of the backbone's input, (C, H, W); None while there is none.
    """
    id_seen = _stored(base) if base is not None and ood else train and train.survey
    for choice in ood:
        if choice.place is not None:
            _show_set(choice, shape, id_seen, is_id=False)
    if train is not None and train.place is not None:
        _show_set(train, shape, None, is_id=True)


def _stored(base: Run) -> Survey | None:
    """The ID images of a run; None, with the reason on the page, where they cannot be read."""
    try:
        return survey.stored_survey(base)
    except CFSError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None


def _show_set(choice: SetChoice, shape: Shape | None, id_seen: Survey | None, *, is_id: bool) -> None:
    with choice.place:
        words = f"Looking at the images of {escape(choice.name)}"
        found = _result(survey.quick_survey(choice), words, wait=choice.looking)
        if found is None:
            return
        st.html(_STYLE + _strip(choice.name, found.shown))
        _warn(choice, found.survey, shape, id_seen)
    if choice.details.open:
        with choice.details:
            _show_details(choice, id_seen, is_id=is_id)


def _result(task: background.Task[survey.Seen], words: str, *, wait: bool = False) -> survey.Seen | None:
    """What was seen; None, with a bar or the reason on the page, where there is nothing yet or it has to ``wait``."""
    try:
        found = None if wait else task.result()
    except CFSError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None
    if found is None:
        background.watch(task, words)
    return found


def _warn(choice: SetChoice, found: Survey, shape: Shape | None, id_seen: Survey | None) -> None:
    """What would spoil the map, in the words that the run's own warnings have."""
    warnings = [note for note in found.notes if note not in choice.facts.notes]
    warnings += set_warnings(found, choice.count, shape, st.session_state.get("new_resize", "crop"))
    if id_seen is not None and len(found) and len(id_seen):
        warnings.append(overlap_warning(choice.name, compare(id_seen, found), len(found), sampled=found.is_sample))
        difference = difference_warning(choice.name, set_differences(id_seen.images, found.images, seed=survey.seed()))
        warnings.append(f"{difference} Controls (step 3, Everything) measures how much." if difference else "")
    warnings = [escape(text) for text in warnings if text]
    if warnings:
        lines = warnings[0] if len(warnings) == 1 else "\n".join(f"- {text}" for text in warnings)
        st.warning(lines, icon=":material/warning:")


def _show_details(choice: SetChoice, id_seen: Survey | None, *, is_id: bool) -> None:
    """More of the images, and what is known of them beside the ID images."""
    task = survey.full_survey(choice)
    background.wait([task])
    found = _result(task, f"Looking at more images of {escape(choice.name)}")
    if found is None:
        return
    st.html(_STYLE + _sheet(found.shown))
    st.table(_facts(found.survey, id_seen), border="horizontal", hide_index=True)
    st.caption("What the rows mean", help="\n\n".join(f"{name}: {text}" for name, text in EXPLAINED.items()))
    _list_names(found.survey)
    if not is_id and id_seen is None:
        st.caption("Choose in-distribution images (step 2), and this set is compared with them here.")


def _strip(name: str, shown: list[Thumbnail]) -> str:
    """The thumbnails side by side; the strip scrolls by mouse and keys where they are too many."""
    about = html.escape(f"Some images of {name}", quote=True)
    pictures = "".join(_image(each) for each in shown)
    return f'<div class="cfs-strip" role="group" tabindex="0" aria-label="{about}">{pictures}</div>'


def _sheet(shown: list[Thumbnail]) -> str:
    """The thumbnails with their names, as HTML; names come from users."""
    figures = []
    for each in shown:
        caption = html.escape(each.name.rsplit("/", 1)[-1])
        figures.append(f"<figure>{_image(each)}<figcaption><bdi>{caption}</bdi></figcaption></figure>")
    return f'<div class="cfs-sheet">{"".join(figures)}</div>'


def _image(each: Thumbnail) -> str:
    about = html.escape(" - ".join(filter(None, [each.name, each.label])), quote=True)
    return f'<img src="data:image/png;base64,{base64.b64encode(each.png).decode()}" alt="{about}" title="{about}">'


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
