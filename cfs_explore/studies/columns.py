"""Columns of the tables: name, kind, unit and meaning; those that many tables share are written here, once."""

from __future__ import annotations

from typing import NamedTuple

#: Kind -> what its values are.
KINDS = {
    "f": "number",
    "i": "whole number",
    "b": "truth value",
    "s": "text",
    "x": "bytes",
    "I": "list of whole numbers",
}


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        name: in the file.
        kind: one of ``KINDS``.
        meaning: what a value says, with its number in the theory.
        unit: of the values; "" where they have none.
        gaps: whether values may be missing; those of numbers may always (NaN).
        optional: whether older runs, or some, lack the column.
    """

    name: str
    kind: str
    meaning: str
    unit: str = ""
    gaps: bool = False
    optional: bool = False


def number(name: str, meaning: str, unit: str = "", **more: bool) -> Column:
    return Column(name, "f", meaning, unit, **more)


def whole(name: str, meaning: str, unit: str = "", **more: bool) -> Column:
    return Column(name, "i", meaning, unit, **more)


def truth(name: str, meaning: str, **more: bool) -> Column:
    return Column(name, "b", meaning, **more)


def text(name: str, meaning: str, **more: bool) -> Column:
    return Column(name, "s", meaning, **more)


def interval(
    name: str, meaning: str, unit: str = "", by: str = "", ends: tuple[str, str] | None = None, **more: bool
) -> tuple[Column, Column, Column]:
    """A value and the limits of its 95 % interval.

    Args:
        by: the method of the limits.
        ends: names of the limits; None: the value's with _lo and _hi.
    """
    names = ends or (f"{name}_lo", f"{name}_hi")
    how = f" ({by})" if by else ""
    limits = [
        number(limit, f"{side} 95 % limit of `{name}`{how}", unit, **more)
        for limit, side in zip(names, ("Lower", "Upper"), strict=True)
    ]
    return number(name, meaning, unit, **more), *limits


def auroc(of: str, *, name: str = "auroc", ends: tuple[str, str] | None = ("lo", "hi"), **more: bool):
    """An AUROC, ID-test against the OOD set, and its limits."""
    return interval(name, f"AUROC of {of}; ties count one half", SHARE, DELONG, ends, **more)


SHARE, LOG_SNR, IMAGES, POSITION = "0 to 1", "log-SNR", "images", "position"
#: How limits of one AUROC, and of the difference of two, come about.
DELONG, PAIRED = "DeLong variance, theory 27 and 28", "paired DeLong, theory 27 and 28"

OOD = text("ood", "Name of the OOD set")
LEVEL = whole("level", "Level of the run, from 0, the cleanest first", POSITION)
LAM = number("lam", "Log-SNR of the level as the backbone has it (1)", LOG_SNR)
REQUESTED = number("requested", "Log-SNR of the level as the spec asks for it (1)", LOG_SNR)
TAP = text("tap", "Name of the tap, the module whose output is read (2)")
TAP_INDEX = whole("tap_index", "Tap of the run, from 0, in the order of execution", POSITION)
REGION = text("region", "Where the tap is: input, encoder, middle, decoder or output")
DEPTH = number("depth", "Share of the forward's work that is done at the tap", SHARE)
RESOLUTION = whole("resolution", "Side of the tap's map; of the patch grid for tokens", "positions")
N_ID = whole("n_id", "ID-test images behind the row", IMAGES)
N_OOD = whole("n_ood", "OOD images behind the row", IMAGES)
SIZES = (N_ID, N_OOD)
DRAWS = whole("draws", "Noise draws of the map, over which a cell's score is averaged", "draws")
#: Of older runs without groups: as many as images.
GROUPS = (
    whole("id_groups", "Groups of ID-test images that belong together (28)", "groups", optional=True),
    whole("ood_groups", "Groups of OOD images that belong together (28)", "groups", optional=True),
    whole("shared_groups", "Groups that hold images of both sides (28)", "groups", optional=True),
)
#: All columns of a tap, and of a cell.
TAP_FACTS = (TAP, TAP_INDEX, REGION, DEPTH)
CELL = (LEVEL, TAP, TAP_INDEX, REGION, DEPTH, RESOLUTION, LAM, REQUESTED)
