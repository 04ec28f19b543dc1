"""A figure on its way to print, as the rules of the layout see it."""

from __future__ import annotations

from dataclasses import dataclass

#: Between things, in pixels.
PAD = 4.0


@dataclass
class Page:
    """A figure on its way to print.

    Attributes:
        data, layout: of the figure's dictionary; changed in place.
        width: of the page, in pixels.
        small: type of ticks and titles, in pixels.
        rows_px: height between the margins in the app, in printed pixels; of a chart of rows.
    """

    data: list[dict]
    layout: dict
    width: float
    small: float
    rows_px: float = 0.0

    @property
    def kind(self) -> str:
        """What the chart says that it is: map, rows, square, wide or nothing."""
        return (self.layout.get("meta") or {}).get("kind", "")

    @property
    def plot_px(self) -> float:
        """Width between the margins."""
        return self.width - self.layout["margin"]["l"] - self.layout["margin"]["r"]

    def axes(self, letter: str) -> list[dict]:
        """The axes that are drawn, of 'x' or 'y'."""
        found = [axis for name, axis in self.layout.items() if name.startswith(f"{letter}axis")]
        return [axis for axis in found if axis.get("visible", True)]

    def axis(self, reference: str) -> dict:
        """The axis of 'x2', 'y' or 'x3 domain'."""
        return self.layout.get(f"{reference[0]}axis{reference.split()[0][1:]}", {})

    def column_px(self, reference: str) -> float:
        """Width of one unit of an x axis with a range."""
        low, high = self.axis(reference)["range"]
        return self.plot_px / abs(high - low)

    def notes(self) -> list[dict]:
        """Annotations with a text."""
        return [note for note in self.layout.get("annotations", []) if note.get("text")]

    def type_of(self, item: dict, key: str = "font") -> float:
        """Type of an annotation, or of the ticks ("tickfont") of an axis."""
        return (item.get(key) or {}).get("size", self.small)
