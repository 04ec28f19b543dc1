"""The map page's plates: the map, all sets' maps, detectors beside each other, and what one cell sees (theory 3, 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import Groups, compose, detector_summary, histogram, roc_curve
from cfs_explore.figures import (
    alt_text,
    auroc_map_figure,
    detector_dots_figure,
    detectors_caption,
    format_estimate,
    histogram_caption,
    map_caption,
    roc_caption,
    roc_figure,
    score_histogram_figure,
    small_multiples_caption,
    small_multiples_figure,
)
from cfs_explore.plates.choices import METRICS, Choices
from cfs_explore.plates.detector import PRESETS, cell_label
from cfs_explore.plates.needs import Kind
from cfs_explore.plates.plate import Plate, counts, file_stem
from cfs_explore.store import Run
from cfs_explore.wording import counted

#: Okabe-Ito orange, which no cell of the map has: also the colour of what is composed.
OPEN_CELL_COLOUR = "#E69F00"


def heatmap(
    run: Run,
    ood: str,
    frame: pd.DataFrame,
    metric: str = "auroc",
    cells: Sequence[int] = (),
    cell: int | None = None,
    theme: str = "light",
) -> Plate:
    """The map of one OOD set.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        frame: its ``run.auroc_map``.
        metric: of ``choices.METRICS``.
        cells: of the composed detector, outlined and numbered; level * taps + tap.
        cell: the open one, outlined in orange.
        theme: "light" or "dark".
    """
    figure = auroc_map_figure(frame, metric, cells, theme)
    if cell is not None:
        _outline_open_cell(figure, cell)
    return Plate(
        figure,
        _telling_first(frame.drop(columns=["lo", "hi"]), metric),
        map_caption(frame, metric, ood, {"backbone": run.manifest.backbone.name, "head": "diagonal"}),
        alt_text(frame, metric),
        file_stem(run, ood, metric),
    )


def all_sets(
    run: Run,
    frames: Mapping[str, pd.DataFrame],
    best: pd.DataFrame,
    metric: str = "auroc",
    selected: str | None = None,
    theme: str = "light",
) -> Plate:
    """A small map of every OOD set with its best cell's AUROC.

    Args:
        run: the exploration.
        frames: OOD set's name -> its ``run.auroc_map``.
        best: the table ``best_cell``.
        metric: of ``choices.METRICS``.
        selected: the OOD set that is on show elsewhere; it gets a frame.
        theme: "light" or "dark".
    """
    texts = {
        row["ood"]: f"best {format_estimate(row['honest'], row['honest_lo'], row['honest_hi'])}"
        for row in (best.to_dict("records") if len(best) else [])
    }
    rows = pd.concat([frame.assign(ood=ood) for ood, frame in frames.items()])
    return Plate(
        small_multiples_figure(frames, metric, theme, best=texts, selected=selected),
        _telling_first(rows, metric),
        small_multiples_caption(frames, metric).split(";")[0]
        + f"; {counts(run, rows)}. Below each name: the best cell's AUROC, honest split-half "
        "value with 95 % CI.",
        f"Small {METRICS[metric]} maps of {len(frames)} OOD sets: {', '.join(frames)}.",
        file_stem(run, "all", metric),
    )


def composed_row(run: Run, ood: str, id_scores: np.ndarray, ood_scores: np.ndarray, cells: Sequence[int]) -> dict:
    """AUROC with its interval, n, #F and effective #F of the detector made of these cells (theory 4).

    Args:
        run: the exploration.
        ood: name of the OOD set.
        id_scores, ood_scores: slot scores (image, draw, level, tap).
        cells: level * taps + tap.
    """
    pairs = [divmod(index, len(run.taps)) for index in cells]
    used = sorted({level for level, _ in pairs})
    local = [Cell(used.index(level), tap) for level, tap in pairs]
    groups = Groups.of(*run.group_names(ood))
    return detector_summary(id_scores[:, :, used], ood_scores[:, :, used], local, taps=run.taps, groups=groups)


def detector_rows(
    run: Run, ood: str, cells: Sequence[int], composed: dict | None, presets: pd.DataFrame, best: pd.DataFrame
) -> pd.DataFrame:
    """The composed detector, the presets, and the best single cell, honest and naive.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        cells: of the composed detector.
        composed: its ``composed_row``; None without cells.
        presets: the table ``detectors``.
        best: the table ``best_cell``.
    """
    rows = []
    if composed is not None:
        pairs = [divmod(index, len(run.taps)) for index in cells]
        levels, taps = len({k for k, _ in pairs}), len({t for _, t in pairs})
        name = f"Composed: CFS({levels}x{taps})" if len(cells) == levels * taps else f"Composed: {len(cells)} cells"
        rows.append({"name": name, "kind": "composed", **composed})
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
    columns = ["name", "kind", "auroc", "lo", "hi", "aupr", "fpr95", "n_id", "n_ood", "forwards", "effective"]
    return pd.DataFrame(rows).reindex(columns=columns)


def detectors(run: Run, ood: str, rows: pd.DataFrame, theme: str = "light") -> Plate:
    """Detectors on one line; ``rows`` of ``detector_rows``, at least one."""
    return Plate(
        detector_dots_figure(rows, theme),
        rows,
        detectors_caption(counts(run, rows.head(1), ood), {"OOD:": ood}),
        "; ".join(f"{row['name']}: AUROC {row['auroc']:.3f}" for row in rows.to_dict("records")),
        file_stem(run, ood, "detectors"),
    )


def cell_scores(
    run: Run, ood: str, index: int, id_scores: np.ndarray, ood_scores: np.ndarray, theme: str = "light"
) -> Plate:
    """Histograms of one cell's scores.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        index: level * taps + tap.
        id_scores, ood_scores: the cell's, mean over draws, (image,).
        theme: "light" or "dark".
    """
    n_id, n_ood = len(id_scores), len(ood_scores)
    positive = bool(min(id_scores.min(), ood_scores.min()) > 0)
    bins = histogram(id_scores, ood_scores, bins=40, log=positive)
    return Plate(
        score_histogram_figure(bins, theme, log=positive).update_layout(height=230),
        bins,
        histogram_caption(_sizes(run, ood, n_id, n_ood), _settings(run, ood, index)),
        f"Histograms of the slot scores of {n_id} ID and {n_ood} OOD images ({ood}).",
        file_stem(run, ood, f"cell{index}", "scores"),
    )


def cell_roc(
    run: Run,
    ood: str,
    index: int,
    row: pd.Series,
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    theme: str = "light",
) -> Plate:
    """ROC curve of one cell; ``row`` is the cell's of the map, the rest as for ``cell_scores``."""
    curve = roc_curve(id_scores, ood_scores)
    return Plate(
        roc_figure(curve, theme).update_layout(height=280),
        curve,
        roc_caption(_sizes(run, ood, len(id_scores), len(ood_scores)), _settings(run, ood, index)),
        f"ROC curve with AUROC {format_estimate(row.auroc, row.auroc_lo, row.auroc_hi)}.",
        file_stem(run, ood, f"cell{index}", "roc"),
    )


