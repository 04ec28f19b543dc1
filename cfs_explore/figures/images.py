"""The images page's figure: every image as a point by its snapshot (theory 3, 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pandas as pd

from cfs_explore.charts import Colouring, embedding_scatter_chart, short_tap_name
from cfs_explore.charts.embedding_scatter import COLOUR_PERCENTILES
from cfs_explore.charts.theme import format_value
from cfs_explore.embedding import Settings, coordinates
from cfs_explore.errors import CFSError, RunError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import detector_name, detector_of
from cfs_explore.figures.figure import Figure, counts, file_stem, id_count
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.figures.options import Option, read_number, read_whole_number
from cfs_explore.images.statistics import STATISTICS
from cfs_explore.images.thumbnail_statistics import thumbnail_statistics
from cfs_explore.store import Run

METHODS = {"pca": "PCA", "umap": "UMAP"}
NATIVE = {"width": "native width in pixels", "height": "native height in pixels"}
#: Column -> what the choice of colours and the colour bar call it.
COLOURS = {"dataset": "set", "label": "label", "score": "score", **{key: key for key in STATISTICS}, **NATIVE}
METHOD = Option("method", "pca", "how many features become two coordinates", tuple(METHODS))
COLOUR = Option("colour", "dataset", "what the points' colour says; score: of the detector", tuple(COLOURS))
TAPS = Option("taps", "", "comma-separated taps whose snapshots were kept (default: the published pair)")
SETS = Option("sets", "", "comma-separated OOD sets (default: the OOD set)")
NEIGHBORS = Option("neighbors", "15", "of UMAP")
MIN_DIST = Option("min_dist", "0.1", "of UMAP: how close points may come")
#: What to do where a run keeps no snapshots.
HOW_TO_KEEP = (
    "Name taps under `keep` in the spec (`sparse_ed` for the published pair, or names; their λ as `keep_level`) and "
    "run again"
)


def default_taps(run: Run) -> list[str]:
    """The kept taps of the published pair; else the first that was kept; in order of execution."""
    kept = run.manifest.kept["taps"]
    pair = [tap for tap in run.manifest.presets.get("sparse_ed", []) if tap in kept]
    return [tap.name for tap in run.taps if tap.name in (pair or kept[:1])]


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
        cells: indices (level * taps + tap) of the detector that scores.
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
        f"PC {i} ({100 * share:.0f} % of the ID variance)" for i, share in enumerate(points.attrs["explained"], 1)
    )
    told = ", ".join(f"{count:,} {name}" for name, count in points["dataset"].value_counts(sort=False).items())
    return Figure(
        embedding_scatter_chart(points, colouring, axes or None, selected=selected, picked=picked, theme=theme),
        points,
        _caption(run, points, settings, colouring),
        f"Scatter of images by two coordinates ({settings.method.upper()}) of their snapshots: {told}.",
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
    ends = f" Colours end at the {low}nd and {high}th percentile." if colouring.is_number else ""
    return (
        f"Snapshots of {taps} at λ {lam}, first draw, standardised by ID-train; {how} fitted on ID-test, OOD placed "
        f"among it; {sizes}.{ends}"
    )


def scatter(run: Run, choices: Choices, theme: str) -> Figure:
    """ID-test and OOD images as points by their snapshots."""
    if not default_taps(run):
        raise NotMeasuredError(f"This reads snapshots, and {run.name} keeps none. {HOW_TO_KEEP}.")
    settings, oods = _settings(run, choices), _listed(SETS, choices) or [choices.ood]
    for name in oods:
        run.entry("ood", name)
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
    known = {word: tap.name for tap in run.taps for word in (tap.name, short_tap_name(tap.name))}
    asked = _listed(TAPS, choices)
    if any(known.get(name) not in run.manifest.kept["taps"] for name in asked):
        kept = ", ".join(map(short_tap_name, run.manifest.kept["taps"]))
        raise RunError(f"The option 'taps' must name taps whose snapshots {run.name} keeps: {kept}.")
    names = {known[name] for name in asked} or set(default_taps(run))
    return Settings(
        tuple(tap.name for tap in run.taps if tap.name in names),
        METHOD.of(choices.options),
        read_whole_number(NEIGHBORS, choices.options, 2, 1000),
        read_number(MIN_DIST, choices.options, 0, 0.99),
    )


def _listed(option: Option, choices: Choices) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in option.of(choices.options).split(",") if part.strip()))


KINDS = {
    "images-scatter": Kind(
        "Images as points by their snapshots",
        scatter,
        ("ood", "cells"),
        (METHOD, COLOUR, TAPS, SETS, NEIGHBORS, MIN_DIST),
    )
}
