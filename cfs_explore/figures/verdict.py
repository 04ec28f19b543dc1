"""The verdict page's figures: the paper's claims on every OOD set, and one of them with its intervals (theory 30)."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import pandas as pd

from cfs_explore.charts.verdict_dots import verdict_dots_chart
from cfs_explore.charts.verdict_grid import verdict_grid_chart
from cfs_explore.charts.verdict_style import VERDICT_STYLES, cell_text
from cfs_explore.errors import RunError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.claims import BELOW, CLAIMS, LIMITS, by_chance, claims_table, summary
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError
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
    "✓ supports, ✗ against: the whole 95 % interval says so; ○ open: it does not; – no evidence: both AUROCs are at 1; "
    "· missing: not measured. In brackets: does not survive a false-discovery rate of 5 %."
)

#: Run -> its table, which both figures show.
_KNOWN: WeakKeyDictionary[Run, pd.DataFrame] = WeakKeyDictionary()


def verdicts_of(run: Run) -> pd.DataFrame:
    """Every claim on every OOD set (``claims_table``), kept as long as the run is.

    Raises:
        NotMeasuredError: the run has no pair of the policy sparse_ed.
    """
    if run not in _KNOWN:
        try:
            _KNOWN[run] = claims_table(run)
        except RunError as why:
            raise NotMeasuredError(str(why)) from why
    return _KNOWN[run]


def table(run: Run, choices: Choices, theme: str) -> Figure:
    """Claims x OOD sets."""
    rows = verdicts_of(run)
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
    rows = verdicts_of(run)
    rows = rows[rows["claim"] == claim].reset_index(drop=True)
    tallies = "; ".join(f"{row['ood'] or 'ID-test'} {cell_text(row)}" for row in rows.to_dict("records"))
    return Figure(
        verdict_dots_chart(rows, LIMITS[claim], claim in BELOW, theme, choices.ood),
        rows,
        f"{_measured(claim)}; n = {_sizes(rows)}.",
        f"{WORDS[claim].sentence} {tallies}.",
        file_stem(run, "claim", claim),
    )


def _measured(claim: str) -> str:
    """What is measured, as the start of a sentence."""
    text = CLAIMS[claim].replace("lam >=", "λ ≥").replace("above -", "above −")
    return text[0].upper() + text[1:]


def _sizes(rows: pd.DataFrame) -> str:
    """'421 ID, 200 to 250 OOD'."""
    rows = rows[["n_id", "n_ood"]].fillna(0)
    few, many = rows["n_ood"].min(), rows["n_ood"].max()
    ood = f"{few:,.0f}" if few == many else f"{few:,.0f} to {many:,.0f}"
    return f"{rows['n_id'].max():,.0f} ID" + (f", {ood} OOD" if many > 0 else "")


KINDS = {
    "verdict-claims": Kind("The paper's claims on every OOD set", table, (), (CLAIM,)),
    "verdict-claim": Kind("One claim on every OOD set, with intervals", one_claim, ("ood",), (CLAIM,)),
}
