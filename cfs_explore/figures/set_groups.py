"""The protocol page's near and far: group means and full-spectrum AUROC of detectors and of every cell (theory 36)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cfs_explore.charts import small_multiples_chart
from cfs_explore.charts.set_group_dots import set_group_dots_chart
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.set_groups import ScoredSet, set_group_table
from cfs_explore.figures.against import AGAINST, others
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import detector_name, detector_of, preset_cells
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.headlines.set_groups import group_label, no_full_spectrum, set_words
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_estimate, format_value, listed, table_number

#: Height of a level in the maps: there are five of them at most.
_ROW_PX = 18
_FIRST = ["exploration", "detector", "spectrum", "set_group", "ood", "auroc", "lo", "hi", "set_count"]


def detector_groups(run: Run, cells: Iterable[int] = ()) -> pd.DataFrame:
    """``set_group_table`` of the published detectors, and of one of these cells, with the columns detector, composed.

    Raises:
        NotMeasuredError: no OOD set is in a group, or the run has no published detector and no cells are given.
    """
    return run.derived(_detector_groups, tuple(cells))


def _detector_groups(run: Run, cells: tuple[int, ...]) -> pd.DataFrame:
    require_groups(run)
    wanted = list(preset_cells(run).values())
    own = [list(cells)] if cells and list(cells) not in wanted else []
    detectors = [detector_of(run, each) for each in wanted + own]
    if not detectors:
        raise NotMeasuredError(
            f"{run.name} measured no encoder-decoder pair of the policy sparse_ed; give a detector of your own, cells "
            "such as up1.res1@5."
        )

    def scored(role: str, name: str | None = None) -> ScoredSet:
        rows = np.stack([detector.scores(run, role, name) for detector in detectors])
        return ScoredSet(rows, run.names_of_groups(role, name))

    table = set_group_table(
        scored("id_test"), {name: scored("ood", name) for name in grouped_sets(run)}, run.set_groups
    )
    names = [detector_name(run, each) for each in wanted + own]
    composed = [False] * len(wanted) + [True] * len(own)
    return table.assign(detector=[names[row] for row in table["row"]], composed=[composed[r] for r in table["row"]])


def cell_groups(run: Run) -> pd.DataFrame:
    """``set_group_table`` of every cell, without the single sets, with the columns of a map."""
    return run.derived(_cell_groups)


def _cell_groups(run: Run) -> pd.DataFrame:
    require_groups(run)

    def scored(role: str, name: str | None = None) -> ScoredSet:
        scores = run.mean_scores(role, name)
        return ScoredSet(scores.reshape(-1, scores.shape[-1]), run.names_of_groups(role, name))

    sets = {name: scored("ood", name) for name in grouped_sets(run)}
    table = set_group_table(scored("id_test"), sets, run.set_groups, single=False)
    cells = cell_columns(run.levels, run.taps).iloc[table["row"]].reset_index(drop=True)
    return pd.concat([table.drop(columns=["row", "ood"]), cells], axis=1).rename(
        columns={"lo": "auroc_lo", "hi": "auroc_hi"}
    )


def require_groups(run: Run) -> None:
    """NotMeasuredError, with the remedy, where no OOD set of the run is in a group."""
    if not run.set_groups:
        raise NotMeasuredError(
            f"No OOD set of {run.name} is in a group. `cfs-explore groups {run.path} --near SET --far SET --covariate "
            "SET` puts them there, without measuring again; so does `set_group` beside a set's source in a spec."
        )


def grouped_sets(run: Run) -> list[str]:
    """The OOD sets that are in a group."""
    return [name for names in run.set_groups.values() for name in names]


def detectors(run: Run, choices: Choices, theme: str) -> Figure:
    """Every group's mean AUROC for each detector, with that of its sets; of the explorations beside it, too."""
    own = choices.cells if choices.cells_given else ()
    beside = others(choices)
    tables = [detector_groups(run, own), *(detector_groups(other) for other in beside if other.set_groups)]
    names = [run.name, *(other.name for other in beside if other.set_groups)]
    rows = pd.concat(
        [
            table.assign(exploration=name, place=place)
            for place, (table, name) in enumerate(zip(tables, names, strict=True))
        ],
        ignore_index=True,
    )
    shown = _lines(rows)
    return Figure(
        set_group_dots_chart(shown, theme),
        rows[[*_FIRST, *rows.columns.drop([*_FIRST, "row", "composed", "place"])]],
        "AUROC of each detector on groups of OOD sets: the mean over a group's sets, each counting alike, with 95 % CI "
        f"for other images of the same sets; ticks: the sets. {_groups_text(run)}{_beside_text(run, beside)}",
        "; ".join(
            f"{row['label']}, {row['about']}: {format_estimate(row['auroc'], row['lo'], row['hi'])}"
            for row in shown[shown["ood"] == ""].to_dict("records")
        ),
        file_stem(run, "set-groups"),
    )


