"""How a verdict on a claim is shown: a sign and a word before a colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cfs_explore.charts.colour_scale import NEUTRAL, diverging_colour
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.wording import format_estimate

_STRONG = 0.45


class VerdictStyle(NamedTuple):
    """sign, word: of a cell; value: on ``SCALE``, NaN for a blank cell; colour, symbol: of a dot."""

    sign: str
    word: str
    value: float
    colour: str
    symbol: str


_BLANK = float("nan")
#: Verdict -> its style; in the order in which they are counted.
VERDICT_STYLES = {
    "yes": VerdictStyle("✓", "supports", 1.0, diverging_colour(0.7), "circle"),
    "open": VerdictStyle("○", "open", 0.0, ROLE_COLOURS["control"], "circle-open"),
    "no": VerdictStyle("✗", "against", -1.0, diverging_colour(-0.7), "x"),
    "no evidence": VerdictStyle("–", "no evidence", _BLANK, ROLE_COLOURS["control"], "diamond-open"),
    "missing": VerdictStyle("·", "missing", _BLANK, ROLE_COLOURS["control"], "diamond-open"),
}
#: Colour scale of the cells, and the values at its ends.
SCALE = ([[0.0, diverging_colour(-_STRONG)], [0.5, NEUTRAL], [1.0, diverging_colour(_STRONG)]], -1.0, 1.0)


def cell_text(row: Mapping, short: bool = False) -> str:
    """'✓ supports'; in brackets where chance may have made it (theory 30); the sign alone where it is to be short."""
    style = VERDICT_STYLES[row["verdict"]]
    text = style.sign if short else f"{style.sign} {style.word}"
    return f"({text})" if row["verdict"] in ("yes", "no") and not row["survives"] else text


def verdict_lines(row: Mapping) -> list[str]:
    """What is known of one verdict: itself with its interval, the note, n."""
    if row["verdict"] == "missing":
        return [cell_text(row), str(row["note"])]
    lines = [f"{cell_text(row)}: {format_estimate(row['value'], row['lo'], row['hi'])}"]
    if row["note"]:
        lines.append(str(row["note"]).replace("lam ", "λ "))
    n = f"n = {row['n_id']:,.0f} ID"
    return [*lines, f"{n}, {row['n_ood']:,.0f} OOD" if row["n_ood"] else n]
