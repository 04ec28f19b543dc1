"""The separation page's figures: predicted AUROCs, what Delta is made of, channels and heads (theory 10 to 13)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.charts import (
    auroc_map_chart,
    channel_bars_chart,
    delta_parts_chart,
    head_dots_chart,
    predicted_measured_chart,
    sparsity_chart,
    tap_parts_chart,
    top_channels_chart,
)
from cfs_explore.diagnostics import channel_contributions, participation_ratio, sparsity_curve
from cfs_explore.diagnostics.channels import pooled_features
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import NOT_KEPT, Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.headlines.separation import coverage
from cfs_explore.heads import REGISTRY
from cfs_explore.scoring import feature_columns
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value, percent

ORDERS = {"channel": "In the backbone's order", "contribution": "Largest first"}
ORDER = Control(
    "separation_order",
    "Channels",
    ORDERS,
    help="A channel has the same position in both rows; largest first sorts by the sum of its two bars.",
    former=("order",),
)


def predicted(run: Run, choices: Choices, theme: str) -> Figure:
    """Measured against predicted AUROC of all cells, the chosen one marked."""
    ood, cells = choices.ood, _predicted_cells(run, choices)
    first = ["tap", "lam", "auroc", "predicted", "bound", "delta", "mean_shift", "variance_change"]
    return Figure(
        predicted_measured_chart(cells, len(run.taps), choices.cell, theme),
        cells[first + [name for name in cells if name not in first]],
        f"Each point is a cell (tap × noise level), {len(cells)} in all; OOD: {ood}; "
        f"{counts(run, cells, ood)}; {_draws(cells.iloc[0])}; the prediction lies in the measured "
        f"95 % interval in {percent(coverage(cells))} of the cells. Grey: below the bound, where no cell can lie.",
        f"Measured against predicted AUROC of {len(cells):,} cells for {ood}; mean absolute difference "
        f"{format_value((cells['predicted'] - cells['auroc']).abs().mean())}.",
        file_stem(run, ood, "separation", "predicted"),
    )


def delta_parts(run: Run, choices: Choices, theme: str) -> Figure:
    """Mean shift and variance change of one cell."""
    cell = _cells(run, choices).iloc[choices.cell]
    names = [name for part in ("mean_shift", "variance_change", "delta") for name in (part, f"{part}_lo", f"{part}_hi")]
    return Figure(
        delta_parts_chart(cell, theme),
        cell[names].to_frame().T,
        f"Mean score of OOD minus that of ID images, and its parts; {_of(run, choices, cell)}; {_draws(cell)}. 95 % "
        "intervals: Welch's t for Δ; for the parts conservative, valid for any correlation of the features.",
        f"Mean shift {format_value(cell['mean_shift'])} and variance change {format_value(cell['variance_change'])} "
        f"sum to {format_value(cell['delta'])}.",
        _stem(run, choices, "parts"),
    )


def mean_share(run: Run, choices: Choices, theme: str) -> Figure:
    """Map of the mean shift's share in Delta, the chosen cell marked."""
    ood, cells = choices.ood, _cells(run, choices)
    parts = cells[["mean_shift", "variance_change"]].abs()
    with np.errstate(invalid="ignore"):
        cells = cells.assign(mean_share=parts["mean_shift"] / parts.sum(axis=1))
    return Figure(
        auroc_map_chart(cells, "mean_share", [choices.cell], theme),
        cells[["tap", "lam", "mean_share", "mean_shift", "variance_change", "delta", "delta_lo", "delta_hi"]],
        f"Share of the mean shift in |mean shift| + |variance change|; OOD: {ood}; "
        f"{counts(run, cells.iloc[choices.cell], ood)}. Above 0.5: mostly the means of the features "
        "differ; below: mostly their variances.",
        f"Map of the mean shift's share in Δ, from {format_value(cells['mean_share'].min(), 2)} to "
        f"{format_value(cells['mean_share'].max(), 2)}.",
        file_stem(run, ood, "separation", "share"),
    )


