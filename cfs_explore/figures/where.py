"""The page Where: which cells find what is marked in an image, beside what needs no training (theory 22 to 24)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts import control_dots_chart, short_tap_name
from cfs_explore.charts.localisation import MEASURES, estimate, localisation_map_chart, localisation_scatter_chart
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value, percent

PARTS = {"score": "Score", "deviation": "Local deviation"}
PART = Control(
    "where_map_of",
    "Map of",
    PARTS,
    help="Score: A, whose mean over the image is the slot score exactly; below 0, a place speaks for ID. Local "
    "deviation: B, how far a place is from the ID-train mean in the same channels, wherever else the image is odd.",
)
MEASURE = Control(
    "where_measure",
    "Measure",
    {name: style.label for name, style in MEASURES.items()},
    help="Pixel AUROC: how often a marked pixel is above an unmarked one; 0.5 is chance. AUPRO: how much of each "
    "region is found while few unmarked pixels are; chance is 0.15.",
)
#: Control of the table ``localisation_best`` -> (its name, its look in the chart of dots).
CONTROLS = {
    "untrained": ("Best cell, untrained copy", "untrained"),
    "input tap": ("Input tap (depth 0)", "input tap"),
    "pixels": ("Pixel z-scores, no network", "statistics"),
}
#: Share of cells whose 95 % interval lies above a chance that is the truth.
_BY_CHANCE = 0.025


def cells_of(run: Run, choices: Choices) -> pd.DataFrame:
    """Rows of the trained network's cells for the OOD set and part that are chosen.

    Raises:
        NotMeasuredError: the run lacks them, or no cell has more than one position.
    """
    part = PART.of(choices.options)
    cells = stage_rows(run, "localisation", ood=choices.ood, part=part, network="trained")
    if cells["auroc"].isna().all():
        raise NotMeasuredError("Every tap of this exploration has a map of 1 × 1: there is nothing to localise.")
    return cells


def best_of(run: Run, choices: Choices) -> pd.DataFrame:
    """Rows of the best cells for the OOD set and part that are chosen."""
    return stage_rows(run, "localisation_best", ood=choices.ood, part=PART.of(choices.options))


def map_of_cells(run: Run, choices: Choices, theme: str) -> Figure:
    """The measure in every cell, the highest marked."""
    cells, measure = cells_of(run, choices), MEASURE.of(choices.options)
    style, best = MEASURES[measure], cells.loc[cells[measure].idxmax()]
    index, known = run.cell_number(best["level"], best["tap_index"]), cells[measure].dropna()
    point = len(cells) - len(known)
    nothing = f" {counted(point, 'cell')} without a colour: maps of 1 × 1, with nothing to localise." if point else ""
    first = ["tap", "lam", "auroc", "lo", "hi", "aupro", "aupro_lo", "aupro_hi", "detection"]
    return Figure(
        localisation_map_chart(cells, measure, index, theme),
        cells[first + [name for name in cells if name not in first]],
        f"{style.label} of the {_part(choices)} of every cell; {_of(choices, best)}; chance is "
        f"{format_value(style.chance, 2)}. Star: the highest cell.{nothing}",
        f"Map of {style.label} over {counted(len(run.levels), 'level')} and {counted(len(run.taps), 'tap')}, from "
        f"{format_value(known.min())} to {format_value(known.max())}; highest in {short_tap_name(best['tap'])} "
        f"({best['region']}) at log-SNR {format_value(best['lam'], 1)} with {estimate(best, measure)}.",
        file_stem(run, choices.ood, "where", PART.of(choices.options), measure),
    )


def comparison(run: Run, choices: Choices, theme: str) -> Figure:
    """The trained network's best cell beside the controls."""
    best = best_of(run, choices)
    rows = _comparison_rows(best)
    return Figure(
        control_dots_chart(rows, theme).update_layout(xaxis_title_text="Pixel AUROC, 95 % interval"),
        rows.drop(columns="kind"),
        f"Pixel AUROC of the {_part(choices)}. Each best cell is picked on one half of the images and judged on the "
        f"other (mean over 500 random halvings, 95 % CI); {_of(choices, best.iloc[0])}; pixel z-scores against "
        "ID-train, and one untrained copy, whose own spread is not in its interval. Dashed: the trained best cell.",
        "; ".join(f"{row['name']}: pixel AUROC {format_value(row['auroc'])}" for row in rows.to_dict("records")),
        file_stem(run, choices.ood, "where", PART.of(choices.options), "best"),
    )


