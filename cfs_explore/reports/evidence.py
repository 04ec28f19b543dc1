"""What several explorations together say for and against the paper's diagnostics, as Markdown.

print(as_markdown(evidence(runs))). Nothing is measured: all comes from their tables and stored scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from cfs_explore.diagnostics.regret import ALL_SETS
from cfs_explore.diagnostics.transfer import FIXED, RANDOM
from cfs_explore.diagnostics.verdicts import Verdicts, survivors, verdicts
from cfs_explore.figures.claims import CLAIMS, by_chance, claims_table
from cfs_explore.figures.needs import NotMeasuredError, why_no_table
from cfs_explore.figures.protocol_transfer import comparable, shared_weights, titles, transfer_table
from cfs_explore.reports import evidence_choice as choice
from cfs_explore.reports import evidence_tables as parts
from cfs_explore.reports.evidence_tables import Part, labels, limits
from cfs_explore.reports.markdown import markdown_table
from cfs_explore.store import Run
from cfs_explore.wording import format_estimate

#: Diagnostic -> the claims that are about it, as the table of verdicts groups them.
DIAGNOSTIC = {
    "complementarity": ("complementary", "pair", "decoder", "few cells"),
    "low-noise stability": ("stable", "low noise", "plateau"),
    "controls": ("trained", "beyond statistics"),
    "rivals": ("no trajectory",),
}


class Family(NamedTuple):
    """Explorations that scored the same ID-test images.

    Attributes:
        names, runs: of the explorations, two or more.
        transfer: of ``figures.protocol_transfer.transfer_table``; None where they share no OOD set or no cell.
        why: there is no transfer; else empty.
    """

    names: list[str]
    runs: list[Run]
    transfer: pd.DataFrame | None
    why: str

    @property
    def sets(self) -> list[str]:
        """OOD sets of the same images in all."""
        return [] if self.transfer is None else [ood for ood in self.transfer["ood"].unique() if ood != ALL_SETS]


class Material(NamedTuple):
    """What is computed once of all explorations, by their names: verdicts, choices of a cell, families."""

    runs: dict[str, Run]
    claims: dict[str, pd.DataFrame]
    choices: dict[str, pd.DataFrame]
    families: list[Family]


def gathered(runs: Sequence[Run]) -> Material:
    """The longest part of all this: some seconds per exploration."""
    named = dict(zip(labels(runs), runs, strict=True))
    claims = {name: claims_table(run) for name, run in named.items() if "sparse_ed" in run.manifest.presets}
    choices = {name: choice.choice_table(run) for name, run in named.items() if not why_no_table(run, "regret")}
    return Material(named, claims, choices, list(_families(named)))


def evidence(material: Material) -> list[Part]:
    """All tables. An exploration without a stage that one of them needs is left out of it, and the note says so."""
    runs = list(material.runs.values())
    chosen = {name: (material.runs[name], table) for name, table in material.choices.items()}
    return [
        parts.sizes(runs),
        parts.seals(runs),
        _verdicts(material),
        parts.separation(runs),
        parts.heads(runs),
        parts.controls(runs),
        _rivals(material.claims),
        choice.losses(chosen),
        *_together(material),
        parts.ranks(runs),
        *map(_transfer, material.families),
    ]


def as_markdown(found: Sequence[Part], level: int = 3) -> str:
    """Headings of this level, tables and notes."""
    blocks = []
    for part in found:
        table = markdown_table(part.table) if len(part.table) else "Not measured."
        blocks += [f"{'#' * level} {part.heading}", table, part.note]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _families(named: Mapping[str, Run]) -> Iterator[Family]:
    left = dict(named)
    while left:
        first, *others = left.values()
        try:
            group = comparable(first, others)
        except NotMeasuredError:  # none scored its images
            group = [first]
        names = [name for name, run in left.items() if run in group]
        left = {name: run for name, run in left.items() if run not in group}
        if len(group) > 1:
            try:
                yield Family(names, group, transfer_table(*group), "")
            except NotMeasuredError as why:
                yield Family(names, group, None, str(why))


def _verdicts(material: Material) -> Part:
    """Each claim by exploration, and what chance alone would give over all of them."""
    rows = []
    for diagnostic, claims in DIAGNOSTIC.items():
        for claim in claims:
            said = {name: _counts(table[table["claim"] == claim]) for name, table in material.claims.items()}
            every = pd.concat([table[table["claim"] == claim] for table in material.claims.values()])
            total = {} if len(said) < 2 else {"all": "" if (every["ood"] == "").all() else _counts(every)}
            rows.append({"diagnostic": diagnostic, "claim": claim} | said | total)
    meanings = "\n".join(f"- *{claim}*: {CLAIMS[claim]}." for claims in DIAGNOSTIC.values() for claim in claims)
    chance = [f"{name}: {by_chance(table)}" for name, table in material.claims.items()]
    if len(material.claims) > 1:
        chance.append(f"All together: {_all(list(material.claims.values()))}")
    without = [name for name in material.runs if name not in material.claims]
    left = parts.sentences([f"{name} has no encoder-decoder pair of the policy sparse_ed" for name in without])
    text = "\n\n".join(filter(None, [_VERDICT_NOTE, meanings, "\n".join(f"- {each}" for each in chance), left]))
    return Part("Verdicts on the claims", pd.DataFrame(rows), text)


_VERDICT_NOTE = (
    "Supports / open / speaks against, by the whole 95 % interval, in how many OOD sets; in brackets those without "
    "evidence (both AUROCs above 0.995) or not measurable. *stable* is about no OOD set: its value. "
    "`cfs-explore claims` and the page Verdict show every interval with its n. The verdicts of one exploration are not "
    "independent (its sets share the ID images), nor are those of explorations of the same images."
)


def _counts(rows: pd.DataFrame) -> str:
    if (rows["ood"] == "").all():
        return format_estimate(*rows[["value", "lo", "hi"]].iloc[0])
    count = rows["verdict"].value_counts()
    said = " / ".join(str(count.get(verdict, 0)) for verdict in ("yes", "open", "no"))
    silent = int(count.get("no evidence", 0) + count.get("missing", 0))
    return f"{said} ({silent})" if silent else said


def _all(tables: Sequence[pd.DataFrame]) -> str:
    every = pd.concat(tables)
    p, firm = every["p"].to_numpy(), every["verdict"].isin(["yes", "no"]).to_numpy()
    return Verdicts(p, firm, survivors(p) & firm).summary("verdicts", "firm")


def _rivals(claims: Mapping[str, pd.DataFrame]) -> Part:
    """Trajectory detectors against every variant of CFS (theory 21)."""
    rows = []
    for name, table in claims.items():
        own = table[(table["claim"] == "no trajectory") & table["value"].notna()]
        if own.empty:
            continue
        ahead = own[own["verdict"] == "no"]
        leads = [f"{r.ood} {format_estimate(r.value, r.lo, r.hi)}{'†' * r.survives}" for r in ahead.itertuples()]
        row = {"exploration": name, "ID / OOD images": f"{own['n_id'].min():,} / {own['n_ood'].min():,}"}
        row["detectors"] = own["note"].iloc[0].partition("; ")[2]
        row["supports / open / against"] = _counts(own)
        rows.append(row | {"sets where a rival leads by more than 0.01": "; ".join(leads) or "none"})
    note = (
        "The largest lead of any trajectory detector over every variant of CFS, value and limits each the largest of "
        "any detector; the limits hold for all variants and detectors of a set at once, not over sets. †: stands at a "
        "false-discovery rate of 5 % over the exploration's verdicts."
    )
    return Part("Rivals: is no trajectory needed?", pd.DataFrame(rows), note)


def _together(material: Material) -> Iterator[Part]:
    for family in material.families:
        tables = [material.choices[name] for name in family.names if name in material.choices]
        if family.sets and len(tables) == len(family.runs):
            yield choice.together(family.names, family.runs, tables, family.sets)


def _transfer(family: Family) -> Part:
    """Whether the map of one backbone chooses well on another (theory 26)."""
    heading = f"Transfer between {', '.join(family.names)}"
    table = family.transfer
    if table is None:
        return Part(heading, pd.DataFrame(), family.why)
    called = dict(zip(titles(family.runs), family.names, strict=True))
    called |= {FIXED: "the decoder tap of CFS(1x2)", RANDOM: "a random cell"}
    rows = [
        {
            "chosen by": called[row.source],
            "judged on": called[row.target],
            "OOD sets": len(family.sets),
            "ID / OOD images": f"{row.n_id:,} / {row.n_ood:,}",
            "AUROC lost [other images]": format_estimate(row.loss, row.loss_lo, row.loss_hi),
            "[other sets]": limits((row.loss_sets_lo, row.loss_sets_hi)),
            "Spearman of the maps [other sets]": ""
            if row.source in (FIXED, RANDOM)
            else format_estimate(row.spearman, row.spearman_sets_lo, row.spearman_sets_hi),
        }
        for row in table[table["ood"] == ALL_SETS].itertuples()
    ]
    pairs = table[(table["ood"] != ALL_SETS) & ~table["source"].isin([FIXED, RANDOM])]
    said = verdicts(pairs["loss"], pairs["loss_lo"], pairs["loss_hi"]).summary("losses on a set", "clear of 0")
    note = (
        "AUROC of the cell that the backbone's own map chooses on one half of the images minus that of the cell which "
        f"the other's map chooses, on the other half. {said} {' '.join(shared_weights(family.runs))}"
    )
    return Part(heading, pd.DataFrame(rows), note.strip())
