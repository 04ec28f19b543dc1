"""The prediction page's figures: cells ranked by proxies, what a choice of cell loses, the ablation (theory 17)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts import (
    ablation_grid_chart,
    proxy_dots_chart,
    proxy_scatter_chart,
    regret_dots_chart,
    regret_grid_chart,
)
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures import sealed
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.store import Run
from cfs_explore.wording import format_estimate, format_value


def published_lam(run: Run) -> str:
    """Log-SNR of the published detectors in this map, as text."""
    return format_value(run.levels[run.manifest.kept["level"]].lam, 1)


def ranking(run: Run, choices: Choices, theme: str) -> Figure:
    """Measured AUROC of all cells against that predicted from proxies, the chosen one marked."""
    ood = choices.ood
    cells, losses = (stage_rows(run, name, ood=ood) for name in ("prediction", "regret"))
    first, without = cells.iloc[0], cells["left_out"].iloc[0]
    if cells["predicted"].isna().all():
        raise NotMeasuredError(f"Every kind of proxy is left out for this set, since it was made that way: {without}.")
    rho = format_estimate(first["spearman"], first["spearman_lo"], first["spearman_hi"])
    exception = f"; without {without}, the way this set was made" if without else ""
    return Figure(
        proxy_scatter_chart(cells, len(run.taps), _marks(run, losses), choices.cell, theme),
        cells[["tap", "lam", "region", "predicted", "auroc", "lo", "hi", "left_out", "n_proxy", "n_id", "n_ood"]],
        f"Each point is a cell, {len(cells)} in all; Spearman {rho}, 95 % interval over images (Fisher z, bootstrap), "
        f"for these cells only. Proxies of {first['n_proxy']} ID-train images, one noise draw{exception}; OOD: {ood}, "
        f"{counts(run, first, ood)}. Dotted: chance.",
        f"Measured AUROC for {ood} against that predicted from proxies, {len(cells):,} cells; Spearman {rho}.",
        file_stem(run, ood, "proxies"),
    )


def losses_of_set(run: Run, choices: Choices, theme: str) -> Figure:
    """What each policy's choice loses on one OOD set."""
    ood, losses = choices.ood, stage_rows(run, "regret", ood=choices.ood)
    first = losses.iloc[0]
    best = f"{format_value(first['best_auroc'])}, the largest of {len(run.levels) * len(run.taps):,} cells"
    return Figure(
        regret_dots_chart(losses, published_lam(run), theme),
        losses.drop(columns=["ood", "best_level"]),
        f"Best cell: AUROC {best} on the same images. This naive maximum overestimates every loss. Paired 95 % "
        f"intervals; OOD: {ood}, {counts(run, first, ood)}.",
        "AUROC lost against the best cell: "
        + "; ".join(f"{row.policy} {format_value(row.regret)}" for row in losses.itertuples()),
        file_stem(run, ood, "regret"),
    )


def losses_of_all(run: Run, choices: Choices, theme: str) -> Figure:
    """What every policy loses on every OOD set, the chosen one framed."""
    regret = stage_rows(run, "regret")
    of_sets = regret[regret["ood"] != ""]
    mean = regret[regret["ood"] == ""].dropna(subset=["regret"]).sort_values("regret")
    found = verdicts(
        *(of_sets[f"regret{end}"] for end in ("", "_lo", "_hi")), arms=(of_sets["best_auroc"], of_sets["auroc"])
    )
    best = mean.iloc[0]["policy"] if len(mean) else "none"
    return Figure(
        regret_grid_chart(regret, run.ood_names, published_lam(run), theme, choices.ood),
        regret.assign(ood=regret["ood"].replace("", "mean of the sets")),
        "AUROC lost against each set's best cell, paired 95 % intervals (last row: mean over these sets, images "
        f"independent except within groups); {counts(run, of_sets)}. The best cell is a naive maximum, which "
        f"overestimates the losses of all policies alike. {found.summary('losses', 'clear of 0')}",
        f"AUROC lost by {regret['policy'].nunique()} policies on {len(run.ood_names):,} OOD sets; least on average: "
        f"{best}.",
        file_stem(run, "regret"),
    )


def proxies(run: Run, choices: Choices, theme: str) -> Figure:
    """What the proxies say of one cell; open, the kinds that do not count for the OOD set."""
    without = stage_rows(run, "prediction", ood=choices.ood)["left_out"].iloc[0].split(", ")
    level, tap = run.cell(choices.cell)
    rows = stage_rows(run, "proxies", level=level, tap_index=tap)
    return Figure(
        proxy_dots_chart(rows, without, theme),
        rows,
        f"AUROC of proxies against the ID-train images they are made from, n = {rows['n'].iloc[0]:,} each, one noise "
        "draw; 95 % intervals count an image and its proxy as one group. The head was fitted on images that include "
        "the originals.",
        "; ".join(f"{row.proxy}: AUROC {format_estimate(row.auroc, row.lo, row.hi)}" for row in rows.itertuples()),
        file_stem(run, f"proxies-of-cell-{choices.cell}"),
    )


def ablation(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC by levels, taps and shift of lam."""
    ood, rows = choices.ood, stage_rows(run, "ablation", ood=choices.ood)
    first = rows.iloc[0]
    measured = rows[rows["shift"] == 0]["auroc"]
    return Figure(
        ablation_grid_chart(rows, theme),
        rows.drop(columns="ood"),
        f"AUROC of CFS(K × L) with a single noise draw: mean ± SD over {first['draws']} draws; hover for the 95 % "
        "interval over images. Levels: those nearest to the main one. λ ± 0.5: all levels moved, head fitted again. "
        f"Head fitted on {first['n_train']:,} ID-train images; OOD: {ood}; {counts(run, first, ood)}.",
        f"AUROC by number of levels, taps and shift of lambda, from {format_value(measured.min())} to "
        f"{format_value(measured.max())} without a shift.",
        file_stem(run, ood, "ablation"),
    )


def _marks(run: Run, losses: pd.DataFrame) -> dict[str, int]:
    """Mark of the scatter -> cell index."""
    first = losses.iloc[0]
    places = {"best": (first["best_level"], first["best_tap"])}
    for row in losses[losses["policy"].isin(["proxy", "fixed"]) & losses["tap"].notna()].to_dict("records"):
        places[row["policy"]] = (row["level"], row["tap"])
    return {key: run.cell_number(level, tap) for key, (level, tap) in places.items()}


_SET, _CELL = ("ood",), ("ood", "cell")
KINDS = {
    **sealed.KINDS,
    "prediction-ranking": Kind("Measured AUROC of every cell against that predicted from proxies", ranking, _CELL),
    "prediction-losses": Kind("AUROC lost by each way of choosing a cell, one OOD set", losses_of_set, _SET),
    "prediction-losses-all": Kind("AUROC lost by each way of choosing a cell, all OOD sets", losses_of_all, _SET),
    "prediction-proxies": Kind("AUROC of a cell on each kind of proxy", proxies, _CELL),
    "prediction-ablation": Kind("AUROC by number of levels and taps", ablation, _SET),
}
