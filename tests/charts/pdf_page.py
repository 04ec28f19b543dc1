"""What stands on a printed page, read back from its PDF."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import combinations

import pdfplumber

_HAIR = 0.4  # points: neighbours may touch


@dataclass(frozen=True)
class Text:
    """Characters that stand behind one another; the box is in points from the page's upper left."""

    text: str
    box: tuple[float, float, float, float]
    points: float

    def overlaps(self, other: Text) -> bool:
        left, top, right, bottom = self.box
        x0, y0, x1, y1 = other.box
        return min(right, x1) - max(left, x0) > _HAIR and min(bottom, y1) - max(top, y0) > _HAIR


@dataclass(frozen=True)
class PrintedPage:
    """Width and height in points, the texts, names of fonts that are not embedded, and colours of areas (0..1)."""

    width: float
    height: float
    texts: list[Text]
    loose_fonts: set[str]
    fills: set[tuple[float, ...]]

    def cut(self) -> list[str]:
        """Texts that reach over the page's edge."""
        return [
            text.text
            for text in self.texts
            if min(text.box[:2]) < -_HAIR or text.box[2] > self.width + _HAIR or text.box[3] > self.height + _HAIR
        ]

    def collisions(self) -> list[tuple[str, str]]:
        """Pairs of texts that stand on one another."""
        return [(a.text, b.text) for a, b in combinations(self.texts, 2) if a.overlaps(b)]


def read_page(content: bytes) -> PrintedPage:
    """The only page of a PDF."""
    with pdfplumber.open(io.BytesIO(content)) as document:
        (page,) = document.pages
        colours = {tuple(rect["non_stroking_color"] or ()) for rect in page.rects}
        fills = {colour for colour in colours if all(isinstance(part, float | int) for part in colour)}
        return PrintedPage(float(page.width), float(page.height), _texts(page.chars), _loose_fonts(page), fills)


def _texts(chars: list[dict]) -> list[Text]:
    runs: list[list[dict]] = []
    for char in chars:
        if runs and _follows(runs[-1][-1], char):
            runs[-1].append(char)
        else:
            runs.append([char])
    return [_text(run) for run in runs if "".join(char["text"] for char in run).strip()]


def _points(char: dict) -> float:
    """Size of the type, whichever way the character is turned."""
    return char["bottom"] - char["top"] if char["upright"] else char["x1"] - char["x0"]


def _follows(last: dict, char: dict) -> bool:
    """Whether ``char`` stands right behind ``last``, on its line."""
    if last["upright"] != char["upright"]:
        return False
    size = _points(char)
    if char["upright"]:
        return abs(char["bottom"] - last["bottom"]) < 0.3 * size and -0.2 * size < char["x0"] - last["x1"] < 0.6 * size
    return abs(char["x0"] - last["x0"]) < 0.3 * size and -0.2 * size < last["top"] - char["bottom"] < 0.6 * size


def _text(run: list[dict]) -> Text:
    box = (
        min(char["x0"] for char in run),
        min(char["top"] for char in run),
        max(char["x1"] for char in run),
        max(char["bottom"] for char in run),
    )
    return Text("".join(char["text"] for char in run), box, min(_points(char) for char in run))


def _loose_fonts(page) -> set[str]:
    """Fonts without a program of their own in the file."""
    loose = set()
    for font in (page.page_obj.resources.get("Font") or {}).values():
        found = font.resolve()
        if found["Subtype"].name == "Type3":  # its glyphs are drawn in the file
            continue
        inner = found.get("DescendantFonts")
        inner = (inner if isinstance(inner, list) else inner.resolve())[0].resolve() if inner else found
        descriptor = inner["FontDescriptor"].resolve()
        if not {"FontFile", "FontFile2", "FontFile3"} & set(descriptor):
            loose.add(str(found["BaseFont"]))
    return loose
