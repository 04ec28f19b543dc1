"""The protocol page's transfer: does the map of one backbone choose well on another (theory 26)?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd
import yaml

from cfs_explore.charts.transfer_matrix import transfer_matrix_chart
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.regret import ALL_SETS
from cfs_explore.diagnostics.transfer import FIXED, RANDOM, SetRows, matched_cells, reference_rows, transfer_rows
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures.against import AGAINST, others
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.figures.options import Control
from cfs_explore.safe_io import plain_yaml
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

NUMBER = Control(
    "transfer_number",
    "Shown",
    {"loss": "AUROC lost", "spearman": "Ranks"},
    help="AUROC lost: that of the cell which the backbone's own map chooses minus that of the cell which another "
    "backbone's map chooses, on images that neither was chosen on. Ranks: Spearman correlation of the two maps over "
    "matched cells, each on its own half of the images.",
)


def transfer(run: Run, choices: Choices, theme: str) -> Figure:
    """The matrix of all explorations, averaged over the OOD sets that all have."""
    runs = comparable(run, others(choices))
    number = NUMBER.of(choices.options)
    table = run.derived(transfer_table, *runs[1:])
    mean = table[table["ood"] == ALL_SETS]
    sets = [name for name in dict.fromkeys(table["ood"]) if name != ALL_SETS]
    pairs = table[(table["ood"] != ALL_SETS) & ~table["source"].isin([FIXED, RANDOM])]
    found = verdicts(*(pairs[f"loss{end}"] for end in ("", "_lo", "_hi")))
    shared = " ".join(shared_weights(runs))
    first = mean.iloc[0]
    return Figure(
        transfer_matrix_chart(mean, titles(runs), number, theme),
        table.assign(ood=table["ood"].replace(ALL_SETS, "mean of the sets")),
        f"Row: whose map chooses; column: where it is judged. Mean of {counted(len(sets), 'OOD set')} that all have; "
        f"n = {first['n_id']:,} ID, {first['n_ood']:,} OOD. Chosen on one half of the images and judged on the other, "
        "over random halves; taps matched by region and depth, levels by log-SNR; 95 % intervals for other images, "
        f"on hover also for other sets. {found.summary('losses on a set', 'clear of 0')} {shared}".strip(),
        "; ".join(
            f"{row.source} on {row.target}: loss {format_value(row.loss)}, Spearman {format_value(row.spearman)}"
            for row in mean.itertuples()
        ),
        file_stem(run, "transfer"),
    )


def comparable(run: Run, beside: Sequence[Run]) -> list[Run]:
    """The run and those beside it that scored the same ID-test images.

    Raises:
        NotMeasuredError: none does.
    """
    ids = sorted(_ids(run, "id_test", None))
    same = [other for other in beside if sorted(_ids(other, "id_test", None)) == ids]
    if not same:
        raise NotMeasuredError(
            f"This needs another exploration of the same ID-test images beside {run.name}: "
            "`--set protocol_against=NAME` names one."
        )
    return [run, *same]


def transfer_table(run: Run, *beside: Run) -> pd.DataFrame:
    """Every ordered pair of explorations, and what fixed and random cells lose, on the OOD sets of the same images.

    Returns:
        source (of ``titles``, or ``FIXED`` or ``RANDOM``), target, and the columns of ``transfer.transfer_rows``.

    Raises:
        NotMeasuredError: they share no OOD set, or no cell matches.
    """
    runs = [run, *beside]
    called = titles(runs)
    sets = [name for name in run.ood_names if all(_has_same(run, other, name) for other in beside)]
    if not sets:
        raise NotMeasuredError("These explorations have no OOD set of the same images in common.")
    draws = min(each.draws for each in runs)
    rows = [{name: _rows(each, name, draws) for name in sets} for each in runs]
    groups = _groups(run, *sets)
    parts = []
    for a, b in permutations(range(len(runs)), 2):
        cells = matched_cells(*((each.levels, each.taps) for each in (runs[a], runs[b])))
        if not cells.size:
            raise NotMeasuredError(f"No cell of {runs[a].name} matches one of {runs[b].name}.")
        found = transfer_rows(rows[a], rows[b], cells, groups)
        parts.append(found.assign(source=called[a], target=called[b]))
    for b, each in enumerate(runs):
        for name, cell in ((FIXED, _fixed(each)), (RANDOM, None)):
            if name == RANDOM or cell is not None:
                parts.append(reference_rows(rows[b], cell, groups).assign(source=name, target=called[b]))
    table = pd.concat(parts, ignore_index=True)
    return table[["source", "target", "ood", *table.columns.drop(["source", "target", "ood"])]]


def titles(runs: Sequence[Run]) -> list[str]:
    """Names of explorations, each its own, and none a cell's that is no exploration."""
    names = [each.name for each in runs]
    return [
        name if names.count(name) == 1 and name not in (FIXED, RANDOM) else f"{name} ({each.path.name})"
        for name, each in zip(names, runs, strict=True)
    ]