def scatter(run: Run, choices: Choices, theme: str) -> Figure:
    """Detection against localisation, a mark per cell."""
    cells, measure = cells_of(run, choices), MEASURE.of(choices.options)
    counts, name = corner_counts(cells, measure), MEASURES[measure].label.replace("Pixel", "pixel")
    told = (
        f"{counts['both']:,} of {counts['cells']:,} cells detect and localise beyond chance, "
        f"{counts['only detect']:,} only detect, {counts['only localise']:,} only localise, {counts['neither']:,} do "
        "neither"
    )
    clean = "the same images without" if cells["truth"].iloc[0] == "patch" else "ID-test images"
    return Figure(
        localisation_scatter_chart(cells, measure, theme),
        cells[["tap", "lam", "detection", "detection_lo", "detection_hi", "auroc", "lo", "hi", "aupro"]],
        f"Each mark is a cell: AUROC of its slot score, {_what(cells.iloc[0])} against {clean}, and "
        f"{name} of the {_part(choices)}; {_of(choices, cells.iloc[0])}. By 95 % intervals, {told}; were there nothing "
        f"to find, {format_value(_BY_CHANCE * counts['cells'], 0)} or so would still be beyond chance on either axis. "
        "Dotted: chance.",
        f"AUROC of detection against {name} of {counts['cells']:,} cells: {told}.",
        file_stem(run, choices.ood, "where", PART.of(choices.options), "detection", measure),
    )


def corner_counts(cells: pd.DataFrame, measure: str) -> dict[str, int]:
    """How many cells detect, and localise, with 95 % intervals clear of chance."""
    known = cells.dropna(subset=[measure, "detection_lo"])
    localise = known["lo" if measure == "auroc" else f"{measure}_lo"] > MEASURES[measure].chance
    detect = known["detection_lo"] > 0.5
    return {
        "cells": len(known),
        "both": int((detect & localise).sum()),
        "only detect": int((detect & ~localise).sum()),
        "only localise": int((~detect & localise).sum()),
        "neither": int((~detect & ~localise).sum()),
    }


def _comparison_rows(best: pd.DataFrame) -> pd.DataFrame:
    """Columns name, auroc, lo, hi, excess of the trained best cell over it with limits, kind, note."""
    first, note = best.iloc[0], "too few images"
    sides = ("", "_lo", "_hi")
    own = dict(zip(("auroc", "lo", "hi"), (first[f"trained{side}"] for side in sides), strict=True))
    rows = [{"name": "Best cell, trained", "kind": "trained", "note": note, **own}]
    known = {row["control"]: row for row in best.to_dict("records")}
    for control, (name, kind) in CONTROLS.items():
        if control not in known:
            rows.append({"name": name, "kind": kind, "note": "not measured in this run", "auroc": float("nan")})
            continue
        row = known[control]
        values = dict(zip(("auroc", "lo", "hi"), (row[f"auroc{side}"] for side in sides), strict=True))
        gain = {"excess": row["excess"], "excess_lo": row["lo"], "excess_hi": row["hi"]}
        rows.append({"name": name, "kind": kind, "note": note, **values, **gain})
    columns = ["name", "auroc", "lo", "hi", "excess", "excess_lo", "excess_hi", "kind", "note"]
    return pd.DataFrame(rows).reindex(columns=columns)


def _part(choices: Choices) -> str:
    return PARTS[PART.of(choices.options)].lower()


def _what(row: pd.Series) -> str:
    return "ID-test images with a patch" if row["truth"] == "patch" else "OOD images with masks"


def _of(choices: Choices, row: pd.Series) -> str:
    """'OOD: letters; n = 64 ID-test images, each with a patch of ...': of what, and how judged."""
    if row["truth"] == "patch":
        what = (
            f"n = {counted(int(row['n_ood']), 'ID-test image')}, in each a patch of an OOD image at a random place, "
            f"{row['side']} pixels wide ({percent(row['share'])} of the pixels), going on at the opposite edge"
        )
    else:
        what = f"n = {counted(int(row['n_ood']), 'OOD image')} with masks ({percent(row['share'], 1)} of the pixels)"
    return f"OOD: {choices.ood}; {what}; first noise draw; 95 % intervals over images"


_SET = ("ood",)
KINDS = {
    "where-map": Kind("Which cells find a planted patch: tap × noise level", map_of_cells, _SET, (PART, MEASURE)),
    "where-comparison": Kind("The best cell's pixel AUROC beside what needs no training", comparison, _SET, (PART,)),
    "where-detection": Kind("Which cells localise, and which only detect", scatter, _SET, (PART, MEASURE)),
}
