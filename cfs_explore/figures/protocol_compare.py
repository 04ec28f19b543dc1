"""The protocol page's side by side: maps of several explorations, and where they differ; no figure of one run."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts import auroc_map_chart, map_caption
from cfs_explore.charts.difference_map import difference_alt, difference_map_chart
from cfs_explore.charts.signed_map import shared_reach
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures.against import AGAINST, others
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.figures.protocol_tables import compare
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

_TELLING = ["tap_a", "tap_b", "lam", "lam_b", "auroc_a", "auroc_b", "difference", "lo", "hi", "paired"]


def side_map(run: Run, choices: Choices, theme: str) -> Figure:
    """One exploration's map, on the scale from 0 to 1 that all share."""
    ood, cells = choices.ood, run.auroc_map(choices.ood)
    return Figure(
        auroc_map_chart(cells, theme=theme),
        cells,
        map_caption(cells, "auroc", ood),
        f"AUROC of {run.name} for {ood}: {format_value(cells['auroc'].min(), 2)} to "
        f"{format_value(cells['auroc'].max(), 2)}.",
        file_stem(run, ood, "map"),
    )


def difference(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of the first exploration beside the run minus the run's in every pair of matching cells.

    All that are beside it share the colour scale.
    """
    ood, beside = choices.ood, others(choices)
    if not beside:
        raise NotMeasuredError(
            f"This needs another exploration beside {run.name}: `--set protocol_against=NAME` names one."
        )
    frames = [run.derived(compare, other, ood) for other in beside]
    second, cells = beside[0], frames[0]
    if cells.empty:
        raise NotMeasuredError(
            "No level of one lies within 0.25 in log-SNR of a level of the other, so there is nothing to compare."
        )
    reach = shared_reach(pd.concat([frame["difference"] for frame in frames]))
    row = cells.iloc[0]
    found = verdicts(cells["difference"], cells["lo"], cells["hi"], arms=(cells["auroc_a"], cells["auroc_b"]))
    cells = cells.assign(survives=found.survives)
    sizes = row[["n_id_a", "n_ood_a"]].set_axis(["n_id", "n_ood"])
    same = "the same images on both sides, paired" if row["paired"] else "different images, the two intervals combined"
    return Figure(
        difference_map_chart(cells, theme, reach=reach),
        cells[[*_TELLING, *cells.columns.drop(_TELLING)]],
        f"AUROC of {second.name} minus that of {run.name}; OOD: {ood}; taps matched by region and depth, levels by "
        f"log-SNR; {same}; {counts(run, sizes, ood)}; "
        f"{counted(int(row['draws']), 'noise draw')} on both sides. Above 0: {second.name} is better. "
        f"Ring: the 95 % interval includes 0. {found.summary('cells', 'clear of 0')}",
        difference_alt(cells, run.name, second.name),
        file_stem(second, f"minus-{run.path.name}", ood),
    )


KINDS = {
    "compare-map": Kind("The map on a colour scale from 0 to 1, shared by explorations", side_map, ("ood",)),
    "compare-difference": Kind("Where two explorations' maps differ", difference, ("ood", "beside"), (AGAINST,)),
}
