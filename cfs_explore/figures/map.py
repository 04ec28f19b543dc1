"""The map page's figures: the map, all sets' maps, detectors, and what one cell sees (theory 3, 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts import (
    alt_text,
    auroc_map_chart,
    detector_dots_chart,
    detectors_caption,
    format_estimate,
    histogram_caption,
    map_caption,
    roc_caption,
    roc_chart,
    score_histogram_chart,
    small_multiples_caption,
    small_multiples_chart,
)
from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import Groups, compose, detector_summary, histogram, roc_curve
from cfs_explore.figures.choices import METRICS, Choices
from cfs_explore.figures.detector import PRESETS, cell_label
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

#: Okabe-Ito orange, which no cell of the map has: also the colour of what is composed.
OPEN_CELL_COLOUR = "#E69F00"


def heatmap(run: Run, choices: Choices, theme: str) -> Figure:
    """The map of one OOD set; the composed detector's cells are outlined and numbered, the open one is in orange."""
    ood, metric, frame = choices.ood, choices.metric, run.auroc_map(choices.ood)
    figure = auroc_map_chart(frame, metric, choices.cells, theme)
    _outline_open_cell(figure, choices.cell)
    return Figure(
        figure,
        _telling_first(frame.drop(columns=["lo", "hi"]), metric),
        map_caption(frame, metric, ood, {"backbone": run.manifest.backbone.name, "head": "diagonal"}),
        alt_text(frame, metric),
        file_stem(run, ood, metric),
    )


def all_sets(run: Run, choices: Choices, theme: str) -> Figure:
    """A small map of every OOD set with its best cell's AUROC; the chosen set's has a frame."""
    metric, frames = choices.metric, {ood: run.auroc_map(ood) for ood in run.ood_names}
    texts = {
        row["ood"]: f"best {format_estimate(row['honest'], row['honest_lo'], row['honest_hi'])}"
        for row in run.table("best_cell").to_dict("records")
    }
    rows = pd.concat([frame.assign(ood=ood) for ood, frame in frames.items()])
    return Figure(
        small_multiples_chart(frames, metric, theme, best=texts, selected=choices.ood),
        _telling_first(rows, metric),
        small_multiples_caption(frames, metric).split(";")[0]
        + f"; {counts(run, rows)}. Below each name: AUROC of the best cell, picked on one "
        "half of the images and judged on the other, with 95 % CI.",
        f"Small {METRICS[metric]} maps of {len(frames)} OOD sets: {', '.join(frames)}.",
        file_stem(run, "all", metric),
    )


def _composed_row(run: Run, ood: str, cells: Sequence[int]) -> dict:
    """AUROC with its interval, n, #F and effective #F of the detector made of these cells (theory 4), and its name."""
    pairs = [divmod(index, len(run.taps)) for index in cells]
    used, taps = sorted({level for level, _ in pairs}), {tap for _, tap in pairs}
    whole = len(cells) == len(used) * len(taps)
    return {
        "name": f"Composed: CFS({len(used)}x{len(taps)})" if whole else f"Composed: {len(cells)} cells",
        "kind": "composed",
        **detector_summary(
            *(run.scores(*which)[:, :, used] for which in (("id_test",), ("ood", ood))),
            [Cell(used.index(level), tap) for level, tap in pairs],
            taps=run.taps,
            groups=Groups.of(*run.group_names(ood)),
        ),
    }


def _detector_rows(run: Run, ood: str, cells: Sequence[int]) -> pd.DataFrame:
    """The composed detector, the presets, and the best single cell, honest and naive."""
    rows = [_composed_row(run, ood, cells)] if cells else []
    presets, best = run.table("detectors"), run.table("best_cell")
    if len(presets):
        wanted = presets[(presets["ood"] == ood) & presets["name"].isin(PRESETS)]
        rows += [{**row, "kind": "preset"} for row in wanted.to_dict("records")]
    for row in best[best["ood"] == ood].to_dict("records") if len(best) else []:
        cost = {
            "forwards": run.draws,
            "effective": run.draws * run.taps[int(row["cell_index"]) % len(run.taps)].depth,
            "n_id": row["n_id"],
            "n_ood": row["n_ood"],
        }
        for kind, label in (("honest", "Best cell, honest"), ("naive", "Best cell, naive")):
            value, lo, hi = row[kind], row[f"{kind}_lo"], row[f"{kind}_hi"]
            rows.append({"name": label, "kind": kind, "auroc": value, "lo": lo, "hi": hi, **cost})
    if not rows:
        raise NotMeasuredError("Choose at least one cell to compose a detector.")
    columns = ["name", "kind", "auroc", "lo", "hi", "aupr", "fpr95", "n_id", "n_ood", "forwards", "effective"]
    return pd.DataFrame(rows).reindex(columns=columns)


