"""The protocol page's cost: what detectors cost in forwards and time, and what they find for it (theory 1)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts.cost_front import cost_front_chart
from cfs_explore.diagnostics import honest_front
from cfs_explore.figures.against import AGAINST, others
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.figures.protocol_tables import cost_table
from cfs_explore.store import Run
from cfs_explore.wording import format_value

COSTS = {"ms": "Measured time", "effective": "Effective #F", "forwards": "#F"}
COST = Control(
    "protocol_cost",
    "Cost",
    COSTS,
    "effective",
    "#F: backbone forwards per image, levels × draws. Effective #F: counts each forward only up to the last tap that "
    "is read, by floating-point work. Measured time: milliseconds per image on the machine that made the exploration; "
    "compare it between explorations only if that was the same one.",
    former=("cost",),
)
_TELLING = ["detector", "kind", "draws", "forwards", "effective", "ms", "judged_auroc", "judged_lo", "judged_hi"]


def priced(run: Run, ood: str) -> pd.DataFrame:
    """``protocol_tables.cost_table``.

    Raises:
        RunError: there is no such set, or nothing was timed.
    """
    stage_rows(run, "cost")
    run.entry("ood", ood)
    return run.derived(cost_table, ood)


def cost_front(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of the detectors against their cost, with the honest front, and those of the explorations beside it."""
    ood, cost = choices.ood, COST.of(choices.options)
    table = priced(run, ood)
    front = honest_front(table, cost)
    fronts = {other.name: honest_front(priced(other, ood), cost) for other in others(choices)}
    several = f" and with all {run.draws}" if run.draws > 1 else ""
    against = f" Dashed: the front of {', '.join(fronts)}." if fronts else ""
    return Figure(
        cost_front_chart(table, front, cost, theme, others=fronts),
        table[[*_TELLING, *table.columns.drop(_TELLING)]],
        f"Every cell and the published detectors, with one noise draw{several}; OOD: {ood}; {counts(run, table, ood)}: "
        f"one half picks the front, the other gives the AUROC shown (95 % CI).{against}",
        f"AUROC against {COSTS[cost]}; the front has {len(front)} detectors, from "
        f"{format_value(front['judged_auroc'].iloc[0], 2)} for the cheapest to "
        f"{format_value(front['judged_auroc'].iloc[-1], 2)} for the most expensive."
        if len(front)
        else "No detector has a cost.",
        file_stem(run, ood, "cost"),
    )


KINDS = {
    "protocol-cost": Kind(
        "AUROC of the detectors against their cost", cost_front, ("ood", "beside"), options=(COST, AGAINST)
    )
}
