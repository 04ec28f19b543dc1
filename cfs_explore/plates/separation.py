"""The separation page's plates: predicted AUROCs, what Delta is made of, channels and heads (theory 10 to 13)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import channel_contributions, participation_ratio, sparsity_curve, tap_columns
from cfs_explore.figures import (
    auroc_map_figure,
    channel_bars_figure,
    delta_parts_figure,
    head_dots_figure,
    predicted_measured_figure,
    sparsity_figure,
    tap_parts_figure,
    top_channels_figure,
)
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.separation import coverage
from cfs_explore.plates.choices import Choices
from cfs_explore.plates.detector import cell_label
from cfs_explore.plates.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.plates.options import Option
from cfs_explore.plates.plate import Plate, counts, file_stem
from cfs_explore.store import Run

ORDERS = {"channel": "In the backbone's order", "contribution": "Largest first"}
ORDER = Option("order", "channel", "order of the channels", tuple(ORDERS))


def predicted(run: Run, ood: str, cells: pd.DataFrame, index: int, theme: str = "light") -> Plate:
    """Measured against predicted AUROC of all cells.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        cells: its rows of the table ``separation``.
        index: cell to be marked, level * taps + tap.
        theme: "light" or "dark".
    """
    first = ["tap", "lam", "auroc", "predicted", "bound", "delta", "mean_shift", "variance_change"]
    return Plate(
        predicted_measured_figure(cells, len(run.taps), index, theme),
        cells[first + [name for name in cells if name not in first]],
        f"Each point is a cell (tap × noise level), {len(cells)} in all; OOD: {ood}; "
        f"{counts(run, cells, ood)}; {cells['draws'].iloc[0]} draws averaged; the prediction lies in the measured "
        f"95 % interval in {100 * coverage(cells):.0f} % of the cells. Grey: below the bound, where no cell can "
        "lie.",
        f"Measured against predicted AUROC of {len(cells)} cells for {ood}; mean absolute difference "
        f"{(cells['predicted'] - cells['auroc']).abs().mean():.3f}.",
        file_stem(run, ood, "separation", "predicted"),
    )


def delta_parts(run: Run, ood: str, cell: pd.Series, theme: str = "light") -> Plate:
    """Mean shift and variance change of one cell; ``cell`` is its row of the table ``separation``."""
    names = [name for part in ("mean_shift", "variance_change", "delta") for name in (part, f"{part}_lo", f"{part}_hi")]
    return Plate(
        delta_parts_figure(cell, theme),
        cell[names].to_frame().T,
        f"Mean score of OOD minus that of ID images, and its parts; {_of(run, ood, cell)}, {cell['draws']} draws "
        "averaged. 95 % intervals: Welch's t for Δ; for the parts a conservative one that holds however the channels "
        "hang together.",
        f"Mean shift {cell['mean_shift']:.3f} and variance change {cell['variance_change']:.3f} sum to "
        f"{cell['delta']:.3f}.",
        _stem(run, ood, cell, "parts"),
    )


def mean_share(run: Run, ood: str, cells: pd.DataFrame, chosen: pd.Series, theme: str = "light") -> Plate:
    """Map of the mean shift's share in Delta; ``chosen`` is the row of the cell to be marked."""
    parts = cells[["mean_shift", "variance_change"]].abs()
    with np.errstate(invalid="ignore"):
        cells = cells.assign(mean_share=parts["mean_shift"] / parts.sum(axis=1))
    return Plate(
        auroc_map_figure(cells, "mean_share", [_index(run, chosen)], theme),
        cells[["tap", "lam", "mean_share", "mean_shift", "variance_change", "delta", "delta_lo", "delta_hi"]],
        f"Share of the mean shift in |mean shift| + |variance change|; OOD: {ood}; "
        f"{counts(run, chosen, ood)}. Above 0.5: OOD features lie elsewhere on average; below: they "
        "spread more, or less, than ID ones.",
        f"Map of the mean shift's share in Δ, from {cells['mean_share'].min():.2f} to {cells['mean_share'].max():.2f}.",
        file_stem(run, ood, "separation", "share"),
    )


