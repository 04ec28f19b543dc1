"""The map page's figures: the map, all sets' maps, detectors, and what one cell sees (theory 3, 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cfs_explore.charts import (
    alt_text,
    auroc_map_chart,
    detector_dots_chart,
    detectors_caption,
    histogram_caption,
    map_caption,
    roc_caption,
    roc_chart,
    score_histogram_chart,
    small_multiples_caption,
    small_multiples_chart,
)
from cfs_explore.charts.small_multiples import frame_panel
from cfs_explore.charts.theme import unchecked_copy
from cfs_explore.contracts import Cell
from cfs_explore.detectors.stored import measured_detectors
from cfs_explore.diagnostics import Groups, compose, detector_summary, histogram, roc_curve
from cfs_explore.figures.choices import METRICS, Choices, choose
from cfs_explore.figures.detector import PRESETS, cell_label, preset_cells
from cfs_explore.figures.falsifier import detector_rows
from cfs_explore.figures.figure import Figure, counts, file_stem, framed
from cfs_explore.figures.nearness import nearness_line
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.figures.options import Several
from cfs_explore.headlines.map import best_cell_of, map_headline
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_estimate, format_value

#: Other detectors that stand beside the composed one.
BESIDE = Several(
    "map_detectors",
    "Beside it",
    measured_detectors,
    help="Detectors of the page Falsifier, each on its sample of the images. Without one, that with the largest lead.",
    noun="detector",
    width=300,
)


def opening(run: Run) -> Choices:
    """What the map page opens with: the set whose map says most, with its best cell open and nothing composed."""
    view = choose(run)
    return replace(view, cell=opening_cell(run, view.ood), cells=())


def headline(run: Run, ood: str, *, elsewhere: bool = True) -> str:
    """``map_headline`` of a run; without ``elsewhere`` where the signal is strongest, and no more."""
    maps = run.table("auroc_map") if elsewhere else None
    return map_headline(ood, run.table("best_cell"), maps, run.levels, run.taps)


def opening_cell(run: Run, ood: str) -> int:
    """The cell of a set that the map page opens: its best; the published one where the set has too few images."""
    best = best_cell_of(ood, run.table("best_cell"))
    return choose(run).cell if best is None else best


def heatmap(run: Run, choices: Choices, theme: str) -> Figure:
    """The map of one OOD set: a star on its best cell, dots on the published pair, the open cell framed in orange, the
    composed detector's cells outlined and numbered."""
    return framed(run.derived(_composed, choices.ood, choices.metric, tuple(choices.cells), theme), choices.cell)


def _composed(run: Run, ood: str, metric: str, cells: tuple[int, ...], theme: str) -> Figure:
    """The map without the open cell, which every click changes."""
    frame, best = run.auroc_map(ood), best_cell_of(ood, run.table("best_cell"))
    published = preset_cells(run).get(PRESETS[0], ())
    marks = {
        "Star: best cell by AUROC": best is not None,
        f"dots: the published {PRESETS[0]}": published,
        "frame: open cell": True,
    }
    legend = "; ".join(text for text, there in marks.items() if there)
    return Figure(
        auroc_map_chart(frame, metric, cells, theme, best=best, published=published),
        _telling_first(frame.drop(columns=["lo", "hi"]), metric),
        map_caption(frame, metric, ood, {"backbone": run.manifest.backbone.name, "head": "diagonal"})
        + f" {legend[0].upper()}{legend[1:]}. {nearness_line(run, ood)}".rstrip(),
        alt_text(frame, metric),
        file_stem(run, ood, metric),
    )


def all_sets(run: Run, choices: Choices, theme: str) -> Figure:
    """A small map of every OOD set with its best cell's AUROC; the chosen set's has a frame."""
    figure = run.derived(_strip, choices.metric, theme)
    chart = unchecked_copy(figure.chart)
    frame_panel(chart, run.ood_names.index(choices.ood), theme)
    return replace(figure, chart=chart)


def _strip(run: Run, metric: str, theme: str) -> Figure:
    """The small maps without the frame."""
    frames = {ood: run.auroc_map(ood) for ood in run.ood_names}
    texts = {
        row["ood"]: f"best {format_estimate(row['honest'], row['honest_lo'], row['honest_hi'])}"
        for row in run.table("best_cell").to_dict("records")
    }
    rows = pd.concat([frame.assign(ood=ood) for ood, frame in frames.items()])
    return Figure(
        small_multiples_chart(frames, metric, theme, best=texts),
        _telling_first(rows, metric),
        small_multiples_caption(frames, metric).split(";")[0]
        + f"; {counts(run, rows)}. Below each name: AUROC of the best cell, picked on one "
        "half of the images and judged on the other, with 95 % CI.",
        f"Small {METRICS[metric]} maps of {len(frames)} OOD sets: {', '.join(frames)}.",
        file_stem(run, "all", metric),
    )


