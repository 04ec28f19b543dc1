"""The images page's table: one row per image, known by its row in images.parquet wherever it is shown.

A chart, a gallery or a table passes ``row`` on, never a position in what it happens to show.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import Groups
from cfs_explore.embedding import (
    EmbeddingError,
    Mixing,
    Settings,
    coordinates,
    mixing,
    nearest,
    snapshot_features,
)
from cfs_explore.figures import images as figures
from cfs_explore.figures.options import Control
from cfs_explore.images.statistics import STATISTICS
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run
from cfs_explore.ui import data
from cfs_explore.ui.gallery import has_pictures

CSV_COLUMNS = ("image_id", "set", "name", "label", "score")
ORDER = Control("images_order", "Order", {"high": "Highest score first", "low": "Lowest score first"})


def points(run: Run, settings: Settings, oods: Sequence[str], cells: Sequence[int], colour: str) -> pd.DataFrame:
    """``figures.images.points`` of ID-test and these OOD sets, by stored coordinates."""
    return figures.points(run, _coordinates(run, settings, tuple(oods)), cells, colour, _facts)


def sets(oods: Sequence[str]) -> list[tuple[str, str | None]]:
    """Role and name of the sets that the page shows."""
    return [("id_test", None), *(("ood", name) for name in oods)]


@data.kept(max_entries=32)
def _coordinates(run: Run, settings: Settings, oods: tuple[str, ...]) -> pd.DataFrame:
    return coordinates(run, settings, oods)


@data.kept(max_entries=24, ttl=600, show_spinner="Measuring the images")
def _facts(run: Run, role: str, name: str | None) -> pd.DataFrame:
    """Statistics of a set's thumbnails, and native sizes."""
    return figures.facts(run, role, name, data.images(run, role, name)["thumbnail"])


def colours(run: Run, oods: Sequence[str]) -> list[str]:
    """What can colour these sets: labels and statistics where there are any, native sizes where they differ."""
    shown = [data.images(run, *which) for which in sets(oods)]
    sizes = pd.concat([run.images(*which, columns=list(figures.NATIVE)) for which in sets(oods)])
    found = ["dataset", "score"]
    found += ["label"] * any((rows["label"] != "").any() for rows in shown)
    found += list(STATISTICS) * any(map(has_pictures, shown))
    return found + [key for key in figures.NATIVE if sizes[key].nunique() > 1]


@data.kept(max_entries=6, show_spinner="Reading snapshots")
def features(run: Run, taps: tuple[str, ...], role: str, name: str | None) -> np.ndarray:
    """Standardised snapshots (n, d) of a set."""
    return snapshot_features(run, taps, role, name)


@data.kept(max_entries=64, show_spinner="Looking for neighbours")
def mixed(run: Run, taps: tuple[str, ...], ood: str) -> Mixing | None:
    """How far an OOD set lies among the ID images; None for a single image."""
    try:
        both = (features(run, taps, *which) for which in sets([ood]))
        return mixing(*both, groups=Groups.of(*run.group_names(ood)))
    except EmbeddingError:
        if run.entry("ood", ood).count < 2:
            return None
        raise


def id_neighbours(run: Run, taps: tuple[str, ...], row: int, k: int) -> pd.DataFrame:
    """The k nearest ID-test images of an image, itself left out: row and distance, nearest first."""
    role, name, position = locate(run, row)
    of_id = features(run, taps, "id_test", None)
    found, distances = nearest(of_id, features(run, taps, role, name)[position], k + 1)
    frame = pd.DataFrame({"row": run.id_test.start + found, "distance": distances})
    return frame[frame["row"] != row].head(k).reset_index(drop=True)


def width(run: Run, taps: Sequence[str]) -> int:
    """Features of these taps' snapshots (theory 2)."""
    return sum(2 * tap.channels for tap in run.taps if tap.name in taps)


def locate(run: Run, row: int) -> tuple[str, str | None, int]:
    """Role and set of an image, and its position there, from its row in images.parquet.

    Raises:
        ValueError: no image has this row.
    """
    entry = next((entry for entry in run.manifest.sets if entry.start <= row < entry.start + entry.count), None)
    if entry is None:
        raise ValueError(f"No image has the row {row}.")
    return entry.role, entry.name if entry.role == "ood" else None, row - entry.start


def thumbnail(run: Run, row: int) -> bytes:
    """PNG of an image; empty where it is not to be had."""
    role, name, position = locate(run, row)
    return data.images(run, role, name)["thumbnail"].iloc[position]


def thumbnails(run: Run, oods: Sequence[str]) -> dict[int, bytes]:
    """Row -> PNG of every image of ID-test and of these OOD sets."""
    found: dict[int, bytes] = {}
    for which in sets(oods):
        pngs = data.images(run, *which)["thumbnail"]
        found.update(enumerate(pngs, run.entry(*which).start))
    return found


def gallery_rows(points: pd.DataFrame, selected: Collection[int] | None, order: str) -> pd.DataFrame:
    """The selected images, all where nothing is selected, by score; equal scores in the order of their rows."""
    shown = points if selected is None else points[points["row"].isin(list(selected))]
    return shown.sort_values("row").sort_values("score", ascending=order == "low", kind="stable", ignore_index=True)


def selection_csv(rows: pd.DataFrame) -> str:
    """image_id, set, name, label and score of these images."""
    return to_csv(rows.rename(columns={"dataset": "set"})[list(CSV_COLUMNS)])
