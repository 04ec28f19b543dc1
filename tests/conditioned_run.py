"""A run as if its network had been conditioned on labels or prompts besides."""

import pandas as pd
from changed_run import changed

from cfs_explore.store import Run


def with_conditions(run: Run, *names: str, own: str = "null class") -> Run:
    """The run whose stage also compared these: what it lost 1 too clean, and half of it for the second, and so on."""

    def change(table):
        rows = table[table["variant"] == "lam + 1"]
        losses = rows[["loss", "loss_lo", "loss_hi"]]
        parts = [
            rows.assign(variant=name, offset=0.0, told_lam=rows["lam"], **losses / (k + 1))
            for k, name in enumerate(names)
        ]
        return pd.concat([table, *parts], ignore_index=True).assign(condition=own)

    return changed(run, "conditioning", change)
