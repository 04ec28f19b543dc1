"""Tables of the evidence that need no more than what each exploration's own tables hold (``reports.evidence``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.diagnostics.evidence import OverSets, separation_fit, summarised
from cfs_explore.diagnostics.sealed import over_sets
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures.needs import why_no_table
from cfs_explore.figures.sealed import is_judged
from cfs_explore.store import Run
from cfs_explore.store.seal import has_seal
from cfs_explore.wording import counted, format_digits, format_estimate, format_value

#: Controls in the order of the table, as ``best_excess`` names them.
CONTROLS = ("untrained", "statistics", "best statistic", "input tap", "re-encoded")


class Part(NamedTuple):
    """One table of the evidence: what its heading is, its rows as text, and the lines below it."""

    heading: str
    table: pd.DataFrame
    note: str


def labels(runs: Sequence[Run]) -> list[str]:
    """The explorations' folders by name, or in full where two have one name."""
    names = [run.path.name for run in runs]
    return [name if names.count(name) == 1 else str(run.path.resolve()) for name, run in zip(names, runs, strict=True)]


def sizes(runs: Sequence[Run]) -> Part:
    """What the explorations measured."""
    rows = []
    for label, run in zip(labels(runs), runs, strict=True):
        net = run.manifest.backbone
        images = [run.entry("ood", name).count for name in run.ood_names]
        rows.append(
            {
                "exploration": label,
                "network": f"{net.family}, {format_digits(net.parameters / 1e6, 2)} M",
                "ID images": run.id_test.count,
                "OOD sets": len(images),
                "images of a set": f"{min(images):,} to {max(images):,}" if min(images) < max(images) else images[0],
                "cells": len(run.levels) * len(run.taps),
                "draws": run.draws,
            }
        )
    return Part("What was measured", pd.DataFrame(rows), "Network: family and parameters. ID images: those scored.")


def seals(runs: Sequence[Run]) -> Part:
    """Which of the sets were measured after a seal, and what the seal was worth on these (theory 25)."""
    rows, reasons = [], []
    for label, run in zip(labels(runs), runs, strict=True):
        row = {"exploration": label, "sealed": "none", "sets judged": 0}
        row |= dict.fromkeys(("confirmed", "open", "refuted"), 0) | {"sets refused": len(run.ood_names)}
        if has_seal(run.path) and is_judged(run):
            table = run.table("sealed_ranking")
            of_sets = table[table["ood"] != ""]
            count = of_sets["verdict"].value_counts()
            row |= {name: int(count.get(name, 0)) for name in ("confirmed", "open", "refuted")}
            refused = int(count.get("refused", 0))
            row |= {"sealed": table["sealed_at"].iloc[0][:10] or "none", "sets judged": len(of_sets) - refused}
            row |= {"sets refused": refused}
            reasons += [f"{label}: {why}" for why in of_sets["refused"][of_sets["refused"] != ""].head(1)]
        elif has_seal(run.path):
            reasons.append(f"{label}: its seal is not judged yet; `cfs-explore verify {label}` judges it.")
        rows.append(row)
    table = pd.DataFrame(rows)
    judged = int(table["sets judged"].sum())
    head = (
        "**No prediction about any of these sets was sealed before the set was measured. Every number of these tables "
        "is post hoc.**"
        if not judged
        else f"A seal older than the measurement judges {counted(judged, 'set')}; every other number of these "
        "tables is post hoc."
    )
    return Part("What was sealed first", table, f"{head} The first refusal of each: {' '.join(reasons) or 'none.'}")


def separation(runs: Sequence[Run]) -> Part:
    """How well the means and variances of a diagonal score tell its AUROC (theory 12, 13)."""

    def row(_run: Run, table: pd.DataFrame) -> list[dict]:
        fit = separation_fit(table)
        ends = np.clip(over_sets(fit["spearman"]), -1, 1)
        return [
            {
                "OOD sets": len(fit),
                "cells x sets": int(fit["cells"].sum()),
                "mean miss of the predicted AUROC": format_estimate(fit["miss"].mean(), *over_sets(fit["miss"])),
                "Spearman over cells": format_estimate(fit["spearman"].mean(), *ends),
                "OOD scored higher on average": int(fit["bounded"].sum()),
                "below the bound": int(fit["broken"].sum()),
            }
        ]

    note = (
        "Mean over sets of each set's number, with 95 % limits for other sets (Student's t). The prediction (13) uses "
        "the OOD set's own means and variances: it explains an AUROC, and foretells none. Below the bound (12): cells "
        "whose whole interval is, among those that score OOD higher."
    )
    return _part("Diagonal-score separation", runs, "separation", row, note)


def heads(runs: Sequence[Run]) -> Part:
    """What other heads gain over the diagonal one on the same slot, the decoder tap of CFS(1x2)."""

    found = []

    def row(run: Run, table: pd.DataFrame) -> list[dict]:
        decoder = run.manifest.presets.get("sparse_ed", [None, None])[1]
        known = table[(table["tap"] == decoder) & table["difference"].notna()]
        found.append(known)
        return [
            {"head": head} | _over(part["difference"], part["difference_lo"], part["difference_hi"], _near_one(part))
            for head, part in known.groupby("head", sort=False)
        ]

    note = (
        "AUROC of the head minus that of the diagonal head, same snapshots of the decoder tap of CFS(1x2). "
        + _NO_EVIDENCE
    )
    part = _part("The diagonal head against others on its slot", runs, "cell_heads", row, note)
    return _with_chance(part, found, "difference", lambda rows: (rows["auroc"], rows["auroc"] - rows["difference"]))