def _sizes(run: Run, ood: str, n_id: int, n_ood: int) -> str:
    return counts(run, pd.Series({"n_id": n_id, "n_ood": n_ood}), ood)


def _settings(run: Run, ood: str, index: int) -> dict[str, str]:
    """What a figure of one cell is of, for its caption."""
    return {"cell": cell_label(run, index), "OOD:": ood, "mean of": counted(run.draws, "draw")}


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


def _scores_of_cell(run: Run, choices: Choices) -> tuple[np.ndarray, np.ndarray]:
    level, tap = divmod(choices.cell, len(run.taps))
    return tuple(
        compose(run.scores(role, name, level=level), [Cell(0, tap)])
        for role, name in (("id_test", None), ("ood", choices.ood))
    )


def _heatmap(run: Run, choices: Choices, theme: str) -> Plate:
    frame = run.auroc_map(choices.ood)
    return heatmap(run, choices.ood, frame, choices.metric, choices.cells, choices.cell, theme)


def _all_sets(run: Run, choices: Choices, theme: str) -> Plate:
    frames = {ood: run.auroc_map(ood) for ood in run.ood_names}
    return all_sets(run, frames, run.table("best_cell"), choices.metric, choices.ood, theme)


def _detectors(run: Run, choices: Choices, theme: str) -> Plate:
    composed = composed_row(run, choices.ood, run.scores("id_test"), run.scores("ood", choices.ood), choices.cells)
    tables = run.table("detectors"), run.table("best_cell")
    return detectors(run, choices.ood, detector_rows(run, choices.ood, choices.cells, composed, *tables), theme)


def _cell_scores(run: Run, choices: Choices, theme: str) -> Plate:
    return cell_scores(run, choices.ood, choices.cell, *_scores_of_cell(run, choices), theme)


def _cell_roc(run: Run, choices: Choices, theme: str) -> Plate:
    row = run.auroc_map(choices.ood).iloc[choices.cell]
    return cell_roc(run, choices.ood, choices.cell, row, *_scores_of_cell(run, choices), theme)


KINDS = {
    "map-heatmap": Kind("Where the signal lives: tap × noise level", _heatmap),
    "map-sets": Kind("Small maps of every OOD set", _all_sets),
    "map-detectors": Kind("A composed detector beside the published ones and the best cell", _detectors),
    "map-histogram": Kind("Scores of one cell", _cell_scores),
    "map-roc": Kind("ROC curve of one cell", _cell_roc),
}