def along_taps(run: Run, choices: Choices, theme: str) -> Figure:
    """Delta and its parts along the taps of the chosen cell's level."""
    ood, cells = choices.ood, _predicted_cells(run, choices)
    chosen = cells.iloc[choices.cell]
    level = cells[cells["level"] == chosen["level"]]
    names = ["mean_shift", "variance_change", "delta", "delta_lo", "delta_hi", "var_id", "var_ood"]
    return Figure(
        tap_parts_chart(level, int(chosen["tap_index"]), theme),
        level[["tap", "lam", *names]],
        f"Δ and its parts at λ = {format_value(chosen['lam'], 1)}, divided by √(Var_ID + Var_OOD): Φ of the sum is the "
        f"predicted AUROC. OOD: {ood}; {counts(run, chosen, ood)}; Δ with Welch's 95 % interval. A part below 0 "
        "lowers the mean OOD score.",
        f"Mean shift and variance change of {len(level):,} taps at λ = {format_value(chosen['lam'], 1)}.",
        file_stem(run, ood, "separation", "taps"),
    )


def channel_table(run: Run, choices: Choices) -> pd.DataFrame:
    """A cell's features: channel, pooling (mean, std), contribution c_j and its two parts (theory 10)."""
    level, tap = run.cell(choices.cell)
    columns = feature_columns(run.taps)[run.taps[tap].name]
    width = columns.stop - columns.start
    sets = (("id_train",), ("id_test",), ("ood", choices.ood))
    moments = [run.moments(*which).at(level, columns) for which in sets]
    parts = channel_contributions(*moments, {"cell": slice(0, width)})
    values = {"contribution": parts.total, "mean_shift": parts.mean_shift, "variance_change": parts.variance_change}
    return pd.DataFrame(pooled_features(width) | {name: value[0] for name, value in values.items()})


def channels(run: Run, choices: Choices, theme: str) -> Figure:
    """What each feature of a cell adds to Delta."""
    chosen, table = _cells(run, choices).iloc[choices.cell], channel_table(run, choices)
    by_pooling = table.groupby("pooling")["contribution"].sum()
    return Figure(
        channel_bars_chart(table, ORDER.of(choices.options), theme),
        table.sort_values("contribution", ascending=False),
        f"What each feature adds to Δ = {format_value(chosen['delta'])}: the channels' means add "
        f"{format_value(by_pooling['mean'])}, their standard deviations {format_value(by_pooling['std'])}. "
        f"{_of(run, choices, chosen)}; {_draws(chosen)}; an exact sum over these images.",
        f"Contributions of {len(table):,} features to Δ, from {format_value(table['contribution'].min(), 4)} to "
        f"{format_value(table['contribution'].max(), 4)}.",
        _stem(run, choices, "channels"),
    )


def sparsity(run: Run, choices: Choices, theme: str) -> Figure:
    """How few features carry a cell's Delta."""
    chosen = _cells(run, choices).iloc[choices.cell]
    contributions = channel_table(run, choices)["contribution"].to_numpy()
    curve, ratio = sparsity_curve(contributions), float(participation_ratio(contributions))
    if np.isnan(ratio):
        raise NotMeasuredError("No feature contributes: the scores of both sets are the same.")
    return Figure(
        sparsity_chart(curve, ratio, theme),
        curve,
        f"{len(curve):,} features sorted by |c|, c their contribution to Δ; {_of(run, choices, chosen)}. "
        f"Participation ratio {format_value(ratio, 1)}: the effective number of features that contribute.",
        f"Cumulative share of the sorted contributions; participation ratio {format_value(ratio, 1)} of {len(curve)}.",
        _stem(run, choices, "sparsity"),
    )


