"""The prediction page's plates: cells ranked by proxies, what each choice of a cell loses, the ablation (theory 17)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures import (
    ablation_grid_figure,
    format_estimate,
    proxy_dots_figure,
    proxy_scatter_figure,
    regret_dots_figure,
    regret_grid_figure,
)
from cfs_explore.figures.theme import format_value
from cfs_explore.plates.choices import Choices
from cfs_explore.plates.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.plates.plate import Plate, counts, file_stem
from cfs_explore.store import Run


def published_lam(run: Run) -> str:
    """Log-SNR of the published detectors in this map, as text."""
    return format_value(run.levels[run.manifest.kept["level"]].lam, 1)


def left_out(cells: pd.DataFrame) -> list[str]:
    """Kinds of proxy that do not count for an OOD set; ``cells`` are its rows of the table ``prediction``."""
    return [kind for kind in cells["left_out"].iloc[0].split(", ") if kind]


def ranking(run: Run, ood: str, cells: pd.DataFrame, losses: pd.DataFrame, index: int, theme: str = "light") -> Plate:
    """Measured AUROC of all cells against that predicted from proxies.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        cells, losses: its rows of the tables ``prediction`` and ``regret``.
        index: cell to be marked, level * taps + tap.
        theme: "light" or "dark".

    Raises:
        NotMeasuredError: no kind of proxy counts for this set.
    """
    first, without = cells.iloc[0], cells["left_out"].iloc[0]
    if cells["predicted"].isna().all():
        raise NotMeasuredError(f"Every kind of proxy is left out for this set, since it was made that way: {without}.")
    rho = format_estimate(first["spearman"], first["spearman_lo"], first["spearman_hi"])
    exception = f"; without {without}, since the set was made that way" if without else ""
    return Plate(
        proxy_scatter_figure(cells, len(run.taps), _marks(run, losses), index, theme),
        cells[["tap", "lam", "region", "predicted", "auroc", "lo", "hi", "left_out", "n_proxy", "n_id", "n_ood"]],
        f"Each point is a cell, {len(cells)} in all; Spearman {rho}: 95 % interval over images, not over cells, which "
        f"depend on each other. Proxies of {first['n_proxy']} ID-train images, one draw{exception}; OOD: {ood}, "
        f"{counts(run, first, ood)}. Dotted: chance.",
        f"Measured AUROC for {ood} against that predicted from proxies, {len(cells)} cells; Spearman {rho}.",
        file_stem(run, ood, "proxies"),
    )


def losses_of_set(run: Run, ood: str, losses: pd.DataFrame, theme: str = "light") -> Plate:
    """What each policy's choice loses on one OOD set; ``losses`` are its rows of the table ``regret``."""
    first = losses.iloc[0]
    best = f"{format_value(first['best_auroc'])}, the largest of {len(run.levels) * len(run.taps)} cells"
    return Plate(
        regret_dots_figure(losses, published_lam(run), theme),
        losses.drop(columns=["ood", "best_level"]),
        f"Best cell: AUROC {best} on these very images: a naive maximum, so that every loss is overestimated. Paired "
        f"95 % intervals; OOD: {ood}, {counts(run, first, ood)}.",
        "AUROC lost to the best cell: "
        + "; ".join(f"{row.policy} {format_value(row.regret)}" for row in losses.itertuples()),
        file_stem(run, ood, "regret"),
    )


def losses_of_all(run: Run, ood: str, regret: pd.DataFrame, theme: str = "light") -> Plate:
    """What every policy loses on every OOD set.

    Args:
        run: the exploration.
        ood: name of the OOD set to frame.
        regret: the table of this name.
        theme: "light" or "dark".
    """
    of_sets = regret[regret["ood"] != ""]
    mean = regret[regret["ood"] == ""].dropna(subset=["regret"]).sort_values("regret")
    found = verdicts(
        *(of_sets[f"regret{end}"] for end in ("", "_lo", "_hi")), arms=(of_sets["best_auroc"], of_sets["auroc"])
    )
    best = mean.iloc[0]["policy"] if len(mean) else "none"
    return Plate(
        regret_grid_figure(regret, run.ood_names, published_lam(run), theme, ood),
        regret.assign(ood=regret["ood"].replace("", "mean of the sets")),
        "AUROC lost to each set's best cell, paired 95 % intervals (last row: of the mean over these sets, "
        f"whose images count as independent but for groups); {counts(run, of_sets)}. The best cell is a naive "
        "maximum: losses are overestimated, alike for all policies. "
        f"{found.told('losses', 'clear of 0')}",
        f"AUROC lost by {regret['policy'].nunique()} policies on {len(run.ood_names)} OOD sets; least on average: "
        f"{best}.",
        file_stem(run, "regret"),
    )


