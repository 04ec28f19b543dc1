"""The protocol page's side by side: maps of several explorations, and where they differ; no figure of one run."""

from __future__ import annotations

import pandas as pd

from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures import auroc_map_figure, map_caption
from cfs_explore.figures.difference_map import difference_alt, difference_map_figure
from cfs_explore.figures.signed_map import shared_reach
from cfs_explore.plates.against import AGAINST, others
from cfs_explore.plates.choices import Choices
from cfs_explore.plates.needs import Kind, NotMeasuredError
from cfs_explore.plates.plate import Plate, counts, file_stem
from cfs_explore.protocol import compare
from cfs_explore.store import Run

_TELLING = ["tap_a", "tap_b", "lam", "lam_b", "auroc_a", "auroc_b", "difference", "lo", "hi", "paired"]


def side_map(run: Run, ood: str, cells: pd.DataFrame, theme: str = "light") -> Plate:
    """One exploration's map, on the scale from 0 to 1 that all share; ``cells`` is ``run.auroc_map(ood)``."""
    return Plate(
        auroc_map_figure(cells, theme=theme),
        cells,
        map_caption(cells, "auroc", ood),
        f"AUROC of {run.name} for {ood}: {cells['auroc'].min():.2f} to {cells['auroc'].max():.2f}.",
        file_stem(run, ood, "map"),
    )


def difference(
    first: Run, second: Run, ood: str, cells: pd.DataFrame, reach: float | None = None, theme: str = "light"
) -> Plate:
    """AUROC of the second exploration minus that of the first in every pair of matching cells.

    Args:
        first, second: the explorations.
        ood: name of an OOD set of both.
        cells: ``protocol.compare`` of the three.
        reach: end of the colour scale, in AUROC; by default that of these cells.
        theme: "light" or "dark".

    Raises:
        NotMeasuredError: no cell of one matches a cell of the other.
    """
    if cells.empty:
        raise NotMeasuredError(
            "No level of one lies within 0.25 in log-SNR of a level of the other, so there is nothing to compare."
        )
    row = cells.iloc[0]
    found = verdicts(cells["difference"], cells["lo"], cells["hi"], arms=(cells["auroc_a"], cells["auroc_b"]))
    cells = cells.assign(survives=found.survives)
    sizes = row[["n_id_a", "n_ood_a"]].set_axis(["n_id", "n_ood"])
    same = "the same images on both sides, paired" if row["paired"] else "different images, intervals joined"
    return Plate(
        difference_map_figure(cells, theme, reach=reach),
        cells[[*_TELLING, *cells.columns.drop(_TELLING)]],
        f"AUROC of {second.name} minus that of {first.name}; OOD: {ood}; taps matched by region and depth, levels by "
        f"log-SNR; {same}; {counts(first, sizes, ood)}; "
        f"{row['draws']} noise draw{'s' * bool(row['draws'] > 1)} on both sides. Above 0: {second.name} is better. "
        f"Ring: the 95 % interval includes 0. {found.told('cells', 'clear of 0')}",
        difference_alt(cells, first.name, second.name),
        file_stem(second, f"minus-{first.path.name}", ood),
    )


def _side_map(run: Run, choices: Choices, theme: str) -> Plate:
    return side_map(run, choices.ood, run.auroc_map(choices.ood), theme)


def _difference(run: Run, choices: Choices, theme: str) -> Plate:
    """Of the first of those named; all share the scale, as on the page."""
    beside = others(choices)
    if not beside:
        raise NotMeasuredError(f"It needs another exploration beside {run.name}: `--set against=NAME` names one.")
    frames = [compare(run, other, choices.ood) for other in beside]
    reach = shared_reach(pd.concat([frame["difference"] for frame in frames]))
    return difference(run, beside[0], choices.ood, frames[0], reach, theme)


KINDS = {
    "compare-map": Kind("The map on the scale from 0 to 1 that explorations share", _side_map),
    "compare-difference": Kind("Where two explorations' maps differ", _difference, options=(AGAINST,)),
}
