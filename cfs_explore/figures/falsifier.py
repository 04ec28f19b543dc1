"""The falsifier page's figures: every detector's AUROC against its cost, and each rival's lead (theory 19 to 21)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from cfs_explore.charts.lead_dots import lead_dots_chart, sign
from cfs_explore.charts.rival_front import rival_front_chart
from cfs_explore.detectors.stored import Measured, titles
from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics.falsifier import MARGIN
from cfs_explore.diagnostics.simultaneous import joint_limits
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
    if table == "falsifier" and "needed" not in rows:  # of an older run, whose notes alone say it
        rows = rows.assign(
            needed=rows["note"].str.extract(r"([\d.]+) (?:has|would have)\b", expand=False).astype(float)
        )
    return rows.assign(title=rows["detector"].map(titles(run)))


def untested(rows: pd.DataFrame) -> list[str]:
    """Titles of the trajectory detectors that were not measured; that of two backbones is no gap without a second one.

    Args:
        rows: of ``falsifier`` on one OOD set.
    """
    missing = rows[(rows["network"] == "trained") & (rows["kind"] == "rival") & rows["auroc"].isna()]
    no_background = (missing["detector"] == "likelihood_ratio") & missing["note"].str.contains("second network")
    return missing.loc[missing["trajectory"] & ~no_background, "title"].tolist()


def beside_untrained(rows: pd.DataFrame) -> pd.DataFrame:
    """The trained network's rows with copies, untrained, its limits, and the difference to them; NaN without a copy.

    Args:
        rows: of ``falsifier`` on one OOD set; an older run's has one copy, and no difference.
    """
    trained = rows[rows["network"] == "trained"]
    if "to_untrained" in rows:
        return trained
    copies = rows[rows["network"] == "untrained"].set_index("detector")
    names = {"untrained": "auroc", "untrained_lo": "lo", "untrained_hi": "hi"}
    known = {column: trained["detector"].map(copies[name]) for column, name in names.items()}
    unknown = dict.fromkeys(("to_untrained", "to_untrained_lo", "to_untrained_hi"), math.nan)
    return trained.assign(**known, **unknown, copies=known["untrained"].notna().astype(int))


def affordable(rows: pd.DataFrame, budget: float) -> pd.DataFrame:
    """The trained network's detectors of at most this cost, the best first, each beside its untrained copies."""
    found = beside_untrained(rows)
    found = found[(found["cost"] <= budget) & found["auroc"].notna()]
    return found.sort_values("auroc", ascending=False, kind="stable").reset_index(drop=True)


def contest(run: Run, ood: str, budget: float = math.inf, kind: str | None = None) -> pd.DataFrame:
    """``affordable``, with limits that hold for all of them at once, so that the first may be called the best (35).

    Args:
        kind: of the detectors, such as "head"; None: all.

    Returns:
        The rows, with joint_lo and joint_hi of the AUROC, lead, lead_lo and lead_hi over CFS(1x2), in_contest (how many
        detectors the limits hold for).
    """
    found = affordable(detector_rows(run, "falsifier", ood), budget)
    found = found if kind is None else found[found["kind"] == kind].reset_index(drop=True)
    if found.empty:
        return found
    limits = run.derived(_limits, ood, *found["detector"])
    return found.assign(**limits.drop(columns="auroc"), in_contest=len(found))


def _limits(run: Run, ood: str, *names: str) -> pd.DataFrame:
    """``joint_limits`` of these detectors against CFS(1x2), on the images that all of them scored."""
    stored = [Measured("", name) for name in (*names, "cfs_1x2")]
    sets = ("id_test", None), ("ood", ood)
    scores = [np.stack([each.scores(run, *which) for each in stored]) for which in sets]
    kept = [stored[-1].rows(run, *which) for which in sets]
    groups = Groups.of(*(part[rows] for part, rows in zip(run.group_names(ood), kept, strict=True)))
    candidates, reference = (tuple(part[rows] for part in scores) for rows in (slice(-1), slice(-1, None)))
    return joint_limits(candidates, reference, groups=groups)


def front(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of all detectors against their cost."""
    rows = detector_rows(run, "falsifier", choices.ood)
    budget = int(BUDGET.of(choices.options))
    best = contest(run, choices.ood, budget)
    first, chosen = "nothing", ""
    if len(best):
        row = best.iloc[0]
        equal = int((best["auroc"] == row["auroc"]).sum()) - 1
        who = f"{row['title']} and {counted(equal, 'other')} are" if equal else f"{row['title']} is"
        first = f"{who} highest on these images with {format_value(row['auroc'])}"
        value = format_estimate(row["auroc"], row["joint_lo"], row["joint_hi"])
        chosen = (
            f" Within it {who} highest, {value}, with limits that hold for all {len(best)} at once (columns budget_ of "
            "the table)."
        )
        columns = ["joint_lo", "joint_hi", "lead", "lead_lo", "lead_hi"]
        joint = best[["detector", "network", *columns]].rename(columns={name: f"budget_{name}" for name in columns})
        rows = rows.merge(joint, how="left", on=["detector", "network"])
    left_out = int(((rows["network"] == "trained") & rows["auroc"].isna()).sum())
    untold = f" Not measured: {counted(left_out, 'detector')}, the list Not measured says why." if left_out else ""
    return Figure(
        rival_front_chart(rows, budget, theme),
        rows,
        f"Each detector on the same images, with one noise draw or what it prescribes, fitted on the same "
        f"{_n_train(rows)} ID-train images; "
        f"OOD: {choices.ood}; {counts(run, rows, choices.ood)}; 95 % intervals, each by "
        f"itself. Dotted: the budget.{chosen}{untold}",
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