def detectors(run: Run, choices: Choices, theme: str) -> Figure:
    """Detectors on one line."""
    ood, rows = choices.ood, _detector_rows(run, choices.ood, choices.cells)
    return Figure(
        detector_dots_chart(rows, theme),
        rows,
        detectors_caption(counts(run, rows.head(1), ood), {"OOD:": ood}),
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows.to_dict("records")),
        file_stem(run, ood, "detectors"),
    )


def scores_of_cell(run: Run, choices: Choices) -> tuple[np.ndarray, np.ndarray]:
    """One cell's scores of ID and of OOD images, mean over draws, (image,)."""
    level, tap = divmod(choices.cell, len(run.taps))
    return tuple(
        compose(run.scores(role, name, level=level), [Cell(0, tap)])
        for role, name in (("id_test", None), ("ood", choices.ood))
    )


def cell_scores(run: Run, choices: Choices, theme: str) -> Figure:
    """Histograms of one cell's scores."""
    id_scores, ood_scores = scores_of_cell(run, choices)
    n_id, n_ood = len(id_scores), len(ood_scores)
    positive = bool(min(id_scores.min(), ood_scores.min()) > 0)
    bins = histogram(id_scores, ood_scores, bins=40, log=positive)
    return Figure(
        score_histogram_chart(bins, theme, log=positive).update_layout(height=230),
        bins,
        histogram_caption(*_sizes_and_settings(run, choices)),
        f"Histograms of the slot scores of {n_id:,} ID and {n_ood:,} OOD images ({choices.ood}).",
        file_stem(run, choices.ood, f"cell{choices.cell}", "scores"),
    )


def cell_roc(run: Run, choices: Choices, theme: str) -> Figure:
    """ROC curve of one cell."""
    curve, row = roc_curve(*scores_of_cell(run, choices)), run.auroc_map(choices.ood).iloc[choices.cell]
    return Figure(
        roc_chart(curve, theme).update_layout(height=280),
        curve,
        roc_caption(*_sizes_and_settings(run, choices)),
        f"ROC curve with AUROC {format_estimate(row.auroc, row.auroc_lo, row.auroc_hi)}.",
        file_stem(run, choices.ood, f"cell{choices.cell}", "roc"),
    )


def _sizes_and_settings(run: Run, choices: Choices) -> tuple[str, dict[str, str]]:
    """What a figure of one cell is of, for its caption."""
    sizes = pd.Series({"n_id": run.id_test.count, "n_ood": run.entry("ood", choices.ood).count})
    settings = {"cell": cell_label(run, choices.cell), "OOD:": choices.ood, "mean of": counted(run.draws, "noise draw")}
    return counts(run, sizes, choices.ood), settings


def _telling_first(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The map's table with the columns in front that say where and how much."""
    first = [name for name in ("ood", "tap", "lam", metric, f"{metric}_lo", f"{metric}_hi") if name in rows]
    return rows[first + [name for name in rows if name not in first]]


def _outline_open_cell(figure: go.Figure, cell: int) -> None:
    """A second, wider outline; the composed cells have theirs, with numbers."""
    layer = figure.data[-1]
    position = layer.customdata.index(cell)
    x, y = layer.x[position], layer.y[position]
    figure.add_shape(
        type="rect",
        x0=x - 0.5,
        x1=x + 0.5,
        y0=y - 0.5,
        y1=y + 0.5,
        line={"color": OPEN_CELL_COLOUR, "width": 3},
        fillcolor="rgba(0,0,0,0)",
        name="open cell",
    )


KINDS = {
    "map-heatmap": Kind("Where the signal lives: tap × noise level", heatmap, ("ood", "metric", "cells", "cell")),
    "map-sets": Kind("Small maps of every OOD set", all_sets, ("ood", "metric")),
    "map-detectors": Kind("A composed detector, the published ones and the best cell", detectors, ("ood", "cells")),
    "map-histogram": Kind("Scores of one cell", cell_scores, ("ood", "cell")),
    "map-roc": Kind("ROC curve of one cell", cell_roc, ("ood", "cell")),
}
