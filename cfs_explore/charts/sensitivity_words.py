"""What the variants of an alignment are called, and what a mark of their comparison says on hover (theory 1)."""

from __future__ import annotations

from collections.abc import Mapping

from cfs_explore.charts.tap_names import cell_name
from cfs_explore.wording import format_estimate, format_value, percent

_NAMES = {
    "logsnr": "log-SNR",
    "uniform_t": "uniform time",
    "score_norm": "score magnitude",
    "perceptual": "visible change",
}


def variant_label(name: str) -> str:
    """'uniform time' for "uniform_t", 'λ − 0.5' for "lam - 0.5"; an unknown name is returned unchanged."""
    if name.startswith("lam "):
        return name.replace("lam", "λ").replace("-", "\u2212")
    return _NAMES.get(name, name)


def panel_hover(row: Mapping, value: str) -> str:
    """What one mark says.

    Args:
        row: of the table ``sensitivity``.
        value: "spearman", "cost_of_moving" or "cfs_auroc".
    """
    name = f"<b>{variant_label(row['variant'])}</b><br>"
    if value == "spearman":
        estimate = format_estimate(row["spearman"], row["spearman_lo"], row["spearman_hi"])
        return f"{name}rank correlation {estimate}<br>over {format_value(row['cells'], 0)} cells in reach"
    if value == "cost_of_moving":
        estimate = format_estimate(row["cost_of_moving"], row["cost_of_moving_lo"], row["cost_of_moving_hi"])
        return (
            f"{name}best cell: {cell_name(row['best_tap'], row['best_requested'])}<br>"
            f"run's best: {cell_name(row['baseline_tap'], row['baseline_requested'])}<br>"
            f"moved by {format_value(row['moved_levels'], 0)} levels, {format_value(row['moved_depth'], 2)} in depth"
            f"<br>AUROC lost in the run's map {estimate}"
        )
    beyond = format_estimate(row["cfs_minus_dec"], row["cfs_minus_dec_lo"], row["cfs_minus_dec_hi"])
    return (
        f"{name}CFS(1x2) {format_estimate(row['cfs_auroc'], row['cfs_lo'], row['cfs_hi'])}<br>"
        f"CFS-dec(1x1) {format_value(row['dec_auroc'])}<br>difference {beyond}<br>"
        f"beats {percent(row['cfs_place'])} of its map's cells (run's map: {percent(row['baseline_place'])})"
    )