def shared_weights(runs: Sequence[Run]) -> list[str]:
    """A sentence for every two explorations whose networks are not independent, or are one, as far as is known."""
    found = []
    for a, b in permutations(runs, 2):
        if a.manifest.backbone.fingerprint == b.manifest.backbone.fingerprint:
            found += [f"{a.name} and {b.name} have the same network."] if runs.index(a) < runs.index(b) else []
        elif _begun_from(a, b):
            found.append(f"{a.name} was trained from the weights of {b.name}: these two are not independent.")
    return found


def _begun_from(run: Run, other: Run) -> bool:
    """Whether the training spec beside a run begins with the other's backbone."""
    path = run.path / "train.yaml"
    if not path.is_file():
        return False
    try:
        content = plain_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False  # it cannot be told
    start = content.get("start") if isinstance(content, dict) else None
    return (
        isinstance(start, str) and (run.path / start).resolve() == (other.path / other.manifest.backbone.path).resolve()
    )


def _rows(run: Run, ood: str, draws: int) -> SetRows:
    """Scores of images in the order of their ids."""
    orders = [np.argsort(_ids(run, *which), kind="stable") for which in (("id_test", None), ("ood", ood))]
    scores = run.scores("id_test")[:, :draws], run.scores("ood", ood)[:, :draws]
    rows = [cell_rows(part)[:, order] for part, order in zip(scores, orders, strict=True)]
    seed = run.manifest.spec.get("seed", 0)
    groups = Groups.of(*(names[order] for names, order in zip(run.group_names(ood), orders, strict=True)))
    return SetRows.of(*rows, groups, seed)


def _groups(run: Run, *sets: str) -> Groups | None:
    """Of the ID images and all OOD images, in the order of their ids."""
    order = np.argsort(_ids(run, "id_test", None), kind="stable")
    parts = [run.group_names(ood)[1][np.argsort(_ids(run, "ood", ood), kind="stable")] for ood in sets]
    return Groups.of(run.group_names(*sets)[0][order], np.concatenate(parts))


def _ids(run: Run, role: str, name: str | None) -> np.ndarray:
    return run.images(role, name, columns=["image_id"])["image_id"].to_numpy()


def _has_same(run: Run, other: Run, ood: str) -> bool:
    return ood in other.ood_names and sorted(_ids(run, "ood", ood)) == sorted(_ids(other, "ood", ood))


def _fixed(run: Run) -> int | None:
    """The decoder tap of the published detector at the kept level."""
    pair = run.manifest.presets.get("sparse_ed")
    return None if pair is None else run.cell_number(run.manifest.kept["level"], pair[1])


KINDS = {
    "compare-transfer": Kind(
        "What the map of one backbone is worth on another", transfer, ("beside",), (AGAINST, NUMBER)
    ),
}
