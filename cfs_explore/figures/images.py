"""The images page's figure: every image as a point by its snapshot (theory 3, 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.charts import Colouring, embedding_scatter_chart, short_tap_name
from cfs_explore.charts.embedding_scatter import COLOUR_PERCENTILES
from cfs_explore.embedding import Settings, coordinates
from cfs_explore.errors import CFSError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import detector_name, detector_of
from cfs_explore.figures.figure import Figure, counts, file_stem, id_count
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.figures.options import Control, Several
from cfs_explore.images.statistics import STATISTICS
from cfs_explore.images.thumbnail_statistics import thumbnail_statistics
from cfs_explore.store import Run
from cfs_explore.wording import format_value, percent

METHODS = {"pca": "PCA", "umap": "UMAP"}
NATIVE = {"width": "native width in pixels", "height": "native height in pixels"}
#: Column -> what the choice of colours and the colour bar call it.
COLOURS = {"dataset": "set", "label": "label", "score": "score", **{key: key for key in STATISTICS}, **NATIVE}
#: What to do where a run keeps no snapshots.
HOW_TO_KEEP = (
    "Name taps under `keep` in the spec (`sparse_ed` for the published pair, or names; their λ as `keep_level`) and "
    "run again"
)


def default_taps(run: Run) -> list[int]:
    """Positions of the kept taps of the published pair; else of the first that was kept; in order of execution."""
    kept = run.manifest.kept["taps"]
    pair = [tap for tap in run.manifest.presets.get("sparse_ed", []) if tap in kept]
    return [place for place, tap in enumerate(run.taps) if tap.name in (pair or kept[:1])]


def _kept_taps(run: Run) -> dict[int, str]:
    kept = run.manifest.kept["taps"]
    return {place: short_tap_name(tap.name) for place, tap in enumerate(run.taps) if tap.name in kept}


@dataclass(frozen=True)
class KeptTaps(Several):
    """Taps whose snapshots were kept, by their short or full names."""

    def find(self, text: str, run: Run | None = None) -> int:
        """The inverse of ``one``."""
        return super().find(next((short_tap_name(tap.name) for tap in run.taps if tap.name == text), text), run)


METHOD = Control(
    "images_method",
    "Method",
    METHODS,
    help="PCA: the two directions in which ID images vary most; quick, and distances keep their meaning. UMAP: "
    "keeps neighbours together; shows clusters, but its distances and densities mean nothing.",
    former=("method",),
)
COLOUR = Control(
    "images_colour",
    "Colour",
    {key: words.capitalize() for key, words in COLOURS.items()},
    help="Set: blue circles are ID. Score: of the detector under More. The others are plain statistics of the "
    "pixels, to see whether they explain the figure.",
    drawn="select",
    width=140,
    former=("colour",),
)
TAPS = KeptTaps(
    "images_taps",
    "Taps",
    _kept_taps,
    default_taps,
    "The taps whose snapshots are compared. Several taps are concatenated with equal weight, as in the score CFS(1×L).",
    width=280,
    written="taps whose snapshots were kept, comma-separated",
    former=("taps",),
    noun="kept tap",
)
SETS = Several(
    "images_sets",
    "OOD sets",
    lambda run: dict(enumerate(run.ood_names)),
    help="Shown beside the in-distribution test images, on which PCA or UMAP is fitted.",
    width=260,
    written="OOD sets, comma-separated",
    former=("sets",),
    noun="OOD set",
)
NEIGHBORS = Control(
    "images_neighbors",
    "UMAP: neighbours",
    {count: str(count) for count in (5, 15, 30, 60, 120)},
    15,
    "Few: fine structure and many islands. Many: the coarse shape.",
    drawn="slider",
    between=(2, 1000),
    former=("neighbors",),
)
MIN_DIST = Control(
    "images_min_dist",
    "UMAP: least distance",
    {distance: str(distance) for distance in (0.0, 0.1, 0.3, 0.8)},
    0.1,
    "How close points may lie in the figure (min_dist).",
    drawn="slider",
    between=(0.0, 0.99),
    former=("min_dist",),
)


def colour_title(colour: str, detector: str) -> str:
    """What a colour bar says; ``detector`` is the name of the one that scores."""
    return f"score, {detector}" if colour == "score" else COLOURS[colour]


def facts(run: Run, role: str, name: str | None, thumbnails: Sequence[bytes] | None = None) -> pd.DataFrame:
    """Statistics of a set's thumbnails (by default the stored ones), and native sizes, a row per image."""
    if thumbnails is None:
        thumbnails = run.images(role, name, columns=("thumbnail",))["thumbnail"]
    native = run.images(role, name, columns=list(NATIVE))
    return pd.concat([thumbnail_statistics(thumbnails), native.reset_index(drop=True)], axis=1)


