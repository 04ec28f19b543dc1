"""A run as if its backbone's training had kept weights: steps between an untrained copy's map and the run's own."""

import copy

import numpy as np
import pandas as pd

from cfs_explore.store import Run
from cfs_explore.studies.training import TRAINING

STEPS = (0, 1, 2, 4, 8, 16, 1024)


def grown(run: Run) -> Run:
    """The run with tables of the stage ``training``: each doubling brings the map a part of the way to its own."""
    maps, steps = zip(*(_of_set(run, ood) for ood in run.ood_names), strict=True)
    tables = {"training_map": pd.concat(maps, ignore_index=True), "training_steps": pd.concat(steps, ignore_index=True)}
    tables = {table.name: tables[table.name][table.column_names] for table in TRAINING.tables}
    other = copy.copy(run)
    other.table = lambda name: tables[name] if name in tables else run.table(name)
    other.has_table = lambda name: name in tables or run.has_table(name)
    return other


def _of_set(run: Run, ood: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    own = run.auroc_map(ood)
    first = run.table("controls").query("control == 'untrained' and seed == 0 and ood == @ood")["auroc"].to_numpy()
    maps, steps = [], []
    for step, share in zip(STEPS, np.linspace(0, 1, len(STEPS)), strict=True):
        value = (1 - share) * first + share * own["auroc"].to_numpy()
        to_come = own["auroc"].to_numpy() - value
        facts = {"step": step, "own": step == STEPS[-1], "ood": ood}
        around = {"auroc": value, "lo": value - 0.03, "hi": value + 0.03}
        ahead = {"to_come": to_come, "to_come_lo": to_come - 0.02, "to_come_hi": to_come + 0.02, "to_come_p": 0.5}
        maps.append(own.drop(columns=list(around), errors="ignore").assign(**around, **ahead, **facts))
        top = own.iloc[int(value.argmax())]
        numbers = {"pair": value.max() - 0.1, "best": value.max() - 0.02, "mean": value.mean()}
        numbers |= {"excess": value.mean() - first.mean(), "best_excess": value.max() - first.max()}
        limits = {
            f"{name}{end}": each + add for name, each in numbers.items() for end, add in (("_lo", -0.01), ("_hi", 0.01))
        }
        place = {name: top[name] for name in ("level", "lam", "tap_index", "tap", "region")}
        sizes = {"n_id": int(top["n_id"]), "n_ood": int(top["n_ood"])}
        others = {"highest": value.max(), "excess_p": 0.5, "best_excess_p": 0.5}
        steps.append(pd.DataFrame([numbers | limits | place | sizes | others | facts]))
    return pd.concat(maps), pd.concat(steps)
