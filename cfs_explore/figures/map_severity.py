"""The map page's AUROC over severity, where a run has a change at several severities (theory 3, 4)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts.severity_lines import KINDS as DETECTORS
from cfs_explore.charts.severity_lines import severity_lines_chart
from cfs_explore.explorations.severities import Series, series_of
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import PRESETS
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

NO_SERIES = (
    "AUROC over severity needs a change at two or more severities among the OOD sets. Give a set "
    "`source: {altered: noisy, of: ...}` and `severities: [1, 2, 3, 4, 5]` in the spec, and measure it."
)


def severity_rows(run: Run) -> pd.DataFrame:
    """Detectors by severity: corruption, severity, kind, detector, ood, auroc, lo, hi, n_id, n_ood.

    The best cell is the honest one (theory 3), and missing where a set has too few images; the pair is CFS(1x2),
    missing without presets; the input tap is the first tap of that region at the cleanest level, if there is one.
    """
    rows = [
        row for each in series_of(run) for severity, ood in each.sets.items() for row in _of(run, each, severity, ood)
    ]
    columns = ["corruption", "severity", "kind", "detector", "ood", "auroc", "lo", "hi", "n_id", "n_ood"]
    return pd.DataFrame(rows, columns=columns)


def _of(run: Run, series: Series, severity: int, ood: str) -> list[dict]:
    """One set's detectors."""
    found: list[tuple[str, pd.Series, tuple[str, str, str]]] = []
    best, presets = (_of_set(run.table(name), ood) for name in ("best_cell", "detectors"))
    if len(best):
        found.append(("best", best.iloc[0], ("honest", "honest_lo", "honest_hi")))
    pair = presets[presets["name"] == PRESETS[0]] if len(presets) else presets
    if len(pair):
        found.append(("pair", pair.iloc[0], ("auroc", "lo", "hi")))
    first = next((place for place, tap in enumerate(run.taps) if tap.region == "input"), None)
    if first is not None:
        cell = run.auroc_map(ood).iloc[run.cell_number(0, first)]
        found.append(("input", cell, ("auroc", "lo", "hi")))
    shared = {"corruption": series.name, "severity": severity, "ood": ood}
    return [
        shared
        | {"kind": kind, "detector": DETECTORS[kind][0], "n_id": int(row["n_id"]), "n_ood": int(row["n_ood"])}
        | dict(zip(("auroc", "lo", "hi"), row[list(names)].astype(float), strict=True))
        for kind, row, names in found
    ]


def _of_set(table: pd.DataFrame, ood: str) -> pd.DataFrame:
    return table[table["ood"] == ood] if len(table) else table


def detected_from(rows: pd.DataFrame) -> dict[str, int | None]:
    """Corruption -> the weakest severity from which on the best cell's interval is above 0.5; None where there is none.

    Args:
        rows: of ``severity_rows``.
    """
    found = {}
    for name, block in rows[rows["kind"] == "best"].groupby("corruption", sort=False):
        block = block.sort_values("severity", ascending=False)
        clear = block[(block["lo"] > 0.5).cummin()]
        found[str(name)] = int(clear["severity"].min()) if len(clear) else None
    return found


def has_severities(run: Run) -> bool:
    """Whether there is anything to show."""
    return bool(series_of(run))


def severity(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of the best cell, the published pair and the input tap over the severity of each corruption."""
    rows = run.derived(severity_rows)
    if rows.empty:
        raise NotMeasuredError(NO_SERIES)
    clear = "; ".join(
        f"{name}: {'no severity' if weakest is None else f'from {weakest} on'}"
        for name, weakest in detected_from(rows).items()
    )
    above = f" The best cell's interval is above 0.5: {clear}." if clear else ""
    ends = rows[rows["kind"] == rows["kind"].iloc[0]].groupby("corruption", sort=False)
    return Figure(
        severity_lines_chart(rows, theme),
        rows,
        f"AUROC over the severity of {counted(len(ends), 'corruption')} made by this project; {counts(run, rows)} at "
        "each severity; 95 % CI. Best cell: picked on one half of the images and judged on the other, for each set "
        f"anew. Dotted: chance.{above}",
        "AUROC over severity. "
        + "; ".join(
            f"{name}: {DETECTORS[block['kind'].iloc[0]][0]} from {format_value(block['auroc'].iloc[0])} to "
            f"{format_value(block['auroc'].iloc[-1])}"
            for name, block in ends
        )
        + ".",
        file_stem(run, "severity"),
    )


KINDS = {"map-severity": Kind("AUROC over the severity of a corruption", severity, applies=has_severities)}