def points(
    run: Run,
    places: pd.DataFrame,
    cells: Sequence[int],
    colour: str,
    facts: Callable[[Run, str, str | None], pd.DataFrame] = facts,
) -> pd.DataFrame:
    """ID-test and OOD images: role, dataset, image_id, x, y, row (in images.parquet), name, label, score, the colour's.

    Args:
        run: the exploration.
        places: of ``embedding.coordinates``, whose ``attrs`` the result has.
        cells: numbers of those of the detector that scores.
        colour: a key of COLOURS.
        facts: gives those of a set, where the colour is one of them.
    """
    parts = []
    for role, name in places[["role", "dataset"]].drop_duplicates().itertuples(index=False):
        name = name if role == "ood" else None
        rows, scores = run.entry(role, name), detector_of(run, cells).scores(run, role, name)
        part = run.derived(_names, role, name).assign(score=scores)
        part.insert(0, "row", rows.start + np.arange(rows.count))
        if colour not in ("dataset", *part):
            part[colour] = facts(run, role, name)[colour].to_numpy()
        parts.append(part)
    frame = pd.concat([places.drop(columns="position"), pd.concat(parts, ignore_index=True)], axis=1)
    frame.attrs = places.attrs
    return frame


def _names(run: Run, role: str, name: str | None) -> pd.DataFrame:
    return run.images(role, name, columns=("name", "label"))


def points_figure(
    run: Run,
    points: pd.DataFrame,
    settings: Settings,
    colouring: Colouring,
    *,
    selected: Collection[int] | None = None,
    picked: int | None = None,
    theme: str = "light",
) -> Figure:
    """ID-test and OOD images by two coordinates of their snapshots.

    Args:
        run: the exploration.
        points: of ``points``.
        settings: of the coordinates.
        colouring: what the colour says.
        selected, picked: rows in images.parquet to be drawn so.
        theme: "light" or "dark".
    """
    axes = tuple(
        f"PC {i} ({percent(share)} of the ID variance)" for i, share in enumerate(points.attrs["explained"], 1)
    )
    counted_sets = ", ".join(f"{count:,} {name}" for name, count in points["dataset"].value_counts(sort=False).items())
    return Figure(
        embedding_scatter_chart(points, colouring, axes or None, selected=selected, picked=picked, theme=theme),
        points,
        _caption(run, points, settings, colouring),
        f"Scatter of images by two coordinates ({settings.method.upper()}) of their snapshots: {counted_sets}.",
        file_stem(run, *points.loc[points["role"] == "ood", "dataset"].unique(), "images", settings.method),
    )


def _caption(run: Run, points: pd.DataFrame, settings: Settings, colouring: Colouring) -> str:
    n_id, n_ood = (int((points["role"] == role).sum()) for role in ("id_test", "ood"))
    names = points.loc[points["role"] == "ood", "dataset"].unique()
    sizes = id_count(run, n_id)
    if len(names):
        sizes = f"{counts(run, pd.Series({'n_id': n_id, 'n_ood': n_ood}), *names)} ({', '.join(names)})"
    taps = ", ".join(map(short_tap_name, settings.taps))
    lam = format_value(run.levels[run.manifest.kept["level"]].lam, 1)
    how = "PCA"
    if settings.method == "umap":
        how = f"UMAP ({settings.neighbors} neighbours, min_dist {settings.min_dist:g}, seed {settings.seed})"
    low, high = COLOUR_PERCENTILES
    ends = f" Colour scale ends at the {low}nd and {high}th percentile." if colouring.is_number else ""
    return (
        f"Snapshots of {taps} at λ {lam}, first noise draw, standardised by ID-train; {how} fitted on ID-test, "
        f"OOD images projected into it; {sizes}.{ends}"
    )


def scatter(run: Run, choices: Choices, theme: str) -> Figure:
    """ID-test and OOD images as points by their snapshots."""
    if not default_taps(run):
        raise NotMeasuredError(f"This reads snapshots, and {run.name} keeps none. {HOW_TO_KEEP}.")
    settings, oods = _settings(run, choices), [choices.ood]
    if (sets := SETS.said(choices.options)) is not None:
        oods = [run.ood_names[place] for place in SETS.read(sets, run)]
    try:
        places = coordinates(run, settings, oods, keep=False)
    except CFSError as error:
        raise NotMeasuredError(str(error)) from error
    colour = COLOUR.of(choices.options)
    table = points(run, places, choices.cells, colour)
    if table[colour].isna().all():
        raise NotMeasuredError(f"{COLOURS[colour].capitalize()} needs thumbnails, and these sets have none here.")
    colouring = Colouring(colour, colour_title(colour, detector_name(run, choices.cells)))
    return points_figure(run, table, settings, colouring, theme=theme)


def _settings(run: Run, choices: Choices) -> Settings:
    places = sorted(TAPS.read(TAPS.of(choices.options, run), run))
    return Settings(
        tuple(run.taps[place].name for place in places),
        METHOD.of(choices.options),
        NEIGHBORS.number(choices.options),
        MIN_DIST.number(choices.options),
    )


KINDS = {
    "images-scatter": Kind(
        "Images as points by their snapshots",
        scatter,
        ("ood", "cells"),
        (METHOD, COLOUR, TAPS, SETS, NEIGHBORS, MIN_DIST),
    )
}
