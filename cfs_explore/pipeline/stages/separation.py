"""The separation stage (theory 10 to 13): arithmetic on stored moments, scores and kept snapshots, no forwards."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore import heads
from cfs_explore.diagnostics import Groups, auroc, paired_auroc_difference
from cfs_explore.diagnostics.channels import top_channel_auroc
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.separation import separation_table
from cfs_explore.errors import CFSError, RunError
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.pipeline.tables import head_scores
from cfs_explore.scoring import feature_columns
from cfs_explore.store import Run
from cfs_explore.studies import Table
from cfs_explore.studies.separation import CELL_HEADS, TOP_CHANNELS

#: Columns of a head's row that are NaN where it could not be fitted.
_HEAD_NUMBERS = ("auroc", "lo", "hi", "difference", "difference_lo", "difference_hi")


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.separation``; those of the kept cells have no rows where none were kept."""
    run = study.run
    return {
        "separation": separation(run),
        "top_channels": top_channels(run, study.spec.seed),
        "cell_heads": cell_heads(run),
    }


def separation(run: Run) -> pd.DataFrame:
    """``separation_table`` of every OOD set, computed level by level, so that memory holds one level's scores."""
    pairs = _pair_squares(run)
    moments = {key: run.moments(*key) for key in [("id_train",), ("id_test",), *_ood_sets(run)]}
    groups = {key: Groups.of(*run.group_names(key[1])) for key in _ood_sets(run)}
    parts = []
    for k, level in enumerate(run.levels):
        at = {key: values.at(k) for key, values in moments.items()}
        id_scores = run.scores("id_test", level=k)
        for key in _ood_sets(run):
            table = separation_table(
                (at["id_train",], at["id_test",], at[key]),
                (id_scores, run.scores(*key, level=k)),
                [level],
                run.taps,
                None if pairs is None else (pairs[0][k : k + 1], pairs[1]),
                groups[key],
            )
            parts.append(table.assign(level=k, ood=key[1]))
    table = pd.concat(parts, ignore_index=True)
    order = table["ood"].map({name: i for i, name in enumerate(run.ood_names)})
    return table.iloc[np.lexsort([table["tap_index"], table["level"], order])].reset_index(drop=True)


def top_channels(run: Run, seed: int) -> pd.DataFrame:
    """``top_channel_auroc`` of every OOD set at the kept cells, on first-draw snapshots."""
    k, parts, columns = run.manifest.kept["level"], [], feature_columns(run.taps)
    train = run.moments("id_train").at(k)
    mean, v = train.mean[0], train.variance[0]
    for tap in run.manifest.kept["taps"]:
        id_test = run.snapshots(tap, "id_test")
        for _, ood in _ood_sets(run):
            c = columns[tap]
            snapshots, groups = run.snapshots(tap, "ood", ood), Groups.of(*run.group_names(ood))
            table = top_channel_auroc(id_test, snapshots, mean[c], v[c], groups=groups, seed=seed)
            parts.append(table.assign(ood=ood, tap=tap, level=k, lam=run.levels[k].lam))
    return _stacked(parts, TOP_CHANNELS)


def cell_heads(run: Run) -> pd.DataFrame:
    """Every registered head on each kept cell alone, fitted on ID-train, with the paired difference from ``diag``.

    Where the run has no snapshots of ID-train, the rows hold no numbers, and their note says why.
    """
    k, parts = run.manifest.kept["level"], []
    for tap in run.manifest.kept["taps"]:
        sets = {key: run.snapshots(tap, *key) for key in [("id_test",), *_ood_sets(run)]}
        try:
            scores, notes = _fit_and_score(run.snapshots(tap, "id_train"), sets)
        except RunError as why:
            scores, notes = {}, dict.fromkeys(heads.REGISTRY, str(why))
        for key in _ood_sets(run):
            groups = Groups.of(*run.group_names(key[1]))
            rows = [_head_row(scores, name, key, groups) | {"note": notes[name]} for name in heads.REGISTRY]
            sizes = {"n_id": len(sets["id_test",]), "n_ood": len(sets[key])}
            parts.append(pd.DataFrame(rows).assign(ood=key[1], tap=tap, level=k, lam=run.levels[k].lam, **sizes))
    return _stacked(parts, CELL_HEADS)


def _fit_and_score(train: np.ndarray, sets: dict) -> tuple[dict[str, dict], dict[str, str]]:
    """Head -> set -> scores of the heads that can be fitted; head -> why it cannot, or nothing."""
    scores, notes = {}, dict.fromkeys(heads.REGISTRY, "")
    for name, head_class in heads.REGISTRY.items():
        try:
            head = head_class().fit(train)
            scores[name] = {key: head_scores(head, features) for key, features in sets.items()}
        except CFSError as error:  # too few ID-train images or features for this head
            notes[name] = str(error)
    return scores, notes


def _head_row(scores: dict[str, dict], name: str, key: tuple[str, str], groups: Groups | None) -> dict:
    """AUROC of one head and its difference from the diagonal head; NaN where there is none."""
    row = {"head": name, **dict.fromkeys(_HEAD_NUMBERS, np.nan)}
    if name not in scores:
        return row
    own = scores[name]["id_test",], scores[name][key]
    row |= dict(zip(("auroc", "lo", "hi"), auroc(*own, groups=groups), strict=True))
    if name != "diag" and "diag" in scores:
        try:
            paired = paired_auroc_difference(*own, scores["diag"]["id_test",], scores["diag"][key], groups=groups)
        except ScoreError:  # a single image has no variance
            return row
        row |= {"difference": paired.value, "difference_lo": paired.lo, "difference_hi": paired.hi}
    return row


def _pair_squares(run: Run) -> tuple[np.ndarray, int] | None:
    """Pair sums of ID-test; None for a run that was measured before they were kept."""
    try:
        return run.pair_squares()
    except RunError:
        return None


def _ood_sets(run: Run) -> list[tuple[str, str]]:
    return [("ood", name) for name in run.ood_names]


def _stacked(parts: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    columns = table.column_names
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
