"""The protocol of finished explorations as text and CSV files, for the command line (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cfs_explore.diagnostics import honest_front
from cfs_explore.errors import RunError
from cfs_explore.figures import protocol_tables as numbers
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run
from cfs_explore.wording import table_number

_FRONT = ["detector", "draws", "forwards", "effective", "ms", "judged_auroc", "judged_lo", "judged_hi"]
_SENSITIVITY = ["variant", "spearman", "spearman_lo", "spearman_hi", "best_tap", "best_lam", "cost_of_moving"]
_SENSITIVITY += ["cost_of_moving_lo", "cost_of_moving_hi", "cfs_auroc", "cfs_minus_dec", "cfs_place"]


def protocol_tables(run: Run, ood: str, others: Sequence[Run] = ()) -> dict[str, pd.DataFrame | str]:
    """Everything that the protocol page shows of a run and one OOD set, by the heading that it stands under.

    A table whose stage has not run is replaced by the sentence that says so.
    """
    parts: dict[str, pd.DataFrame | str] = {}
    for each in (run, *others):
        parts[f"levels of {each.name}"] = numbers.levels_table(each)
    parts["alignment"] = _of_stage(run, "sensitivity", ood, lambda table: table[_SENSITIVITY])
    parts["conditioning"] = _of_stage(
        run, "conditioning", ood, lambda table: numbers.conditioning_summary(numbers.with_regions(run, table))
    )
    parts["cost front (effective)"] = _front(run, ood)
    for other in others:
        parts[f"{other.name} minus {run.name}"] = numbers.compare(run, other, ood)
    return parts


def as_text(parts: dict[str, pd.DataFrame | str]) -> str:
    """The tables under their headings; numbers to three decimals."""
    texts = [
        f"{heading}\n{part if isinstance(part, str) else part.to_string(index=False, float_format=table_number)}"
        for heading, part in parts.items()
    ]
    return "\n\n".join(texts)


def write_csv(parts: dict[str, pd.DataFrame | str], folder: Path) -> list[Path]:
    """A CSV file per table; existing files of these names are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for heading, part in parts.items():
        if isinstance(part, str):
            continue
        name = "".join(c if c.isalnum() or c in "-_" else "-" for c in heading)
        (folder / f"{name}.csv").write_text(to_csv(part), encoding="utf-8", newline="")
        written.append(folder / f"{name}.csv")
    return written


def _of_stage(run: Run, name: str, ood: str, shorten) -> pd.DataFrame | str:
    try:
        table = run.table(name)
    except RunError as error:
        return _missing(run, error)
    return shorten(table[table["ood"] == ood].reset_index(drop=True))


def _front(run: Run, ood: str) -> pd.DataFrame | str:
    try:
        return honest_front(numbers.cost_table(run, ood), "effective")[_FRONT]
    except RunError as error:
        return _missing(run, error)


def _missing(run: Run, error: RunError) -> str:
    return f"{error} `cfs-explore diagnose {run.path} --stages levels,alignment,conditioning` computes it."
