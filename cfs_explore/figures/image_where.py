"""Where in one image its score comes from: the picture with the score map over it, and the channels behind a position.

Both load the run's backbone and show it the image; torch loads then, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.charts.where_map import position_channels_chart, where_map_chart
from cfs_explore.contracts import DEVIATION, PARTS, SCORE
from cfs_explore.errors import RunError
from cfs_explore.figures.backbone import backbone_of, measured_image
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label, preset_cells
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.image import IMAGE, ROLE, Image, find
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_digits, format_value

if TYPE_CHECKING:
    from cfs_explore.probe.inputs import ProbeImage
    from cfs_explore.probe.where import Where

PART = Control(
    "where_part",
    "The picture shows",
    {SCORE: "Score", DEVIATION: "Deviation"},
    help="Score: what each position adds to the slot score, whose mean over positions it is; below 0 a position speaks "
    "for ID. Deviation: how far a position lies from ID-train, about 1 on ID images.",
)
#: Of ``BY``: the open cell.
OPEN = "cell"
BY = Control(
    "where_by",
    "By",
    lambda run: {OPEN: "Open cell", **{name: name for name in preset_cells(run)}},
    help="Whose score is taken apart: that of the cell that is open in the map, or of a published detector, the mean "
    "of its cells' maps.",
    drawn="select",
    width=130,
)
STRENGTH = Control(
    "where_strength",
    "Strength",
    {tenth / 10: f"{10 * tenth} %" for tenth in range(11)},
    0.8,
    help="How much the strongest colours hide of the picture.",
    drawn="slider",
    width=140,
    between=(0.0, 1.0),
)
AT = Control("where_at", "Position (default: the highest)", written="row.column, 1.1 at the upper left")
#: Channels that are drawn.
_TOP = 8


class Looked(NamedTuple):
    """An image as the backbone took it, and where its score by some cells comes from."""

    image: ProbeImage
    where: Where


def by_cells(run: Run, choices: Choices) -> tuple[str, list[int]]:
    """What people call the detector that is asked for, and its cells."""
    by = BY.read(BY.of(choices.options, run), run)
    return (cell_label(run, choices.cell), [choices.cell]) if by == OPEN else (by, preset_cells(run)[by])


def over_picture(run: Run, choices: Choices, theme: str) -> Figure:
    """The picture with the map over it, by the run's own backbone."""
    image, _, seen, where = _looked(run, choices)
    return over(run, choices, image, seen, where, theme)


def channels(run: Run, choices: Choices, theme: str) -> Figure:
    """The channels that add most at a position, by the run's own backbone."""
    image, cells, seen, where = _looked(run, choices)
    if len(cells) > 1:
        raise NotMeasuredError("A detector of several cells has no channels of its own: choose one of its cells.")
    position = position_of(AT.of(choices.options), where, PART.of(choices.options))
    parts = backbone_of(run).channels(seen, run.cell(cells[0]), position)
    return behind(run, choices, image, where, position, parts, theme)


def _looked(run: Run, choices: Choices) -> tuple[Image, list[int], ProbeImage, Where]:
    image, (_, cells), probe = find(run, choices), by_cells(run, choices), backbone_of(run)
    rows = run.images(image.role, image.name, columns=("image_id", "name", "label", "thumbnail"))
    seen = measured_image(run, run.entry(image.role, image.name), rows.iloc[image.row])
    return image, cells, seen, probe.where(seen, [run.cell(cell) for cell in cells])


def nothing_to_localise(by: str, where: Where) -> str:
    """Why there is nothing to see; "" where there is."""
    if where.maps[0].size > 1:
        return ""
    return (
        f"The map of {by} has one position, the whole image: there is nothing to localise. Its slot score is "
        f"{format_value(where.score, 2)}."
    )


def over(run: Run, choices: Choices, image: Image, seen: ProbeImage, where: Where, theme: str) -> Figure:
    """The picture with the map over it.

    Args:
        run, choices, theme: as of the catalogue.
        image: of the run.
        seen: its pixels as the backbone took them.
        where: of it, by the cells of ``by_cells``.

    Raises:
        NotMeasuredError: the map has one position.
    """
    by, cells = by_cells(run, choices)
    if why := nothing_to_localise(by, where):
        raise NotMeasuredError(why)
    part, strength = PART.of(choices.options), STRENGTH.number(choices.options)
    rows, columns = np.indices(where.maps.shape[1:]) + 1
    table = pd.DataFrame(
        {"row": rows.ravel(), "column": columns.ravel()} | {name: where.part(name).ravel() for name in PARTS}
    )
    height, width = where.maps.shape[1:]
    values = where.part(part)
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    what = "adds to the score" if part == SCORE else "deviates from ID-train"
    return Figure(
        where_map_chart(seen.pixels, where.maps, part, strength, theme),
        table,
        f"{image.file} of {image.name}, {by}: {_method(run, part, len(cells), where)} {colours(part, [where])} "
        f"Mean of {counted(run.draws, 'noise draw')}; statistics of n = {run.entry('id_train').count:,} ID-train "
        "images.",
        f"The picture as the network saw it, and how much each of {height} × {width} positions {what}: from "
        f"{format_value(float(values.min()), 2)} to {format_value(float(values.max()), 2)}, the most in row {row + 1} "
        f"of {height}, column {column + 1} of {width}.",
        file_stem(run, image.name, image.image_id, "where", part),
    )


