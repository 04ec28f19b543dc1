"""Write the tables of docs/evidence.md, what all bundles say together: no other argument. The text is kept.

Takes a minute or two: the verdicts are computed from the stored scores. Where docs/evidence/sealed.csv is there, the
sets that were measured after the bundles' seals come first.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cfs_explore.diagnostics.sealed import SEALED, VERDICTS, over_sets
from cfs_explore.locations import BUNDLES
from cfs_explore.reports.evidence import Material, as_markdown, evidence, gathered
from cfs_explore.reports.evidence_tables import Part, limits
from cfs_explore.store import find_runs, open_run
from cfs_explore.wording import format_estimate

PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
#: Sets measured after the seals, a row per bundle, set ("" for their mean) and policy; may be absent.
SEALED_TABLE = PAGE.parent / "evidence" / "sealed.csv"
#: Around the tables.
BEGIN, END = "<!-- by scripts/evidence_page.py -->\n", "<!-- end -->\n"
#: Policies that the sealed cell is compared with, and what they are called.
_OTHERS = {"random": "a random cell", "fixed": "the fixed cell"}


def material() -> Material:
    """Of all bundles."""
    return gathered([open_run(path) for path in find_runs(BUNDLES)])


def page(text: str, found: Material) -> str:
    """The page with its tables made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    first = as_markdown(sealed_first(pd.read_csv(SEALED_TABLE))) + "\n" if SEALED_TABLE.is_file() else ""
    command = f"`cfs-explore evidence {' '.join(found.runs)}` prints what follows.\n"
    return f"{before}{BEGIN}\n{first}{command}\n{as_markdown(evidence(found))}\n{END}{after}"


def sealed_first(table: pd.DataFrame) -> list[Part]:
    """What the seals were worth on sets measured after them: a row per bundle, and per bundle and set.

    Args:
        table: of ``SEALED_TABLE``: bundle, ood, verdict, n_id, n_ood, spearman with limits, policy, regret, gain with
            limits (of the sealed cell over the policy's).
    """
    table = table.assign(ood=table["ood"].fillna(""))
    whole, each = [], []
    for bundle, rows in table.groupby("bundle", sort=False):
        for ood, own in rows.groupby("ood", sort=False):
            if ood:
                each.append({"bundle": bundle, "OOD set": ood} | _row(own))
            else:
                whole.append({"bundle": bundle} | _row(own) | _over_sets(rows))
    note = "Limits are for other images, those of [other sets] for other sets (Student's t). The verdict: theory 25."
    return [
        Part("Sealed first: the mean over sets measured after the seals", pd.DataFrame(whole).fillna(""), note),
        Part("Sealed first: set by set", pd.DataFrame(each).fillna(""), ""),
    ]


def _row(own: pd.DataFrame) -> dict[str, str]:
    """Of one set, or the mean of a bundle's sets: the seal's verdict, ranks and loss, its gains over other policies."""
    one, of_policy = own.iloc[0], own.set_index("policy")
    gains = {
        f"gain over {words}": format_estimate(*of_policy.loc[name, ["gain", "gain_lo", "gain_hi"]])
        for name, words in _OTHERS.items()
        if name in of_policy.index
    }
    return {
        "verdict": one["verdict"],
        "ID / OOD images": f"{one['n_id']:,} / {one['n_ood']:,}",
        "Spearman": format_estimate(one["spearman"], one["spearman_lo"], one["spearman_hi"]),
        "AUROC lost": format_estimate(of_policy.loc[SEALED, "regret"]),
    } | gains


def _over_sets(rows: pd.DataFrame) -> dict[str, str]:
    """Of a bundle: limits of the gains for other sets, and how many sets got each verdict."""
    of_sets = rows[rows["ood"] != ""]
    columns = {
        f"[other sets], {words}": limits(over_sets(of_sets.loc[of_sets["policy"] == name, "gain"].dropna()))
        for name, words in _OTHERS.items()
    }
    count = of_sets.drop_duplicates("ood")["verdict"].value_counts()
    return columns | {"sets": "; ".join(f"{count[name]} {name}" for name in VERDICTS if name in count)}


if __name__ == "__main__":
    found = material()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(f"{PAGE}: {len(found.runs)} explorations")
