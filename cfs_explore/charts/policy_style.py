"""How the policies that choose a cell look and are called, in every figure (theory 17)."""

from __future__ import annotations

from dataclasses import dataclass

from cfs_explore.charts.theme import ROLE_COLOURS


@dataclass(frozen=True)
class PolicyStyle:
    """A policy's presentation. Blue looks at ID images, orange at other OOD sets, grey at neither.

    Attributes:
        name: in a row; "{lam}" stands for the log-SNR of the published detectors.
        symbol, colour: of its marks; no two policies share a symbol.
        rule: how it chooses, for those who do not know it.
    """

    name: str
    symbol: str
    colour: str
    rule: str

    def label(self, lam: str) -> str:
        return self.name.format(lam=lam)


#: In the order in which they are listed.
POLICIES = {
    "sealed": PolicyStyle(
        "Sealed cell",
        "hexagon",
        ROLE_COLOURS["id"],
        "highest prediction of the seal, made from ID-train images before the set was opened",
    ),
    "proxy": PolicyStyle(
        "Proxies", "circle", ROLE_COLOURS["id"], "highest AUROC predicted against proxies made from ID-train images"
    ),
    "fixed": PolicyStyle(
        "Fixed λ = {lam}", "square", ROLE_COLOURS["control"], "decoder tap of CFS(1x2), chosen by its position alone"
    ),
    "sparse_ed_id": PolicyStyle(
        "ID-chosen tap, λ = {lam}",
        "diamond",
        ROLE_COLOURS["id"],
        "decoder tap that sparse_ed_id picks: the most repeatable of four candidates on ID-train images",
    ),
    "icc": PolicyStyle(
        "Highest ICC",
        "triangle-up",
        ROLE_COLOURS["id"],
        "the cell whose ID-test snapshots depend least on the noise draw",
    ),
    "leave_one_out": PolicyStyle(
        "Best on the other sets",
        "star",
        ROLE_COLOURS["ood"],
        "highest mean AUROC on all other OOD sets, never on this one",
    ),
    "random": PolicyStyle("Random cell", "x", ROLE_COLOURS["control"], "the mean over all cells"),
}
