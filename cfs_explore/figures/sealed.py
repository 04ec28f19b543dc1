"""The prediction page's first figures: what was sealed from ID-train alone, and how it did (theory 25)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from cfs_explore.charts import auroc_map_chart, regret_grid_chart
from cfs_explore.diagnostics.regret import ALL_SETS
from cfs_explore.diagnostics.sealed import over_sets
from cfs_explore.errors import RunError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.headlines.sealed import sealed_headline
from cfs_explore.store import Run
from cfs_explore.store.seal import FILE, Seal, foreign, has_seal, read_seal, short_time
from cfs_explore.wording import counted, format_estimate, format_value

#: How intervals of a seal were computed -> in words.
_BY = {
    "bootstrap": "bootstrap",
    "moments": "means and variances alone, images taken as independent and scores as normal",
}
#: Policy -> what it is called in text.
POLICY_NAMES = {
    "sealed": "sealed",
    "fixed": "fixed level",
    "sparse_ed_id": "ID-chosen tap",
    "leave_one_out": "best on the other sets",
    "random": "random cell",
}


def seal_map(run: Run, choices: Choices, theme: str) -> Figure:
    """The sealed AUROC of every cell, the chosen one with a star."""
    seal = own_seal(run)
    rows = sealed_cells(run, seal)
    first = seal.chosen.cell
    estimate = format_estimate(*(getattr(seal, name)[first] for name in ("predicted", "lo", "hi")))
    return Figure(
        auroc_map_chart(rows, theme=theme, best=first),
        rows[["rank", "tap", "region", "lam", "auroc", "auroc_lo", "auroc_hi", "lowest", "highest", "n_proxy"]],
        f"AUROC that {len(seal.proxies)} kinds of proxy predict (theory 13, 17), made from {seal.n_proxy:,} of "
        f"{seal.n_train:,} ID-train images; their mean, with 95 % intervals for other ID-train images (by "
        f"{_BY[seal.interval]}). Star: the cell of highest prediction. Sealed {short_time(seal.time)}, digest "
        f"{seal.digest}.",
        f"Sealed AUROC of {len(rows):,} cells, {format_value(min(seal.predicted))} to "
        f"{format_value(max(seal.predicted))}; highest: {cell_label(run, first)}, {estimate}.",
        file_stem(run, "seal"),
    )


def sealed_cells(run: Run, seal: Seal) -> pd.DataFrame:
    """A row per cell of the map, as of a map's table: the sealed prediction in the place of the AUROC, and its rank.

    lowest, highest: of the predictions of the kinds of proxy.
    """
    kinds, levels, taps = np.array(list(seal.proxies.values())), len(run.levels), len(run.taps)
    ranks = np.empty(levels * taps, dtype=int)
    ranks[seal.ranking] = np.arange(1, ranks.size + 1)
    cells = [
        {"level": k, "lam": level.lam, "requested": level.requested, "tap": tap.name, "tap_index": t}
        | {name: getattr(tap, name) for name in ("region", "depth", "resolution")}
        for k, level in enumerate(run.levels)
        for t, tap in enumerate(run.taps)
    ]
    numbers = {"auroc": seal.predicted, "auroc_lo": seal.lo, "auroc_hi": seal.hi}
    numbers |= {"lowest": kinds.min(axis=0), "highest": kinds.max(axis=0), "rank": ranks}
    sizes = {"n_id": seal.n_proxy, "n_ood": seal.n_proxy, "n_proxy": seal.n_proxy}
    return pd.DataFrame(cells).assign(**numbers, **sizes)


def losses(run: Run, choices: Choices, theme: str) -> Figure:
    """What the sealed cell and the other policies' lose on every set that the seal judges."""
    ranking, chosen = stage_rows(run, "sealed_ranking"), stage_rows(run, "sealed_choice")
    judged = chosen[chosen["refused"] == ""]
    refused = ranking[ranking["refused"] != ""]
    if judged.empty:
        raise NotMeasuredError(refused["refused"].iloc[0])
    sets = [name for name in run.ood_names if name in set(judged["ood"])]
    lam = format_value(run.levels[run.manifest.kept["level"]].lam, 1)
    mean = judged[judged["ood"] == ALL_SETS].set_index("policy")
    verdict, of_all = ranking[ranking["ood"] == ALL_SETS].iloc[0], judged[judged["ood"] != ALL_SETS]
    rest = f" Not judged: {', '.join(refused['ood'])}." if len(refused) else ""
    return Figure(
        regret_grid_chart(judged, sets, lam, theme, choices.ood),
        judged.drop(columns=["best_auroc"]).assign(ood=judged["ood"].replace(ALL_SETS, "mean of the sets")),
        "AUROC lost against each set's best cell, a naive maximum which overestimates all losses alike; paired 95 % "
        f"intervals; {counts(run, of_all)}. Seal {verdict['seal'][:8]} of {verdict['sealed_at'][:16]} UTC, older than "
        f"the measurement of {counted(len(sets), 'set')}: {verdict['verdict']}. Ranking: Spearman "
        f"{format_estimate(*verdict[['spearman', 'spearman_lo', 'spearman_hi']])}, of which a share of "
        f"{format_value(verdict['chance'])} of all positions of the sealed map reach as much.{rest}",
        "AUROC lost on average: "
        + "; ".join(f"{POLICY_NAMES[name]} {format_value(row['regret'])}" for name, row in mean.iterrows()),
        file_stem(run, "sealed"),
    )


