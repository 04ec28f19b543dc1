"""The stage that judges a run's seal (theory 25): stored scores against the sealed ranking, no forwards."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.regret import ALL_SETS, ANY_CELL, leave_one_out, regret_table
from cfs_explore.diagnostics.sealed import SEALED, gain_table, ranking_table
from cfs_explore.errors import RunError
from cfs_explore.pipeline.sealing import judging_seal, seen_before
from cfs_explore.pipeline.stages.prediction import decoder_cell, left_out
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run
from cfs_explore.store.seal import Seal, late
from cfs_explore.studies.sealed import SEALED as STUDY

_NO_KIND = "every kind of proxy is left out for this set"


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.sealed``: a set that the seal may not judge has a row with the reason and no numbers.

    Without a seal, or with one that was altered or is another kind of run's, that is every set.
    """
    run = study.run
    try:
        seal = judging_seal(run)
    except RunError as why:
        return _tables(
            run,
            [_refused_rows(run, None, dict.fromkeys(run.ood_names, str(why)))],
            [_refused_choices(run, dict.fromkeys(run.ood_names, str(why)))],
        )
    return verify(run, seal, study.spec)


def verify(run: Run, seal: Seal, spec: RunSpec) -> dict[str, pd.DataFrame]:
    """The same with a seal that fits the run, and the run's spec."""
    predictions, refused = {}, {}
    for images in spec.ood:
        predicted = seal.without(left_out(images))
        why = late(seal, run, images.name) or seen_before(run, images.name, seal)
        if why or predicted is None:
            refused[images.name] = why or f"The seal does not rank the cells for {images.name}: {_NO_KIND}."
        else:
            predictions[images.name] = predicted
    ranking, choice = [_refused_rows(run, seal, refused)], [_refused_choices(run, refused)]
    if predictions:
        judged, chosen = _judged(run, seal, predictions)
        ranking.insert(0, judged)
        choice.insert(0, chosen)
    return _tables(run, ranking, choice)


def _tables(run: Run, ranking: list[pd.DataFrame], choice: list[pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Both tables, the sets in the run's order, then the mean."""
    stacked = [pd.concat([part for part in parts if len(part)]) for parts in (ranking, choice)]
    tables = dict(zip(STUDY.table_names, stacked, strict=True))
    order = {name: place for place, name in enumerate([*run.ood_names, ALL_SETS])}
    by_name = {table.name: table.column_names for table in STUDY.tables}
    return {
        name: table.sort_values("ood", key=lambda names: names.map(order), kind="stable")
        .reset_index(drop=True)[by_name[name]]
        .astype({"level": "Int64", "tap": "str"} if "level" in table else {})
        for name, table in tables.items()
    }


def _judged(run: Run, seal: Seal, predictions: dict[str, np.ndarray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of the sets that the seal judges."""
    names = list(predictions)
    id_rows = cell_rows(run.scores("id_test"))
    rows = {name: cell_rows(run.scores("ood", name)) for name in names}
    everyone = Groups.of(*run.group_names(*names))
    aurocs = np.stack([delong(id_rows, own)[0] for own in rows.values()])
    choices = {
        SEALED: [int(np.argmax(values)) for values in predictions.values()],
        "fixed": [decoder_cell(run, "sparse_ed")] * len(names),
        "sparse_ed_id": [decoder_cell(run, "sparse_ed_id")] * len(names),
        "leave_one_out": ["there is no other OOD set" if cell is None else cell for cell in leave_one_out(aurocs)],
        "random": [ANY_CELL] * len(names),
    }
    gains = gain_table(id_rows, rows, choices, everyone)
    chosen = regret_table(id_rows, rows, choices, run.levels, run.taps, everyone).merge(gains, on=["ood", "policy"])
    groups = {name: Groups.of(*run.group_names(name)) for name in names}
    seed = run.manifest.spec["seed"]
    ranking = ranking_table(np.stack(list(predictions.values())), id_rows, rows, len(run.levels), gains, groups, seed)
    facts = _facts(run, seal, ranking["ood"])
    return ranking.assign(refused="", **facts), chosen.assign(refused="")


def _facts(run: Run, seal: Seal | None, oods: pd.Series) -> dict[str, object]:
    opened = [run.entry("ood", ood).opened or run.manifest.created if ood != ALL_SETS else "" for ood in oods]
    return {"seal": seal.digest if seal else "", "sealed_at": seal.created if seal else "", "opened_at": opened}


def _refused_rows(run: Run, seal: Seal | None, refused: dict[str, str]) -> pd.DataFrame:
    """A row of ``sealed_ranking`` for every set that the seal may not judge."""
    names = pd.Series(list(refused), dtype=str)
    numbers = ("spearman", "spearman_lo", "spearman_hi", "sets_lo", "sets_hi", "chance")
    sizes = {"n_id": run.id_test.count, "n_ood": [run.entry("ood", name).count for name in refused], "n_sets": 1}
    frame = pd.DataFrame({"ood": names, "refused": list(refused.values())})
    return frame.assign(verdict="refused", **_facts(run, seal, names), **dict.fromkeys(numbers, np.nan), **sizes)


def _refused_choices(run: Run, refused: dict[str, str]) -> pd.DataFrame:
    """A row of ``sealed_choice`` for every set that the seal may not judge: its own choice, which is not judged."""
    absent = {"level": None, "lam": np.nan, "tap": None, "saturated": False, "note": "", "n_id": run.id_test.count}
    numbers = ("auroc", "lo", "hi", "best_auroc", "regret", "regret_lo", "regret_hi")
    numbers += ("gain", "gain_lo", "gain_hi", "sets_lo", "sets_hi")
    rows = [
        {"ood": name, "policy": SEALED, "refused": why, "n_ood": run.entry("ood", name).count}
        | absent
        | dict.fromkeys(numbers, np.nan)
        for name, why in refused.items()
    ]
    return pd.DataFrame(rows, columns=[column.name for column in STUDY.tables[1].columns])
