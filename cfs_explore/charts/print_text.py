"""How wide printed text is, and where to break it: Arial's widths, so that no browser need be asked."""

from __future__ import annotations

import re

#: Widths of Arial's characters in em; Helvetica and Liberation Sans have the same.
_EM = {
    letter: width
    for letters, width in (
        ("ijl'|", 0.22),
        (" !,./:;I[]ft·", 0.28),
        ("()-r`*", 0.34),
        ("ckvsxyzJλ", 0.5),
        ("0123456789abdeghnopquL_?$#", 0.556),
        ("+<=>−×±÷~", 0.584),
        ("FTZ", 0.611),
        ("ABEKPSVXYΔ&", 0.667),
        ("CDHNRUw", 0.722),
        ("GOQ", 0.778),
        ("Mm", 0.833),
        ("W%→…@", 1.0),
    )
    for letter in letters
}
_OTHER_EM, _BOLD = 0.6, 1.08
LINE = 1.3
_BREAK = re.compile(r"<br\s*/?>")
#: A text is broken between these; an interval, an error and a level stay whole where they can.
_PIECES = re.compile(r"\[[^\]]*\]\S*|(?:±|λ =|λ [−+]) \S+|\S+")


def lines_of(text: str) -> list[str]:
    """The lines of a label of plotly."""
    return _BREAK.split(text)


def printed_px(text: str, font_px: float) -> float:
    """Width of the widest line of a label, in pixels."""
    heavy = _BOLD if "<b>" in text else 1.0
    plain = (re.sub("<[^>]*>", "", line) for line in lines_of(text))
    return max(heavy * font_px * sum(_EM.get(letter, _OTHER_EM) for letter in line) for line in plain)


def height_px(text: str, font_px: float) -> float:
    """Height of a label, in pixels."""
    return LINE * font_px * len(lines_of(text))


def wrapped(text: str, font_px: float, room: float) -> str:
    """``text`` with line breaks, so that no line is wider than ``room``; unchanged where it fits.

    Broken where parts meet (' · ') before it is broken between words, and within an interval last. A word that is
    wider than ``room`` stays.
    """
    return "<br>".join(_wrapped_line(line, font_px, room, "<b>" in text) for line in lines_of(text))


def _wrapped_line(line: str, font_px: float, room: float, bold: bool) -> str:
    def fits(text: str) -> bool:
        return printed_px(f"<b>{text}" if bold else text, font_px) <= room

    if fits(line):
        return line
    if " · " in line:
        return "<br>".join(_wrapped_line(part, font_px, room, bold) for part in line.split(" · "))
    rows: list[str] = []
    for piece in _PIECES.findall(line):
        for part in [piece] if fits(piece) else piece.split():
            if rows and fits(f"{rows[-1]} {part}"):
                rows[-1] += f" {part}"
            else:
                rows.append(part)
    return "<br>".join(rows)
