"""Write the tables of docs/evidence.md, what all bundles say together: no other argument. The text is kept.

Takes a minute or two: the verdicts are computed from the stored scores.
"""

from __future__ import annotations

from pathlib import Path

from cfs_explore.locations import BUNDLES
from cfs_explore.reports.evidence import Material, as_markdown, evidence, gathered
from cfs_explore.store import find_runs, open_run

PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
#: Around the tables.
BEGIN, END = "<!-- by scripts/evidence_page.py -->\n", "<!-- end -->\n"


def material() -> Material:
    """Of all bundles."""
    return gathered([open_run(path) for path in find_runs(BUNDLES)])


def page(text: str, found: Material) -> str:
    """The page with its tables made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    command = f"`cfs-explore evidence {' '.join(found.runs)}` prints them."
    return f"{before}{BEGIN}\n{command}\n\n{as_markdown(evidence(found))}\n{END}{after}"


if __name__ == "__main__":
    found = material()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(f"{PAGE}: {len(found.runs)} explorations")