def own_seal(run: Run) -> Seal:
    """The seal in the run's directory.

    Raises:
        NotMeasuredError: there is none, or not of this run: why.
    """
    if not has_seal(run.path):
        raise NotMeasuredError(f"{run.name} has no seal. `cfs-explore predict {run.path}` makes one.")
    try:
        seal = read_seal(run.path)
    except RunError as error:
        raise NotMeasuredError(str(error)) from error
    if why := foreign(seal, run):
        raise NotMeasuredError(f"{why} {FILE} does not count.")
    return seal


def is_judged(run: Run) -> bool:
    """Whether the tables of a run are those of the seal that it has now, not of an earlier one."""
    if not run.has_table("sealed_choice"):
        return False
    try:
        return not has_seal(run.path) or read_seal(run.path).digest == run.table("sealed_ranking")["seal"].iloc[0]
    except RunError:  # the tables say so, too
        return True


def headline(run: Run, plain: Callable[[str], str] = str) -> str:
    """The sentence about a run's seal, as Markdown; ``plain`` makes text that may come from anywhere harmless in it."""
    if not has_seal(run.path):
        return (
            "No prediction was sealed before this exploration was measured. The diagnostic Prediction seals one, which "
            f"judges what is measured later; so does `cfs-explore predict {run.path.name}`."
        )
    try:
        seal = own_seal(run)
    except NotMeasuredError as why:
        return plain(str(why).replace(str(run.path), run.path.name))
    tables = [run.table(name) if is_judged(run) else None for name in ("sealed_ranking", "sealed_choice")]
    if tables[0] is not None:
        tables[0] = tables[0].assign(refused=tables[0]["refused"].map(plain))
    cell = seal.chosen.cell
    predicted = seal.predicted[cell], seal.lo[cell], seal.hi[cell]
    return sealed_headline(plain(cell_label(run, cell)), short_time(seal.time), predicted, *tables)


def as_text(run: Run) -> str:
    """What the seal of a run is worth, a line per set."""
    ranking, chosen = stage_rows(run, "sealed_ranking"), stage_rows(run, "sealed_choice")
    lines = [f"{run.name}: seal {ranking['seal'].iloc[0] or 'none'}"]
    for row in ranking.to_dict("records"):
        name = row["ood"] or "mean of the sets"
        if row["refused"]:
            lines.append(f"  {name}: refused. {row['refused']}")
            continue
        policies = chosen[(chosen["ood"] == row["ood"]) & (chosen["policy"] != "random")]
        lost = ", ".join(f"{POLICY_NAMES[r.policy]} {format_value(r.regret)}" for r in policies.itertuples())
        gain = chosen[(chosen["ood"] == row["ood"]) & (chosen["policy"] == "random")].iloc[0]
        rho = format_estimate(row["spearman"], row["spearman_lo"], row["spearman_hi"])
        lines.append(
            f"  {name}: {row['verdict']}. Spearman {rho}; lost: {lost}; gained over a random cell "
            f"{format_estimate(gain['gain'], gain['gain_lo'], gain['gain_hi'])}"
        )
    return "\n".join(lines)


def over_runs(runs: Sequence[Run]) -> pd.DataFrame:
    """What the sealed cells gain over every other policy, over sets and explorations.

    Returns:
        A row per policy: policy, regret (mean); gain_sets, sets_lo, sets_hi (mean over sets of each set's mean over
        explorations, limits for other sets); gain_runs, runs_lo, runs_hi (mean over explorations of each one's mean
        over sets, limits for other explorations); n_sets, n_runs. Explorations whose seals judge nothing do not count.
    """
    parts = [run.table("sealed_choice").assign(run=str(run.path)) for run in runs if run.has_table("sealed_choice")]
    every = pd.concat(parts) if parts else pd.DataFrame(columns=["ood", "policy", "refused", "gain", "regret", "run"])
    every = every[(every["refused"] == "") & (every["ood"] != ALL_SETS)].dropna(subset=["gain"])
    rows = []
    for policy, found in every.groupby("policy", sort=False):
        of_sets, of_runs = found.groupby("ood")["gain"].mean(), found.groupby("run")["gain"].mean()
        row = {"policy": policy, "regret": found.groupby("run")["regret"].mean().mean()}
        for of, gains in (("sets", of_sets), ("runs", of_runs)):
            lo, hi = over_sets(gains)
            row |= {f"gain_{of}": gains.mean(), f"{of}_lo": lo, f"{of}_hi": hi, f"n_{of}": len(gains)}
        rows.append(row)
    return pd.DataFrame(rows)


KINDS = {
    "prediction-seal": Kind("Sealed prediction: the AUROC of every cell from ID images alone", seal_map),
    "prediction-sealed": Kind(
        "AUROC lost by the sealed cell and by others, sets measured after the seal", losses, ("ood",)
    ),
}