def along_taps(run: Run, ood: str, level: pd.DataFrame, chosen: pd.Series, theme: str = "light") -> Plate:
    """Delta and its parts along the taps of one level; ``level`` are that level's rows."""
    names = ["mean_shift", "variance_change", "delta", "delta_lo", "delta_hi", "var_id", "var_ood"]
    return Plate(
        tap_parts_figure(level, int(chosen["tap_index"]), theme),
        level[["tap", "lam", *names]],
        f"Δ and its parts at λ = {format_value(chosen['lam'], 1)}, divided by √(Var_ID + Var_OOD): Φ of the sum is the "
        f"predicted AUROC. OOD: {ood}; {counts(run, chosen, ood)}; Δ with Welch's 95 % interval. A part below zero "
        "works against the other.",
        f"Mean shift and variance change of {len(level)} taps at λ = {chosen['lam']:.1f}.",
        file_stem(run, ood, "separation", "taps"),
    )


def channel_table(
    run: Run, level: int, tap: str, id_train: dict[str, np.ndarray], id_test: dict[str, np.ndarray], ood: dict
) -> pd.DataFrame:
    """A cell's features: channel, pooling (mean, std), contribution c_j and its two parts (theory 10).

    Args:
        run: the exploration.
        level: position among its levels.
        tap: full name.
        id_train, id_test, ood: ``run.moments`` of the three sets.
    """
    columns = tap_columns(run.taps)[tap]
    width = columns.stop - columns.start
    moments = [
        {key: values if key == "count" else values[level : level + 1, columns] for key, values in which.items()}
        for which in (id_train, id_test, ood)
    ]
    parts = channel_contributions(*moments, {tap: slice(0, width)})
    channels = np.arange(width // 2)
    return pd.DataFrame(
        {
            "channel": np.tile(channels, 2),
            "pooling": np.repeat(["mean", "std"], len(channels)),
            "contribution": parts.total[0],
            "mean_shift": parts.mean_shift[0],
            "variance_change": parts.variance_change[0],
        }
    )


def channels(
    run: Run, ood: str, table: pd.DataFrame, chosen: pd.Series, order: str = "channel", theme: str = "light"
) -> Plate:
    """What each feature of a cell adds to Delta.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        table: of ``channel_table``.
        chosen: the cell's row of the table ``separation``.
        order: "channel" or "contribution".
        theme: "light" or "dark".
    """
    by_pooling = table.groupby("pooling")["contribution"].sum()
    return Plate(
        channel_bars_figure(table, order, theme),
        table.sort_values("contribution", ascending=False),
        f"What each feature adds to Δ = {format_value(chosen['delta'])}: the channels' means add "
        f"{format_value(by_pooling['mean'])}, their standard deviations {format_value(by_pooling['std'])}. "
        f"{_of(run, ood, chosen)}, {chosen['draws']} draws; exact for these.",
        f"Contributions of {len(table)} features to Δ, from {table['contribution'].min():.4f} to "
        f"{table['contribution'].max():.4f}.",
        _stem(run, ood, chosen, "channels"),
    )


def sparsity(run: Run, ood: str, table: pd.DataFrame, chosen: pd.Series, theme: str = "light") -> Plate | None:
    """How few features carry a cell's Delta, as for ``channels``; None where none contributes."""
    contributions = table["contribution"].to_numpy()
    curve, ratio = sparsity_curve(contributions), float(participation_ratio(contributions))
    if np.isnan(ratio):
        return None
    return Plate(
        sparsity_figure(curve, ratio, theme),
        curve,
        f"Features sorted by |c|, {len(curve)} in all; {_of(run, ood, chosen)}. Participation ratio "
        f"{format_value(ratio, 1)}: as many would carry Δ if they shared it equally.",
        f"Cumulative share of the sorted contributions; participation ratio {ratio:.1f} of {len(curve)}.",
        _stem(run, ood, chosen, "sparsity"),
    )


def top_channels(run: Run, ood: str, rows: pd.DataFrame, theme: str = "light") -> Plate:
    """AUROC of the strongest features alone; ``rows`` are a cell's of the table ``top_channels``."""
    return Plate(
        top_channels_figure(rows, theme),
        rows,
        "AUROC of the score restricted to the features that raise Δ most, ranked on one half of the images and scored "
        "on the other (mean over 10 random splits, both ways; 95 %); first draw; "
        f"{_of(run, ood, rows.iloc[0])}.",
        "; ".join(f"top {row.k}: AUROC {row.auroc:.3f}" for row in rows.itertuples()),
        _stem(run, ood, rows.iloc[0], "top-channels"),
    )


def heads(run: Run, ood: str, rows: pd.DataFrame, theme: str = "light") -> Plate:
    """The diagonal score against other heads; ``rows`` are a cell's of the table ``cell_heads``.

    Raises:
        NotMeasuredError: none of them could be fitted.
    """
    if rows["auroc"].isna().all():
        raise NotMeasuredError(" ".join(rows["note"].unique()))
    return Plate(
        head_dots_figure(rows, theme),
        rows,
        "Heads fitted on this cell's ID-train features alone, first draw; 95 % intervals. Against the diagonal: "
        "the paired difference on the same images, the price of ignoring correlations. "
        f"{_of(run, ood, rows.iloc[0])}.",
        "; ".join(f"{row.head}: AUROC {row.auroc:.3f}" for row in rows.itertuples()),
        _stem(run, ood, rows.iloc[0], "heads"),
    )


def _index(run: Run, row: pd.Series) -> int:
    """A cell's index of its row in any of the stage's tables."""
    return int(row["level"]) * len(run.taps) + [tap.name for tap in run.taps].index(row["tap"])


def _of(run: Run, ood: str, row: pd.Series) -> str:
    """What a figure of one cell is of."""
    return f"{cell_label(run, _index(run, row))}; OOD: {ood}; {counts(run, row, ood)}"


def _stem(run: Run, ood: str, row: pd.Series, what: str) -> str:
    return file_stem(run, ood, f"cell{_index(run, row)}", what)


def _cells(run: Run, choices: Choices) -> pd.DataFrame:
    cells = stage_rows(run, "separation", ood=choices.ood)
    if cells["predicted"].isna().all():
        raise NotMeasuredError("A prediction needs the variance of the scores: at least two images in each set.")
    return cells


def _kept(run: Run, name: str, choices: Choices) -> pd.DataFrame:
    level, tap = divmod(choices.cell, len(run.taps))
    return stage_rows(run, name, ood=choices.ood, level=level, tap=run.taps[tap].name)


def _channel_table(run: Run, choices: Choices) -> pd.DataFrame:
    level, tap = divmod(choices.cell, len(run.taps))
    sets = (run.moments(*which) for which in (("id_train",), ("id_test",), ("ood", choices.ood)))
    return channel_table(run, level, run.taps[tap].name, *sets)


def _predicted(run: Run, choices: Choices, theme: str) -> Plate:
    return predicted(run, choices.ood, _cells(run, choices), choices.cell, theme)


def _delta_parts(run: Run, choices: Choices, theme: str) -> Plate:
    return delta_parts(run, choices.ood, _cells(run, choices).iloc[choices.cell], theme)


def _mean_share(run: Run, choices: Choices, theme: str) -> Plate:
    cells = _cells(run, choices)
    return mean_share(run, choices.ood, cells, cells.iloc[choices.cell], theme)


def _along_taps(run: Run, choices: Choices, theme: str) -> Plate:
    cells = _cells(run, choices)
    chosen = cells.iloc[choices.cell]
    return along_taps(run, choices.ood, cells[cells["level"] == chosen["level"]], chosen, theme)


def _channels(run: Run, choices: Choices, theme: str) -> Plate:
    chosen = _cells(run, choices).iloc[choices.cell]
    return channels(run, choices.ood, _channel_table(run, choices), chosen, ORDER.of(choices.options), theme)


def _sparsity(run: Run, choices: Choices, theme: str) -> Plate:
    chosen = _cells(run, choices).iloc[choices.cell]
    plate = sparsity(run, choices.ood, _channel_table(run, choices), chosen, theme)
    if plate is None:
        raise NotMeasuredError("No feature contributes: the scores of both sets are the same.")
    return plate


def _top_channels(run: Run, choices: Choices, theme: str) -> Plate:
    rows = _kept(run, "top_channels", choices)
    if rows["auroc"].isna().all():
        raise NotMeasuredError("Ranking on one half and scoring on the other needs at least four images in each set.")
    return top_channels(run, choices.ood, rows, theme)


def _heads(run: Run, choices: Choices, theme: str) -> Plate:
    return heads(run, choices.ood, _kept(run, "cell_heads", choices), theme)


KINDS = {
    "separation-predicted": Kind("Measured against predicted AUROC of every cell", _predicted),
    "separation-parts": Kind("What a cell's Δ is made of", _delta_parts),
    "separation-share": Kind("Share of the mean shift in Δ, over the map", _mean_share),
    "separation-taps": Kind("Δ and its parts along the taps of a level", _along_taps),
    "separation-channels": Kind("What each feature of a cell adds to Δ", _channels, (ORDER,)),
    "separation-sparsity": Kind("How few features carry a cell's Δ", _sparsity),
    "separation-top-channels": Kind("How well the strongest features do alone", _top_channels),
    "separation-heads": Kind("The diagonal score against other heads", _heads),
}
