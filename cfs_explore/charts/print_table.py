"""Tables on a printed page: in narrow columns the names stand upright, and a sign stands for its words."""

from __future__ import annotations

import re

from cfs_explore.charts.number_grid import CELL_TEXT
from cfs_explore.charts.print_page import PAD, Page
from cfs_explore.charts.print_text import printed_px, wrapped

#: "<b>(✗ against)</b>": what is around the sign, the sign, its words.
_SIGNED = re.compile(r"^((?:<b>)?\(?)(\S) [^<>()]+(\)?(?:</b>)?)$")


def fit_table(page: Page) -> None:
    """Where a word of a column's name is wider than the column, all names are turned; where one of a cell is, signs
    with words are left with the signs, which the caption explains."""
    cells = [note for note in page.notes() if note.get("name") == CELL_TEXT and note.get("xanchor") != "left"]
    if not cells:
        return
    room = page.column_px(cells[0].get("xref", "x")) - PAD
    heads = [note for note in page.notes() if note.get("yref") == "paper" and note.get("y") == 1]
    if any(_is_wide(page, note, room) for note in heads):
        for note in heads:
            note.update(text=note["text"].replace("<br>", " "), textangle=-90)
    if any(_is_wide(page, note, room) for note in cells):
        for note in cells:
            note["text"] = _SIGNED.sub(r"\1\2\3", note["text"])


def _is_wide(page: Page, note: dict, room: float) -> bool:
    size = page.type_of(note)
    return printed_px(wrapped(note["text"].replace("<br>", " "), size, room), size) > room