def top_channels(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of a cell's strongest features alone."""
    rows = _of_cell(run, "top_channels", choices)
    if rows["auroc"].isna().all():
        raise NotMeasuredError("Ranking on one half and scoring on the other needs at least four images in each set.")
    return Figure(
        top_channels_chart(rows, theme),
        rows,
        "AUROC of the score restricted to the features that raise Δ most, ranked on one half of the images and scored "
        "on the other (mean over 10 random splits, both ways; 95 % intervals); first noise draw; "
        f"{_of(run, choices, rows.iloc[0])}.",
        "; ".join(f"top {row.k}: AUROC {format_value(row.auroc)}" for row in rows.itertuples()),
        _stem(run, choices, "top-channels"),
    )


def heads(run: Run, choices: Choices, theme: str) -> Figure:
    """A cell's diagonal score against other heads."""
    rows = _of_cell(run, "cell_heads", choices)
    if rows["auroc"].isna().all():
        raise NotMeasuredError(" ".join(rows["note"].unique()))
    titles = [REGISTRY[name].title if name in REGISTRY else name for name in rows["head"]]
    return Figure(
        head_dots_chart(rows.assign(title=titles), theme),
        rows,
        "Heads fitted on this cell's ID-train features alone, first noise draw; 95 % intervals. Against the diagonal: "
        "the paired difference on the same images; above 0, the diagonal head misses something. "
        f"{_of(run, choices, rows.iloc[0])}.",
        "; ".join(f"{row.head}: AUROC {format_value(row.auroc)}" for row in rows.itertuples()),
        _stem(run, choices, "heads"),
    )


def _cells(run: Run, choices: Choices) -> pd.DataFrame:
    return stage_rows(run, "separation", ood=choices.ood)


def _predicted_cells(run: Run, choices: Choices) -> pd.DataFrame:
    cells = _cells(run, choices)
    if cells["predicted"].isna().all():
        raise NotMeasuredError("A prediction needs the variance of the scores: at least two images in each set.")
    return cells


def kept_rows(run: Run, name: str, choices: Choices) -> pd.DataFrame:
    """A cell's rows of ``top_channels`` or ``cell_heads``, which only have cells whose snapshots were kept."""
    level, tap = run.cell(choices.cell)
    table = stage_rows(run, name)
    rows = table[(table["ood"] == choices.ood) & (table["level"] == level) & (table["tap"] == run.taps[tap].name)]
    return rows.reset_index(drop=True)


def _of_cell(run: Run, name: str, choices: Choices) -> pd.DataFrame:
    rows = kept_rows(run, name, choices)
    if rows.empty:
        raise NotMeasuredError(NOT_KEPT)
    return rows


def _of(run: Run, choices: Choices, row: pd.Series) -> str:
    """What a figure of one cell is of; ``row`` is the cell's in any of the stage's tables."""
    return f"{cell_label(run, choices.cell)}; OOD: {choices.ood}; {counts(run, row, choices.ood)}"


def _draws(row: pd.Series) -> str:
    return f"mean of {counted(int(row['draws']), 'noise draw')}"


def _stem(run: Run, choices: Choices, what: str) -> str:
    return file_stem(run, choices.ood, f"cell{choices.cell}", what)


_CELL = ("ood", "cell")
KINDS = {
    "separation-predicted": Kind("Measured against predicted AUROC of every cell", predicted, _CELL),
    "separation-parts": Kind("What a cell's Δ is made of", delta_parts, _CELL),
    "separation-share": Kind("Share of the mean shift in Δ, over the map", mean_share, _CELL),
    "separation-taps": Kind("Δ and its parts along the taps of a level", along_taps, _CELL),
    "separation-channels": Kind("What each feature of a cell adds to Δ", channels, _CELL, (ORDER,)),
    "separation-sparsity": Kind("How few features carry a cell's Δ", sparsity, _CELL),
    "separation-top-channels": Kind("AUROC of the strongest features alone", top_channels, _CELL),
    "separation-heads": Kind("The diagonal score against other heads", heads, _CELL),
}