def _lines(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in the chart's order, group by group, with the columns line, label and about."""
    groups = [group_label(row) for row in rows.to_dict("records")]
    several = rows["place"].nunique() > 1
    of = rows["detector"] + (" · " + rows["exploration"] if several else "")
    shown = rows.assign(group=groups, label=[f"{group}: {name}" for group, name in zip(groups, of, strict=True)])
    shown = shown.assign(
        group=pd.Categorical(groups, list(dict.fromkeys(groups))), about=shown["set_count"].map(set_words)
    ).sort_values(["group", "place", "row"], kind="stable", ignore_index=True)
    return shown.assign(line=shown.groupby(["group", "place", "row"], observed=True, sort=True).ngroup())


def _beside_text(run: Run, beside: list[Run]) -> str:
    """Which other sets the explorations beside it have in their groups."""
    sentences = []
    for other in (each for each in beside if each.set_groups != run.set_groups):
        groups = [f"{group}: {', '.join(names)}" for group, names in other.set_groups.items()]
        sentences.append(f" {other.name}: {'; '.join(groups)}." if groups else f" {other.name} has no groups.")
    return "".join(sentences)


def maps(run: Run, choices: Choices, theme: str) -> Figure:
    """A small map of each group's mean AUROC, standard and in the full spectrum."""
    rows = cell_groups(run)
    frames = {
        group_label({"set_group": group, "spectrum": spectrum}): frame
        for (spectrum, group), frame in rows.groupby(["spectrum", "set_group"], sort=False)
    }
    texts = {
        name: f"{set_words(int(frame['set_count'].iloc[0]))} · median {format_value(frame['auroc'].median())}"
        for name, frame in frames.items()
    }
    first = [
        "spectrum",
        "set_group",
        "tap",
        "lam",
        "auroc",
        "auroc_lo",
        "auroc_hi",
        "lowest",
        "highest",
        "n_id",
        "n_ood",
    ]
    return Figure(
        small_multiples_chart(frames, "auroc", theme, best=texts, columns=3, row_px=_ROW_PX),
        rows[first],
        f"Mean AUROC over a group's OOD sets in every cell (95 % CI in the table), with the median over the "
        f"{counted(len(next(iter(frames.values()))), 'cell')}. {_groups_text(run)}",
        f"Small maps of {listed(list(frames))}: {'; '.join(f'{name} {text}' for name, text in texts.items())}.",
        file_stem(run, "set-groups", "maps"),
    )


def _groups_text(run: Run) -> str:
    """Which sets each group has, with the numbers of images; who counts as ID; which sets are in none."""
    groups, counts = run.set_groups, {name: run.entry("ood", name).count for name in run.ood_names}
    parts = [
        f"{group}: {', '.join(f'{name} (n = {counts[name]:,})' for name in names)}"
        + ("; one set, so no spread over sets" if len(names) == 1 else "")
        for group, names in groups.items()
    ]
    sentences = [f"{part[0].upper()}{part[1:]}." for part in parts] + [f"ID-test: n = {run.id_test.count:,}."]
    if why := no_full_spectrum(groups):
        sentences.append(why)
    else:
        shifted = sum(counts[name] for name in groups["covariate"])
        sentences.append(
            f"Full spectrum: the {shifted:,} images of the covariate sets count as ID, beside ID-test; near and far "
            "sets are OOD."
        )
    left = [name for name in run.ood_names if name not in grouped_sets(run)]
    return " ".join([*sentences, *([f"In no group: {', '.join(left)}."] if left else [])])


def as_text(table: pd.DataFrame, run: Run) -> str:
    """Every number of ``detector_groups``, for a terminal."""
    records = table.sort_values("row", kind="stable").to_dict("records")
    numbers = pd.DataFrame(
        {
            "detector": row["detector"],
            "group": group_label(row),
            "sets": row["ood"] or set_words(row["set_count"]),
            **{name: table_number(row[name]) for name in ("auroc", "lo", "hi", "lowest", "highest")},
            "n_id": row["n_id"],
            "n_ood": row["n_ood"],
        }
        for row in records
    )
    return f"{run.name}: AUROC on groups of OOD sets\n\n{numbers.to_string(index=False)}\n\n{_groups_text(run)}"


KINDS = {
    "protocol-groups": Kind(
        "Near, far and full-spectrum AUROC of the detectors",
        detectors,
        ("cells", "cells_given", "beside"),
        options=(AGAINST,),
    ),
    "protocol-group-maps": Kind("Mean AUROC over each group of OOD sets in every cell", maps),
}
