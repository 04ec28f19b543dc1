"""Trajectory detectors on groups of OOD sets, beside CFS on the same images (theory 21, 36)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.charts.group_grid import group_grid_chart
from cfs_explore.detectors.stored import Measured, titles
from cfs_explore.diagnostics.set_groups import ScoredSet, set_group_table
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, why_no_table
from cfs_explore.figures.set_groups import grouped_sets, require_groups
from cfs_explore.headlines.set_groups import group_label
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_estimate

_FIRST = ["detector", "kind", "forwards", "jvps", "spectrum", "set_group", "sets", "set_count", "auroc", "lo", "hi"]


def rival_groups(run: Run) -> pd.DataFrame:
    """``set_group_table`` of CFS and of every rival that the stage ``detectors`` measured, without the single sets.

    All on the images and the one noise draw of that stage, CFS too; with the columns detector (its title), kind, #F
    forwards and jvps per image, from cheap to dear.

    Raises:
        NotMeasuredError: no OOD set is in a group, or the stage was not run.
    """
    return run.derived(_rival_groups)


def _rival_groups(run: Run) -> pd.DataFrame:
    require_groups(run)
    if why := why_no_table(run, "falsifier", remedy=True):
        raise NotMeasuredError(why)
    known = run.table("falsifier")
    known = known[(known["network"] == "trained") & known["kind"].isin(["cfs", "rival"])]
    of_all = known.groupby("detector", sort=False)["auroc"].apply(lambda values: values.notna().all())
    known = known.drop_duplicates("detector")
    known = known[known["detector"].map(of_all)].sort_values(["forwards", "jvps"], kind="stable", ignore_index=True)
    stored = [Measured("", name) for name in known["detector"]]

    def scored(role: str, name: str | None = None) -> ScoredSet:
        rows = stored[0].rows(run, role, name)
        return ScoredSet(
            np.stack([each.scores(run, role, name) for each in stored]), run.names_of_groups(role, name)[rows]
        )

    sets = {name: scored("ood", name) for name in grouped_sets(run)}
    table = set_group_table(scored("id_test"), sets, run.set_groups, single=False)
    facts = known[["detector", "kind", "forwards", "jvps"]].assign(detector=known["detector"].map(titles(run)))
    return table.drop(columns="ood").join(facts, on="row")


def rivals(run: Run, choices: Choices, theme: str) -> Figure:
    """A row per detector, a column per group: mean AUROC with its interval."""
    rows = rival_groups(run)
    rows = rows.assign(group=[group_label(row) for row in rows.to_dict("records")])
    ids, best = int(rows["n_id"].min()), rows.loc[rows.groupby("group", sort=False)["auroc"].idxmax()]
    return Figure(
        group_grid_chart(rows, theme),
        rows[[*_FIRST, *rows.columns.drop([*_FIRST, "row", "group"])]],
        "Mean AUROC of each detector over a group's OOD sets, each set counting alike, with 95 % CI for other images "
        "of the same sets, not corrected for the number of rows. From cheap to dear: F forwards and J Jacobian-vector "
        f"products per image. CFS is on the same images and one noise draw: {ids:,} ID-test images, and up to as "
        "many of each OOD set. In the full spectrum, covariate sets count as ID.",
        f"{counted(rows['row'].nunique(), 'detector')}; the highest mean AUROC: "
        + "; ".join(
            f"{row['group']} {row['detector']} {format_estimate(row['auroc'], row['lo'], row['hi'])}"
            for row in best.to_dict("records")
        ),
        file_stem(run, "set-groups", "rivals"),
    )


KINDS = {"protocol-group-rivals": Kind("Trajectory detectors beside CFS on groups of OOD sets", rivals)}
