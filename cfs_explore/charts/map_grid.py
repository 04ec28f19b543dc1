"""The tidy map as a grid: rows = levels from clean to noisy, columns = taps in execution order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.wording import format_value

#: What every map figure needs, besides the metric's own column.
MAP_COLUMNS = (
    "level",
    "tap",
    "tap_index",
    "region",
    "depth",
    "resolution",
    "lam",
    "requested",
    "n_id",
    "n_ood",
)

#: Space between region groups, in cells.
REGION_GAP = 0.5


@dataclass(frozen=True)
class Group:
    """Neighbouring taps of one region; ``first`` and ``last`` are column numbers."""

    region: str
    first: int
    last: int


@dataclass(frozen=True)
class MapGrid:
    """Geometry and values of a map.

    Attributes:
        cells: one row of the tidy table per (level, tap), levels from clean to noisy, taps in order; absent
            cells are rows with the metric missing.
        values: the metric, shape (rows, columns), NaN where absent.
        lams: achieved log-SNR of each row, falling.
        taps: full name of each column.
        groups: region groups, in order.
        x: centre of each column; neighbouring groups are ``REGION_GAP`` apart.
        index: integer cell index ``level * T + tap_index`` (T = last tap_index + 1), shape (rows, columns).
    """

    cells: pd.DataFrame
    values: np.ndarray
    lams: list[float]
    taps: list[str]
    groups: tuple[Group, ...]
    x: np.ndarray
    index: np.ndarray

    @property
    def span(self) -> float:
        """Width of the grid in cells, gaps included."""
        return float(self.x[-1] - self.x[0] + 1)

    def padded(self) -> tuple[np.ndarray, list[list[float | None]]]:
        """Column edges and values with an empty column in each gap, as a heatmap trace wants them."""
        edges, columns = [self.x[0] - 0.5], []
        for j, centre in enumerate(self.x):
            if centre - 0.5 > edges[-1] + 1e-9:
                edges.append(centre - 0.5)
                columns.append(np.full(len(self.lams), np.nan))
            edges.append(centre + 0.5)
            columns.append(self.values[:, j])
        z = np.column_stack(columns)
        return np.array(edges), [[None if np.isnan(v) else float(v) for v in row] for row in z]


def map_grid(frame: pd.DataFrame, metric: str) -> MapGrid:
    """Arrange a tidy map (one OOD set; columns ``MAP_COLUMNS`` and ``metric``) as a grid."""
    require_columns(frame, (*MAP_COLUMNS, metric), "map")
    if frame.duplicated(["level", "tap_index"]).any():
        raise FigureDataError(
            "The map's table has several rows for one level and tap. Filter it to one OOD set, one head."
        )
    taps = frame.drop_duplicates("tap_index").sort_values("tap_index")
    levels = frame.drop_duplicates("level").sort_values("lam", ascending=False)
    keys = pd.MultiIndex.from_product([levels["level"], taps["tap_index"]], names=["level", "tap_index"])
    cells = frame.set_index(["level", "tap_index"]).reindex(keys).reset_index()
    shape = (len(levels), len(taps))
    for column in ("tap", "region", "depth", "resolution"):
        cells[column] = np.tile(taps[column].to_numpy(), shape[0])
    for column in ("lam", "requested"):
        cells[column] = np.repeat(levels[column].to_numpy(), shape[1])

    groups, x = region_groups(list(taps["region"]))
    width = int(taps["tap_index"].max()) + 1
    index = levels["level"].to_numpy(dtype=int)[:, None] * width + taps["tap_index"].to_numpy(dtype=int)[None, :]
    return MapGrid(
        cells=cells,
        values=cells[metric].to_numpy(dtype=float).reshape(shape),
        lams=[float(v) for v in levels["lam"]],
        taps=list(taps["tap"]),
        groups=groups,
        x=x,
        index=index,
    )


def region_groups(regions: list[str]) -> tuple[tuple[Group, ...], np.ndarray]:
    """Groups of neighbouring taps of one region, and the centre of each column."""
    groups, start = [], 0
    for region, members in groupby(regions):
        stop = start + len(list(members))
        groups.append(Group(region, start, stop - 1))
        start = stop
    x = np.concatenate([np.arange(g.first, g.last + 1) + k * REGION_GAP for k, g in enumerate(groups)])
    return tuple(groups), x


def lam_labels(lams: list[float]) -> list[str]:
    """'9.2', '5.0', ...; as many decimals as are needed to tell neighbours apart, at most three."""
    for decimals in (1, 2, 3):
        labels = [format_value(lam, decimals) for lam in lams]
        if len(set(labels)) == len(lams):
            break
    return labels
