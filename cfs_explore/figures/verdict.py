"""The verdict page's figures: the paper's claims on every OOD set, and one of them with its intervals (theory 30)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cfs_explore.charts.verdict_dots import verdict_dots_chart
from cfs_explore.charts.verdict_grid import verdict_grid_chart
from cfs_explore.charts.verdict_style import VERDICT_STYLES, cell_text
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.claims import BELOW, CLAIMS, LIMITS, NO_SET, by_chance, claims_table, summary
from cfs_explore.figures.figure import Figure, counts, file_stem, id_count
from cfs_explore.figures.needs import Kind
from cfs_explore.figures.options import Control
from cfs_explore.headlines.verdict import WORDS
from cfs_explore.store import Run

CLAIM = Control(
    "verdict_claim",
    "Claim",
    {claim: words.short for claim, words in WORDS.items()},
    help="Shown with its numbers below. A click on a cell of the table chooses it, too.",
    drawn="select",
    width=240,
)
_LEGEND = (
    "✓ supports, ✗ against: the whole 95 % interval says so; ○ open: it includes the limit; – no evidence: both AUROCs "
    "are near 1; · missing: not measured. In brackets: does not survive a false-discovery rate of 5 %."
)


def table(run: Run, choices: Choices, theme: str) -> Figure:
    """Claims x OOD sets."""
    rows = run.derived(claims_table)
    tallies = "; ".join(f"{WORDS[row['claim']].short}: {_tally(row)}" for row in summary(rows).to_dict("records"))
    return Figure(
        verdict_grid_chart(
            rows, {claim: words.short for claim, words in WORDS.items()}, theme, CLAIM.said(choices.options)
        ),
        rows,
        f"{_LEGEND} {by_chance(rows)}",
        f"The paper's {len(CLAIMS)} claims on {rows['ood'].replace('', pd.NA).nunique()} OOD sets. {tallies}.",
        file_stem(run, "claims"),
    )


def _tally(counts: Mapping) -> str:
    """'5 supports, 1 open'."""
    return ", ".join(f"{counts[key]} {style.word}" for key, style in VERDICT_STYLES.items() if counts[key])


def one_claim(run: Run, choices: Choices, theme: str) -> Figure:
    """One claim on every OOD set, with its intervals."""
    claim = CLAIM.of(choices.options)
    rows = run.derived(claims_table)
    rows = rows[rows["claim"] == claim].reset_index(drop=True)
    tallies = "; ".join(f"{row['ood'] or 'ID-test alone'} {cell_text(row)}" for row in rows.to_dict("records"))
    return Figure(
        verdict_dots_chart(rows, LIMITS[claim], claim in BELOW, theme, choices.ood),
        rows,
        f"{_measured(claim)}; {_sizes(run, rows)}.",
        f"{WORDS[claim].sentence} {tallies}.",
        file_stem(run, "claim", claim),
    )


def _measured(claim: str) -> str:
    """What is measured, as the start of a sentence."""
    text = CLAIMS[claim].replace("lam >=", "λ ≥").replace("above -", "above −")
    return text[0].upper() + text[1:]


def _sizes(run: Run, rows: pd.DataFrame) -> str:
    """'n = 421 ID, 200 to 250 OOD'."""
    return id_count(run, int(rows["n_id"].max())) if (rows["ood"] == NO_SET).all() else counts(run, rows)


KINDS = {
    "verdict-claims": Kind("The paper's claims on every OOD set", table, (), (CLAIM,)),
    "verdict-claim": Kind("One claim on every OOD set, with intervals", one_claim, ("ood",), (CLAIM,)),
}
