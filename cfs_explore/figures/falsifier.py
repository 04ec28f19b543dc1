"""The falsifier page's figures: every detector's AUROC against its cost, and each rival's lead (theory 19 to 21)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts.lead_dots import lead_dots_chart, sign
from cfs_explore.charts.rival_front import rival_front_chart
from cfs_explore.detectors.stored import titles
from cfs_explore.diagnostics.falsifier import MARGIN
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, why_no_table
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_estimate, format_value

#: Budgets to choose from, in forwards per image.
BUDGETS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
BUDGET = Control(
    "falsifier_budget",
    "Budget, forwards per image",
    {budget: str(budget) for budget in BUDGETS},
    10,
    "What a detector may cost on one image. A Jacobian-vector product counts as many forwards as it took here.",
    drawn="slider",
)


def detector_rows(run: Run, table: str, ood: str) -> pd.DataFrame:
    """Rows of ``falsifier`` or ``leads`` on one OOD set, with titles that tell variants apart; no lead without a rival.

    Raises:
        NotMeasuredError: the run has no such table.
    """
    if why := why_no_table(run, table, remedy=True):
        raise NotMeasuredError(why)
    rows = run.table(table)
    rows = rows[rows["ood"] == ood].reset_index(drop=True)
    if rows.empty and table == "falsifier":
        raise NotMeasuredError(f"No detector was measured on {ood}.")
    return rows.assign(title=rows["detector"].map(titles(run)))


def untested(rows: pd.DataFrame) -> list[str]:
    """Titles of the trajectory detectors that were not measured; that of two backbones is no gap without a second one.

    Args:
        rows: of ``falsifier`` on one OOD set.
    """
    missing = rows[(rows["network"] == "trained") & (rows["kind"] == "rival") & rows["auroc"].isna()]
    no_background = (missing["detector"] == "likelihood_ratio") & missing["note"].str.contains("second network")
    return missing.loc[missing["trajectory"] & ~no_background, "title"].tolist()


def affordable(rows: pd.DataFrame, budget: float) -> pd.DataFrame:
    """The trained network's detectors of at most this cost, the best first, each with its untrained copy's AUROC."""
    found = rows[(rows["network"] == "trained") & (rows["cost"] <= budget) & rows["auroc"].notna()]
    copies = rows[rows["network"] == "untrained"].set_index("detector")
    found = found.assign(**{f"untrained_{name}": found["detector"].map(copies[name]) for name in ("auroc", "lo", "hi")})
    return found.sort_values("auroc", ascending=False, kind="stable").reset_index(drop=True)


def front(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of all detectors against their cost."""
    rows = detector_rows(run, "falsifier", choices.ood)
    budget = int(BUDGET.of(choices.options))
    best = affordable(rows, budget)
    first = f"{best['title'].iloc[0]} is best with {format_value(best['auroc'].iloc[0])}" if len(best) else "nothing"
    left_out = int(((rows["network"] == "trained") & rows["auroc"].isna()).sum())
    untold = f" Not measured: {counted(left_out, 'detector')}, the list Not measured says why." if left_out else ""
    return Figure(
        rival_front_chart(rows, budget, theme),
        rows,
        f"Each detector on the same images, with one noise draw or what it prescribes, fitted on the same "
        f"{_n_train(rows)} ID-train images; "
        f"OOD: {choices.ood}; {counts(run, rows, choices.ood)}; 95 % intervals. Dotted: the budget.{untold}",
        f"AUROC of {counted(len(affordable(rows, float('inf'))), 'detector')} against forwards per image, OOD: "
        f"{choices.ood}. For at most {counted(budget, 'forward')}, {first}.",
        file_stem(run, choices.ood, "falsifier"),
    )


def lead_dots(run: Run, choices: Choices, theme: str) -> Figure:
    """Each rival's lead over the best variant of CFS."""
    rows = detector_rows(run, "leads", choices.ood)
    if rows.empty:
        raise NotMeasuredError("No rival was measured. The list Not measured says of each what it would take.")
    told = "; ".join(
        f"{row['title']} {format_estimate(row['lead'], row['lead_lo'], row['lead_hi'])}, {sign(row)}"
        for row in rows.to_dict("records")
    )
    return Figure(
        lead_dots_chart(rows, MARGIN, theme),
        rows,
        f"AUROC of each rival minus that of the variant of CFS that does best against it; OOD: {choices.ood}; "
        f"{counts(run, rows, choices.ood)}. The intervals hold for all variants at once, their lower limits for all "
        f"rivals, too. ✗: the whole interval is above {MARGIN:g}, so that a trajectory falsifies the claim; ✓: below "
        "it; ○: neither; –: both AUROCs are near 1. In brackets: no trajectory, so the claim is not about it.",
        f"Lead of {counted(len(rows), 'rival')} over CFS, OOD: {choices.ood}. {told}.",
        file_stem(run, choices.ood, "leads"),
    )


def _n_train(rows: pd.DataFrame) -> str:
    return f"{int(rows['n_train'].iloc[0]):,}"


KINDS = {
    "falsifier-front": Kind("Every detector's AUROC against its cost", front, ("ood",), (BUDGET,)),
    "falsifier-leads": Kind("By how much each rival leads CFS", lead_dots, ("ood",)),
}
