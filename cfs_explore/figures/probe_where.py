"""Where in the images the probe's slot scores come from (theory 22, 23): scales, words, and the figure of a tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.charts import where_overlay as overlay
from cfs_explore.charts.where_pair import where_pair_chart
from cfs_explore.contracts import DEVIATION, PARTS, SCORE
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.store import Run
from cfs_explore.wording import format_digits, format_value

if TYPE_CHECKING:
    from cfs_explore.contracts import Tap
    from cfs_explore.probe.seen import Seen, TapView


def where(run: Run, view: TapView, seen: Seen, roles: Mapping[str, str], theme: str) -> Figure:
    """Each image with what its positions add to the slot score at a tap, beside how far they lie from ID-train.

    Args:
        run: the exploration.
        view: what the tap made of the images.
        seen: the forward that the view is of.
        roles: what each image is called -> "id" or "ood".
        theme: "light" or "dark".

    Raises:
        NotMeasuredError: the tap's map is a single position.
    """
    tap, maps = view.tap, view.where
    height, width = maps.shape[2:]
    if why := nothing_to_localise(tap, (height, width)):
        raise NotMeasuredError(why)
    ends = {part: overlay.reach(maps[:, k], part) for k, part in enumerate(PARTS)}
    pictures = {name: image.pixels for name, image in zip(roles, seen.images, strict=True)}
    image, row, column = (places.ravel() for places in np.indices((len(maps), height, width)))
    rows = {"image": np.array(list(roles))[image], "row": row + 1, "column": column + 1}
    return Figure(
        where_pair_chart(pictures, maps, ends, theme),
        pd.DataFrame(rows | {part: maps[:, k].ravel() for k, part in enumerate(PARTS)}),
        _caption(run, view, seen, ends),
        " ".join(_strongest(name, of_image) for name, of_image in zip(roles, maps, strict=True)),
        file_stem(run, "probe", tap.name, "where"),
    )


def _caption(run: Run, view: TapView, seen: Seen, ends: Mapping[str, float]) -> str:
    (height, width), level = view.where.shape[2:], format_value(seen.level.lam, 2)
    solid, dotted = (text for _, text in keys(ends))
    return (
        f"{short_tap_name(view.tap.name)} at λ = {level}, noise draw {seen.draw}, {height} × {width} positions. Left: "
        "what each adds to the slot score, their mean. Right: squared distance from ID-train, about 1 on ID images. "
        f"Statistics of {run.entry('id_train').samples:,} ID-train snapshots at "
        f"λ = {format_value(run.levels[seen.position].lam, 2)}. Within solid lines {solid}. Within dotted lines "
        f"{dotted}."
    )


def nothing_to_localise(tap: Tap, sides: Sequence[int]) -> str:
    """Why there is nothing to see; "" where there is."""
    if tuple(sides) != (1, 1):
        return ""
    return f"The map of {short_tap_name(tap.name)} has one position, the whole image: there is nothing to localise."


def keys(ends: Mapping[str, float]) -> list[tuple[str, str]]:
    """How lines are drawn, and what lies within them, on scales that end there."""
    lines = {part: [format_digits(at, 3) for at in overlay.line_values(part, ends[part])] for part in PARTS}
    (solid, dotted), (far, near) = lines[SCORE], lines[DEVIATION]
    return [
        ("solid", f"OOD-like, blue: adds more than {solid}, or deviation above {far}"),
        ("dotted", f"ID-like: adds less than {dotted} (brown), or deviation below {near} (clear)"),
    ]


def _strongest(name: str, maps: np.ndarray) -> str:
    """The image's maps in words."""
    said = []
    for values, what in zip(maps, ("adds most to the score", "deviates most"), strict=True):
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        said.append(f"{what} in row {row + 1}, column {column + 1}, {format_value(float(values.max()), 2)}")
    return f"{name} {' and '.join(said)}; score {format_value(float(maps[0].mean()))}."
