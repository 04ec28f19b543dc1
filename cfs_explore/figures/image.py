"""The figures of one image: its slot scores over all cells, among ID-test, and the features that carry one of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.charts import image_features_chart, image_map_chart, image_scores_chart, short_tap_name
from cfs_explore.detectors.stored import Measured, measured_detectors
from cfs_explore.diagnostics import Exceedance, cell_profile, compose, detector_profile, exceedance, feature_profile
from cfs_explore.errors import RunError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label, preset_cells
from cfs_explore.figures.figure import Figure, file_stem, framed
from cfs_explore.figures.needs import NOT_KEPT, Kind, NotMeasuredError
from cfs_explore.figures.options import Control, Several
from cfs_explore.scoring import feature_columns
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

IMAGE = Control("image", "Image of the OOD set or of ID-test (default: the set's first)", written="id or name")
ROLE = Control("role", "Set in which the image is looked for first", {"ood": "OOD", "id_test": "ID-test"})
VALUES = {"percentile": "Percentile", "ratio": "Score ÷ ID median"}
VALUE = Control(
    "image_value",
    "The map shows",
    VALUES,
    help="Percentile: the share of ID-test images that score lower in the same cell, so that cells compare. Score ÷ ID "
    "median: the score as a multiple of the median ID score; cells whose ID scores vary widely show large ratios, too.",
    former=("value",),
)
ALSO_BY = Several(
    "image_detectors",
    "Also by",
    measured_detectors,
    help="Detectors of the page Falsifier, which scored a sample of the images.",
    noun="detector",
    width=300,
)
#: Channels of each pooling that are drawn.
_TOP = 8


class Image(NamedTuple):
    """One image of a run.

    Attributes:
        role, name: its set.
        image_id: its id.
        row: its first row in the set.
        file: what people call it.
    """

    role: str
    name: str
    image_id: str
    row: int
    file: str

    @property
    def own(self) -> int | None:
        """Its row in ID-test, where it is one of those images."""
        return self.row if self.role == "id_test" else None


class Profile(NamedTuple):
    """What an image's scores say: its cells (``cell_profile``), its detectors and the open cell, all cells at once."""

    cells: pd.DataFrame
    detectors: pd.DataFrame
    exceedance: Exceedance


def find(run: Run, choices: Choices) -> Image:
    """The image that is named, of the OOD set or of ID-test; by default the OOD set's first."""
    return run.derived(_find, choices.ood, ROLE.of(choices.options), IMAGE.of(choices.options))


def _find(run: Run, ood: str, first: str, asked: str) -> Image:
    sets = {"ood": ood, "id_test": run.id_test.name}
    for role, name in sorted(sets.items(), key=lambda item: item[0] != first):
        images = run.images(role, name, columns=("image_id", "name"))
        fits = images["image_id"] == asked
        fits = fits if fits.any() else images["name"] == asked
        if fits.any() or not asked:
            row = int(fits.to_numpy().argmax())
            return Image(role, name, images["image_id"].iloc[row], row, images["name"].iloc[row])
    raise RunError(f"Neither {ood} nor {run.id_test.name} of {run.name} has an image with the id or name {asked!r}.")


def profile(run: Run, choices: Choices) -> Profile:
    """The image among ID-test: every cell, the presets, the chosen cell, and the detectors that are asked for."""
    others = ALSO_BY.read(ALSO_BY.of(choices.options, run), run)
    return run.derived(_profile, find(run, choices), choices.cell, tuple(others))


def _profile(run: Run, image: Image, cell: int, others: tuple[str, ...]) -> Profile:
    cells, exceeding = run.derived(_in_all_cells, image)
    id_scores = run.scores("id_test")
    set_scores = _scores_of_set(run, image, id_scores)
    rows = []
    for name, indices in (preset_cells(run) | {cell_label(run, cell): [cell]}).items():
        of = [run.cell(index) for index in indices]
        draws = np.concatenate([compose(draw[None, None], of) for draw in set_scores[image.row]])
        among = detector_profile(compose(id_scores, of), compose(set_scores, of)[image.row], draws, image.own)
        rows.append({"name": name, **among})
    rows += [row for name in others if (row := _by_measured(run, image, name))]
    return Profile(cells, pd.DataFrame(rows), exceeding)


def _by_measured(run: Run, image: Image, name: str) -> dict | None:
    """The image's score by a detector that scored a sample; None where it is not in it."""
    detector = Measured(measured_detectors(run)[name], name)
    where = image.role, None if image.role == "id_test" else image.name
    place = np.flatnonzero(detector.rows(run, *where) == image.row)
    if not len(place):
        return None
    score, own = detector.scores(run, *where)[place[0]], int(place[0]) if image.role == "id_test" else None
    return {"name": detector.name, **detector_profile(detector.scores(run, "id_test"), score, np.array([score]), own)}


def _in_all_cells(run: Run, image: Image) -> tuple[pd.DataFrame, Exceedance]:
    """What does not depend on the open cell."""
    if image.role == "id_test" and run.id_test.count < 2:
        raise NotMeasuredError("ID-test has no other image to compare this one with.")
    id_scores = run.scores("id_test")
    scores = _scores_of_set(run, image, id_scores)[image.row]
    cells = cell_profile(id_scores, scores, run.levels, run.taps, image.own)
    return cells, exceedance(id_scores, scores, image.own)


def _scores_of_set(run: Run, image: Image, id_scores: np.ndarray) -> np.ndarray:
    return id_scores if image.role == "id_test" else run.scores("ood", image.name)


