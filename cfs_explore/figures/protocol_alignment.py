"""The protocol page's alignments: the map with its levels put elsewhere, and how much that changes (theory 1)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts import small_multiples_chart
from cfs_explore.charts.sensitivity_dots import sensitivity_dots_chart, variant_label
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, stage_rows
from cfs_explore.figures.protocol_tables import with_taps
from cfs_explore.store import Run
from cfs_explore.wording import format_value

_TELLING = ("variant", "spearman", "spearman_lo", "spearman_hi", "best_tap", "best_lam", "cost_of_moving")


def variants(run: Run, choices: Choices) -> pd.DataFrame:
    """The OOD set's rows of the table ``sensitivity``, one per alignment."""
    return stage_rows(run, "sensitivity", ood=choices.ood)


def sensitivity(run: Run, choices: Choices, theme: str) -> Figure:
    """How far the map keeps its order under each alignment."""
    ood, rows = choices.ood, variants(run, choices)
    first = [name for name in _TELLING if name in rows]
    return Figure(
        sensitivity_dots_chart(rows, theme),
        rows[[*first, *rows.columns.drop(first)]],
        f"All variants on the same images, head fitted at each one's levels; OOD: {ood}; {counts(run, rows, ood)}; one "
        "noise draw. Rank correlation: Spearman over the cells in reach, 95 % bootstrap over images. AUROC lost: in "
        "the run's own map, its best cell minus the variant's best cell, paired 95 % interval; both cells are picked "
        "on the images that judge them.",
        "; ".join(
            f"{variant_label(row.variant)}: rank correlation {format_value(row.spearman, 2)}"
            for row in rows.itertuples()
            if row.variant != row.baseline
        ),
        file_stem(run, ood, "sensitivity"),
    )


def maps(run: Run, choices: Choices, theme: str) -> Figure:
    """The map under every alignment, on one colour scale."""
    ood, rows = choices.ood, variants(run, choices)
    cells, levels = stage_rows(run, "alignment_maps", ood=ood), stage_rows(run, "alignment_levels")
    frames = {variant_label(name): _tidy(run, part) for name, part in cells.groupby("variant", sort=False)}
    best = {variant_label(row.variant): f"best at λ {format_value(row.best_lam, 1)}" for row in rows.itertuples()}
    return Figure(
        small_multiples_chart(frames, "auroc", theme, best=best),
        pd.concat([frame.assign(variant=name) for name, frame in frames.items()])[
            ["variant", "tap", "requested", "lam", "auroc", "auroc_lo", "auroc_hi", "n_id", "n_ood"]
        ],
        "AUROC; columns: taps in order of execution, rows: levels from clean (top) to noisy, as each variant places "
        f"them; one colour scale; OOD: {ood}; {counts(run, cells, ood)}; one noise draw.{_out_of_reach(levels)}",
        "; ".join(
            f"{name}: AUROC {format_value(frame['auroc'].min(), 2)} to {format_value(frame['auroc'].max(), 2)}"
            for name, frame in frames.items()
        ),
        file_stem(run, ood, "alignments"),
    )


def _tidy(run: Run, cells: pd.DataFrame) -> pd.DataFrame:
    """One variant's cells with the columns of a map."""
    whole = with_taps(run, cells)
    return whole.assign(level=cells["index"], auroc_lo=cells["lo"], auroc_hi=cells["hi"], draws=1)


def _out_of_reach(levels: pd.DataFrame) -> str:
    """Which variants want levels that the backbone does not have."""
    missed = levels[~levels["reachable"]].groupby("variant", sort=False).size()
    if missed.empty:
        return ""
    missed_text = ", ".join(f"{count:,} of {variant_label(name)}" for name, count in missed.items())
    return f" Out of the backbone's reach, shown at the nearest level and left out of the correlation: {missed_text}."


KINDS = {
    "protocol-sensitivity": Kind("How much the map depends on its alignment", sensitivity, ("ood",)),
    "protocol-alignments": Kind("The map under each alignment", maps, ("ood",)),
}