def controls(runs: Sequence[Run]) -> Part:
    """The best cell against each control's best, each picked on one half of the images and judged on the other."""
    found = []

    def row(_run: Run, table: pd.DataFrame) -> list[dict]:
        rows = []
        for name in CONTROLS:
            part = table[(table["control"] == name) & (table["draws"] == 1) & table["excess"].notna()]
            if len(part):
                found.append(part)
                given = _over(
                    part["excess"], part["lo"], part["hi"], part[["trained", "auroc"]].min(axis=1) > SATURATED
                )
                rows.append({"control": name, "ID images": int(part["n_id"].iloc[0])} | given)
        return rows

    part = _part("Controls: excess of the best cell", runs, "best_excess", row, _CONTROL_NOTE)
    found = [rows.rename(columns={"lo": "excess_lo", "hi": "excess_hi"}) for rows in found]
    return _with_chance(part, found, "excess", lambda rows: (rows["trained"], rows["auroc"]))


def ranks(runs: Sequence[Run]) -> Part:
    """How well proxies from ID images rank the cells of each set (theory 17)."""

    def row(_run: Run, table: pd.DataFrame) -> list[dict]:
        sets = table.groupby("ood", sort=False)[["spearman", "spearman_lo", "spearman_hi"]].first().dropna()
        if sets.empty:
            return []
        cells = len(table) // table["ood"].nunique()
        found = summarised(*(sets[name] for name in sets))
        lo, hi = np.clip((found.lo, found.hi), -1, 1)
        columns = over_columns(found._replace(lo=lo, hi=hi))
        return [{"cells": cells} | {name: value for name, value in columns.items() if name != "no evidence"}]

    note = (
        "Spearman correlation over the cells of the AUROC that proxies predict and the measured one; kinds of proxy in "
        f"whose way a set was made are left out. {_COUNTS}. Cells near each other are alike, and a smooth map ranks "
        "another one by chance: only a seal is judged against that."
    )
    return _part("Ranks of the cells by the theory's proxies", runs, "prediction", row, note)


_COUNTS = (
    "Mean over the OOD sets with 95 % limits for other sets (Student's t); then in how many sets the set's own 95 % "
    "interval lies above 0 / holds it / lies below"
)
_NO_EVIDENCE = f"{_COUNTS}, and where both AUROCs are above 0.995 (no evidence)."
_CONTROL_NOTE = (
    "AUROC of the best cell minus the control's best, one noise draw on both sides. untrained: copies of the network "
    "with random weights; statistics: plain image statistics together; best statistic: the best of them; input tap: "
    f"the first layer; re-encoded: the same map after the same JPEG and resizing on both sides. {_NO_EVIDENCE}"
)


def _with_chance(
    part: Part, found: Sequence[pd.DataFrame], value: str, arms: Callable[[pd.DataFrame], tuple[pd.Series, pd.Series]]
) -> Part:
    """The note with how many of all its comparisons chance alone would mark, and how many stand."""
    if not found:
        return part
    every = pd.concat(found)
    said = verdicts(*(every[f"{value}{end}"] for end in ("", "_lo", "_hi")), arms=arms(every))
    return part._replace(note=f"{part.note} {said.summary('comparisons', 'clear of 0')}")


def _near_one(part: pd.DataFrame) -> pd.Series:
    """Where a head's and the diagonal head's AUROC are both near 1."""
    return pd.concat([part["auroc"], part["auroc"] - part["difference"]], axis=1).min(axis=1) > SATURATED


def over_columns(summary: OverSets) -> dict[str, object]:
    """A summary over sets as columns of text."""
    counts = f"{summary.above} / {summary.open} / {summary.below}"
    return {
        "OOD sets": summary.sets,
        "mean [other sets]": format_estimate(summary.mean, summary.lo, summary.hi),
        "above / open / below": counts,
        "no evidence": summary.no_evidence,
    }


def _over(value: pd.Series, lo: pd.Series, hi: pd.Series, none: pd.Series | None = None) -> dict[str, object]:
    return over_columns(summarised(value, lo, hi, none))


def _part(
    heading: str, runs: Sequence[Run], table: str, row: Callable[[Run, pd.DataFrame], list[dict]], note: str
) -> Part:
    """A row or more per exploration that has the table; the note says which have not, and why."""
    rows, missing = [], []
    for label, run in zip(labels(runs), runs, strict=True):
        if why := why_no_table(run, table, remedy=True):
            missing.append(why)
            continue
        rows += [{"exploration": label} | each for each in row(run, run.table(table))]
    return Part(heading, pd.DataFrame(rows), " ".join([note, sentences(missing)]).strip())


def sentences(texts: Sequence[str]) -> str:
    """Reasons one after the other, each ending in a full stop."""
    return " ".join(f"{text.rstrip('.')}." for text in texts)


def limits(ends: tuple[float, float]) -> str:
    """'[0.861, 0.884]'."""
    return f"[{format_value(ends[0])}, {format_value(ends[1])}]"