def proxies(run: Run, rows: pd.DataFrame, index: int, without: Sequence[str] = (), theme: str = "light") -> Plate:
    """What the proxies say of one cell.

    Args:
        run: the exploration.
        rows: the cell's rows of the table ``proxies``.
        index: of the cell, level * taps + tap.
        without: kinds of proxy that do not count for the OOD set, as of ``left_out``.
        theme: "light" or "dark".
    """
    return Plate(
        proxy_dots_figure(rows, without, theme),
        rows,
        f"ID-train images against their proxies, n = {rows['n'].iloc[0]} each, one draw; 95 % intervals, an "
        "image and its proxy counting as one group. The originals were part of the fit.",
        "; ".join(f"{row.proxy}: AUROC {format_estimate(row.auroc, row.lo, row.hi)}" for row in rows.itertuples()),
        file_stem(run, f"proxies-of-cell-{index}"),
    )


def ablation(run: Run, ood: str, rows: pd.DataFrame, theme: str = "light") -> Plate:
    """AUROC by levels, taps and shift of lam; ``rows`` are the OOD set's of the table ``ablation``."""
    first = rows.iloc[0]
    measured = rows[rows["shift"] == 0]["auroc"]
    return Plate(
        ablation_grid_figure(rows, theme),
        rows.drop(columns="ood"),
        f"AUROC of CFS(K × L) with a single noise draw: mean ± SD over {first['draws']} draws; the hover has the "
        "interval. Levels: those nearest to the main one. λ ± 0.5: all levels moved, statistics fitted again "
        f"there. Splits: statistics of {first['n_train']} ID-train images; OOD: {ood}; scores: "
        f"{counts(run, first, ood)}.",
        f"AUROC by number of levels, taps and shift of lambda, from {measured.min():.3f} to {measured.max():.3f} "
        "without a shift.",
        file_stem(run, ood, "ablation"),
    )


def _marks(run: Run, losses: pd.DataFrame) -> dict[str, int]:
    """Mark of the scatter -> cell index."""
    positions = {tap.name: t for t, tap in enumerate(run.taps)}
    first = losses.iloc[0]
    places = {"best": (first["best_level"], first["best_tap"])}
    for row in losses[losses["policy"].isin(["proxy", "fixed"]) & losses["tap"].notna()].to_dict("records"):
        places[row["policy"]] = (row["level"], row["tap"])
    return {key: int(level) * len(run.taps) + positions[tap] for key, (level, tap) in places.items()}


def _ranking(run: Run, choices: Choices, theme: str) -> Plate:
    cells, losses = (stage_rows(run, name, ood=choices.ood) for name in ("prediction", "regret"))
    return ranking(run, choices.ood, cells, losses, choices.cell, theme)


def _losses_of_set(run: Run, choices: Choices, theme: str) -> Plate:
    return losses_of_set(run, choices.ood, stage_rows(run, "regret", ood=choices.ood), theme)


def _losses_of_all(run: Run, choices: Choices, theme: str) -> Plate:
    return losses_of_all(run, choices.ood, stage_rows(run, "regret"), theme)


def _proxies(run: Run, choices: Choices, theme: str) -> Plate:
    level, tap = divmod(choices.cell, len(run.taps))
    without = left_out(stage_rows(run, "prediction", ood=choices.ood))
    return proxies(run, stage_rows(run, "proxies", level=level, tap_index=tap), choices.cell, without, theme)


def _ablation(run: Run, choices: Choices, theme: str) -> Plate:
    return ablation(run, choices.ood, stage_rows(run, "ablation", ood=choices.ood), theme)


KINDS = {
    "prediction-ranking": Kind("Measured AUROC of every cell against that predicted from proxies", _ranking),
    "prediction-losses": Kind("What each choice of a cell loses on an OOD set", _losses_of_set),
    "prediction-losses-all": Kind("What each choice of a cell loses on all OOD sets", _losses_of_all),
    "prediction-proxies": Kind("What the proxies say of a cell", _proxies),
    "prediction-ablation": Kind("AUROC by number of levels and taps", _ablation),
}