def _composed_row(run: Run, ood: str, cells: Sequence[int]) -> dict:
    """AUROC with its interval, n, #F and effective #F of the detector made of these cells (theory 4), and its name."""
    pairs = [run.cell(index) for index in cells]
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


def _detector_rows(run: Run, ood: str, cells: Sequence[int], others: Sequence[str]) -> pd.DataFrame:
    """The composed detector, the presets, the best single cell, honest and naive, and other detectors."""
    rows = [_composed_row(run, ood, cells)] if cells else []
    presets, best = run.table("detectors"), run.table("best_cell")
    if len(presets):
        wanted = presets[(presets["ood"] == ood) & presets["name"].isin(PRESETS)]
        rows += [{**row, "kind": "preset"} for row in wanted.to_dict("records")]
    for row in best[best["ood"] == ood].to_dict("records") if len(best) else []:
        cost = {
            "forwards": run.draws,
            "effective": run.draws * run.taps[run.cell(row["cell_index"]).tap].depth,
            "n_id": row["n_id"],
            "n_ood": row["n_ood"],
        }
        for kind, label in (("honest", "Best cell, honest"), ("naive", "Best cell, naive")):
            value, lo, hi = row[kind], row[f"{kind}_lo"], row[f"{kind}_hi"]
            rows.append({"name": label, "kind": kind, "auroc": value, "lo": lo, "hi": hi, **cost})
    rows += [_measured_row(run, ood, name) for name in others] or _best_rival(run, ood)
    if not rows:
        raise NotMeasuredError("Choose at least one cell to compose a detector.")
    columns = ["name", "kind", "auroc", "lo", "hi", "aupr", "fpr95", "n_id", "n_ood", "forwards", "effective"]
    return pd.DataFrame(rows).reindex(columns=columns)


def _best_rival(run: Run, ood: str) -> list[dict]:
    """The other detector that leads CFS most, on its own sample of the images, where any was measured (theory 21)."""
    if not run.has_table("leads"):
        return []
    leads = detector_rows(run, "leads", ood)
    if leads.empty:
        return []
    row = _measured_row(run, ood, leads.loc[leads["lead"].idxmax(), "detector"])
    return [{**row, "name": f"Best rival: {row['name']}"}]


def _measured_row(run: Run, ood: str, name: str) -> dict:
    """A detector of ``measured_detectors``, with the numbers of images that it scored."""
    rows = detector_rows(run, "falsifier", ood)
    row = rows[(rows["detector"] == name) & (rows["network"] == "trained")].iloc[0].to_dict()
    title = f"{row['title']}, n = {row['n_id']:,} + {row['n_ood']:,}"
    return {**row, "forwards": row["cost"], "name": title, "kind": "rival"}


def detectors(run: Run, choices: Choices, theme: str) -> Figure:
    """Detectors on one line."""
    ood, others = choices.ood, BESIDE.read(BESIDE.of(choices.options, run), run)
    rows = _detector_rows(run, ood, choices.cells, others)
    return Figure(
        detector_dots_chart(rows, theme),
        rows,
        detectors_caption(counts(run, rows.head(1), ood), {"OOD:": ood}),
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows.to_dict("records")),
        file_stem(run, ood, "detectors"),
    )


def scores_of_cell(run: Run, choices: Choices) -> tuple[np.ndarray, np.ndarray]:
    """One cell's scores of ID and of OOD images, mean over draws, (image,)."""
    level, tap = run.cell(choices.cell)
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


KINDS = {
    "map-heatmap": Kind("Where the signal lives: tap × noise level", heatmap, ("ood", "metric", "cells", "cell")),
    "map-sets": Kind("Small maps of every OOD set", all_sets, ("ood", "metric")),
    "map-detectors": Kind(
        "A composed detector, the published ones and the best cell", detectors, ("ood", "cells"), (BESIDE,)
    ),
    "map-histogram": Kind("Scores of one cell", cell_scores, ("ood", "cell")),
    "map-roc": Kind("ROC curve of one cell", cell_roc, ("ood", "cell")),
}
