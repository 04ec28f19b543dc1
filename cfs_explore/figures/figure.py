"""What a figure is."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.captions import sample_sizes, set_size
from cfs_explore.charts.map_marks import frame_open_cell
from cfs_explore.charts.sent import sent
from cfs_explore.charts.theme import unchecked_copy
from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics.groups import independent, members
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run, evenly_spaced


@dataclass(frozen=True)
class Figure:
    """A figure and what belongs to it.

    Attributes:
        chart: with the project's template.
        rows: the data behind the figure.
        caption: settings, n and method in one line; plain text.
        alt: for those who cannot see the figure; plain text.
        stem: of its files, without an ending.
        under: of a map whose open cell is framed, the same without the frame. That is what pages send, and lay the
            frame over it: else each click would draw the map again.
    """

    chart: go.Figure
    rows: pd.DataFrame
    caption: str
    alt: str
    stem: str
    under: Figure | None = None

    @property
    def figure(self) -> go.Figure:
        """``chart`` by its older name."""
        return self.chart

    @property
    def least_px(self) -> int:
        """The width in pixels below which its texts would run into each other; 0 where none would."""
        return (self.chart.layout.meta or {}).get("least_px", 0)

    @functools.cached_property
    def sent(self) -> dict[str, Any]:
        """``chart`` as a page sends it; made once, not to be changed."""
        return self.under.sent if self.under else sent(self.chart)


def framed(figure: Figure, cell: int) -> Figure:
    """A map with a frame around its open cell, where it has that cell."""
    chart = unchecked_copy(figure.chart)
    frame_open_cell(chart, cell)
    return replace(figure, chart=chart, under=figure)


def file_stem(run: Run, *parts: str) -> str:
    """Name of a file without its ending: the run and the parts, without blanks."""
    return "-".join([run.path.name, *parts]).replace(" ", "-")


def counts(run: Run, rows: pd.DataFrame | pd.Series, *oods: str) -> str:
    """'n = 421 ID, 250 OOD of 30 groups': ``sample_sizes`` with the groups that the images are of.

    Args:
        run: the exploration.
        rows: of a table, with n_id and n_ood.
        oods: the OOD sets whose images were taken together; without, each row has its own in the column ood.
    """
    frame = rows.to_frame().T if isinstance(rows, pd.Series) else rows
    parts = [(oods, frame)] if oods else [((ood,), part) for ood, part in frame.groupby("ood")]
    return sample_sizes(pd.concat([part.assign(**_groups(run, part, of)) for of, part in parts]))


def set_counts(run: Run, ood: str) -> str:
    """``counts`` of a figure of all images of ID-test and of an OOD set."""
    return counts(run, pd.Series({"n_id": run.id_test.count, "n_ood": run.entry("ood", ood).count}), ood)


def id_count(run: Run, n: int) -> str:
    """'n = 421 ID-test images of 30 groups', of a diagnostic that reads ``n`` images of ID-test."""
    found = members(run.names_of_groups("id_test")[evenly_spaced(run.id_test.count, n)])
    row = pd.DataFrame({"n_id": [n], "id_groups": [n if found is None else found.count]})
    return f"n = {set_size(row, 'id', 'ID-test images')}"


def _groups(run: Run, rows: pd.DataFrame, oods: tuple[str, ...]) -> dict[str, int]:
    """Groups with ID images, with OOD images, with both; of a part of a set, which is evenly spaced."""
    n = int(rows["n_id"].max()), int(rows["n_ood"].max())
    names = (part[evenly_spaced(len(part), many)] for part, many in zip(run.group_names(*oods), n, strict=True))
    groups = Groups.of(*names)
    both = groups.shared if groups else 0
    return dict(zip(("id_groups", "ood_groups", "shared_groups"), (*independent(groups, *n), both), strict=True))


def csv_text(figure: Figure) -> str:
    """The figure's data as a CSV file, which page and command line write alike."""
    return to_csv(figure.rows)