def _method(run: Run, part: str, cells: int, where: Where) -> str:
    height, width = where.maps.shape[1:]
    positions = f"{height} × {width} positions"
    if part == DEVIATION:
        return f"how far each of {positions} lies from ID-train, squared, in variances of an ID image's positions."
    score = format_value(where.score)
    if cells == 1:
        return f"what each of {positions} adds to the score; their mean, {score}, is the slot score."
    return f"what each of {positions} adds to the score, mean of {cells} cells' maps; the score is {score}."


def colours(part: str, maps: list[Where]) -> str:
    """What colours and lines mean, in a sentence."""
    values = [each.part(part) for each in maps]
    end = overlay.reach(values, part)
    solid, dotted = (format_digits(value, 3) for value in overlay.line_values(part, end))
    if part == DEVIATION:
        return (
            f"Blue, within solid lines above {solid}: farther from ID-train than ID images are on average. Clear, "
            f"within dotted lines below {dotted}: nearer. ID images have both."
        )
    return (
        f"Blue, within solid lines above {solid}: speaks for OOD. Brown, within dotted lines below {dotted}: speaks "
        "for ID. Clear: says little. ID images have both, and a mean of about 1."
    )


def position_of(text: str, where: Where, part: str) -> int:
    """The position 'row.column', from 1, in the map, row by row; the highest for "".

    Raises:
        RunError: the map has none such.
    """
    values = where.part(part)
    height, width = values.shape
    if not text:
        return int(values.argmax())
    row, dot, column = text.partition(".")
    numbers = dot and all(each.isascii() and each.isdigit() and len(each) < 6 for each in (row, column))
    if numbers and 1 <= int(row) <= height and 1 <= int(column) <= width:
        return (int(row) - 1) * width + int(column) - 1
    raise RunError(
        f"The option 'where_at' must be row.column, from 1.1 to {height}.{width} in this map. Got {text!r} instead."
    )


def position_text(position: int, where: Where) -> str:
    """The inverse."""
    row, column = divmod(position, where.maps.shape[2])
    return f"{row + 1}.{column + 1}"


def behind(
    run: Run, choices: Choices, image: Image, where: Where, position: int, parts: np.ndarray, theme: str
) -> Figure:
    """The channels that add most at a position of one cell's map.

    Args:
        run, choices, image, where, theme: as of ``over``.
        position: in the map, row by row.
        parts: of ``Probe.channels``, (3, C).
    """
    part = PART.of(choices.options)
    mean, std, deviation = parts.astype(float)
    table = pd.DataFrame(
        {"channel": np.arange(len(mean)), "mean": mean, "std": std, "score": mean + std, "deviation": deviation}
    )
    table = table.sort_values(part, ascending=False, key=np.abs, kind="stable").reset_index(drop=True)
    by, _ = by_cells(run, choices)
    row, column = position_text(position, where).split(".")
    shown, whole = table.head(_TOP), float(table[part].sum())
    first = table.iloc[0]
    if part == SCORE:
        said = (
            f"The position adds {format_value(whole, 2)} to the score: {format_value(float(mean.sum()), 2)} by the "
            f"channels' means, {format_value(float(std.sum()), 2)} by their standard deviations. Negative: speaks for "
            "ID."
        )
    else:
        said = f"The position's deviation is {format_value(whole, 2)}, about 1 on ID images."
    return Figure(
        position_channels_chart(shown, part, theme),
        table,
        f"{image.file} of {image.name}, {by}, row {row}, column {column}: the {len(shown)} channels of {len(table)} "
        f"that add most there, up or down; mean of {counted(run.draws, 'noise draw')}. {said}",
        f"What {len(shown)} channels add at row {row}, column {column}; the most is {format_value(first[part])}, by "
        f"channel {int(first['channel'])}.",
        file_stem(run, image.name, image.image_id, "where", part, f"{row}.{column}"),
    )


_OF, _OPTIONS = ("ood", "cell"), (IMAGE, ROLE, PART, BY)
KINDS = {
    "image-where": Kind("Where in one image its score comes from", over_picture, _OF, (*_OPTIONS, STRENGTH)),
    "image-where-channels": Kind("The channels behind one position of that map", channels, _OF, (*_OPTIONS, AT)),
}