def is_kept(run: Run, cell: int) -> bool:
    """Whether the snapshots of the cell were kept."""
    level, tap = run.cell(cell)
    return run.manifest.kept.get("level") == level and run.taps[tap].name in run.manifest.kept.get("taps", [])


def _feature_table(run: Run, image: Image, cell: int) -> pd.DataFrame:
    """The pooled features of a kept cell (``feature_profile``), first draw, by the moments of ID-train."""
    level, tap = run.cell(cell)
    name = run.taps[tap].name
    train = run.moments("id_train").at(level, feature_columns(run.taps)[name])
    snapshot = run.snapshots(name, image.role, image.name)[image.row]
    return feature_profile(snapshot, train.mean[0], train.variance[0])


def over_cells(run: Run, choices: Choices, theme: str) -> Figure:
    """Map of the image's slot scores beside those of ID-test, the chosen cell framed."""
    return framed(run.derived(_over_cells, find(run, choices), VALUE.of(choices.options), theme), choices.cell)


def _over_cells(run: Run, image: Image, value: str, theme: str) -> Figure:
    """The map without the frame, which every click moves."""
    cells, _ = run.derived(_in_all_cells, image)
    who = "other ID-test" if image.role == "id_test" else "ID-test"
    high = cells.loc[cells["percentile"].idxmax()]
    reading = (
        "Colour: the percentage of them that score lower (ties count half)"
        if value == "percentile"
        else "Colour: its score divided by their median, on a logarithmic scale"
    )
    return Figure(
        image_map_chart(cells, value, theme),
        cells.drop(columns="n_ood"),
        f"{image.file} of {image.name}: its slot scores, mean of {counted(run.draws, 'noise draw')}, among those of "
        f"{counted(int(cells['n_id'].iloc[0]), f'{who} image')}. {reading}.",
        f"Map of one image over {len(cells):,} cells: percentile within ID-test from "
        f"{format_value(cells['percentile'].min(), 0)} to {format_value(high['percentile'], 0)}, the highest for "
        f"{short_tap_name(high['tap'])} at log-SNR {format_value(high['lam'], 1)}.",
        file_stem(run, image.name, image.image_id, value),
    )


def detectors(run: Run, choices: Choices, theme: str) -> Figure:
    """The image's score by a few detectors, each among ID-test."""
    image, rows = find(run, choices), profile(run, choices).detectors
    return Figure(
        image_scores_chart(rows, "id" if image.role == "id_test" else "ood", theme),
        rows.assign(draws=[" ".join(f"{draw:.6g}" for draw in draws) for draws in rows["draws"]]),
        f"Diamond: {image.file} of {image.name}, mean of {counted(run.draws, 'noise draw')}; rings: single draws. "
        f"Bars: the middle 50 % and 90 % of n = {rows['n_id'].iloc[0]:,} ID-test images. p: conformal p-value."
        f"{_not_among(run, choices, rows)}",
        "; ".join(f"{row['name']}: percentile {format_value(row['percentile'], 1)}" for row in rows.to_dict("records")),
        file_stem(run, image.name, image.image_id, "detectors"),
    )


def _not_among(run: Run, choices: Choices, rows: pd.DataFrame) -> str:
    """A sentence about the detectors that were asked for and did not score this image, or scored fewer."""
    titles = [measured_detectors(run)[name] for name in ALSO_BY.read(ALSO_BY.of(choices.options, run), run)]
    absent = [title for title in titles if title not in set(rows["name"])]
    sampled = rows[rows["name"].isin(titles)]
    text = f" {', '.join(sampled['name'])}: one noise draw, n = {sampled['n_id'].iloc[0]:,}." if len(sampled) else ""
    return f"{text} Not in the sample of {', '.join(absent)}." if absent else text


def features(run: Run, choices: Choices, theme: str) -> Figure:
    """The features of a kept cell that lie farthest from ID-train."""
    if not is_kept(run, choices.cell):
        raise NotMeasuredError(NOT_KEPT)
    image = find(run, choices)
    table = run.derived(_feature_table, image, choices.cell)
    parts, half = 100 * table.groupby("pooling")["share"].sum(), len(table) // 2
    first = table.loc[table["square"].idxmax()]
    pooled = "mean" if first["pooling"] == "mean" else "standard deviation"
    return Figure(
        image_features_chart(table, _TOP, theme),
        table.sort_values("square", ascending=False),
        f"{image.file} of {image.name}, {cell_label(run, choices.cell)}: the {min(_TOP, half)} channels of each "
        f"pooling that lie farthest from ID-train, of {half}; z-scores of the first noise draw, whose score is "
        f"{format_value(table['square'].mean())}. The channels' means carry {format_value(parts['mean'], 0)} % of "
        f"it, their standard deviations {format_value(parts['std'], 0)} %.",
        f"z-scores of {len(table):,} features; the farthest is channel {first['channel']}'s {pooled}, "
        f"z {format_value(first['z'], 1)}.",
        file_stem(run, image.name, image.image_id, "features"),
    )


_OF = ("ood", "cell")
KINDS = {
    "image-map": Kind("One image's slot scores among ID-test, over the map", over_cells, _OF, (IMAGE, ROLE, VALUE)),
    "image-detectors": Kind(
        "One image's score by each detector, among ID-test", detectors, _OF, (IMAGE, ROLE, ALSO_BY)
    ),
    "image-features": Kind("The features of one image that lie farthest from ID-train", features, _OF, (IMAGE, ROLE)),
}
