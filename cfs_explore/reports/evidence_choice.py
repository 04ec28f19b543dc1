"""Evidence on the choice of a cell without OOD images (theory 17): each exploration, and those of the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.charts.policy_style import POLICIES
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.evidence import mean_of_tables, summarised
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.regret import ALL_SETS, ANY_CELL
from cfs_explore.diagnostics.sealed import SEALED, gain_table, over_sets
from cfs_explore.diagnostics.transfer import RANDOM
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures.protocol_transfer import shared_weights
from cfs_explore.reports.evidence_tables import Part, limits
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_estimate, format_value

#: The theory's choice, which is compared with every other policy.
PROXIES = "proxy"
_AGAINST = ("proxies gain over it [other images]", "gain [other sets]", "gain above / open / below 0")
_NOTE = (
    "AUROC lost against each set's best cell, a naive maximum that overestimates the losses of all policies alike; "
    "mean over sets, with 95 % limits for other images (DeLong) and for other sets (Student's t). The gain is paired "
    "on the same images and rests on no maximum: AUROC of the proxies' cell minus that of the policy's; then in how "
    "many sets its own 95 % interval lies above 0 / holds it / lies below, without those where both AUROCs are above "
    "0.995. The best on the other sets looks at OOD images, the other policies do not."
)


def choice_table(run: Run) -> pd.DataFrame:
    """What each policy loses, and what the proxies' cell gains over its cell, set by set and on average.

    Returns:
        The table ``regret`` with gain, gain_lo, gain_hi (paired, for other images), sets_lo, sets_hi and saturated of
        ``diagnostics.sealed.gain_table``, whose sealed cell is here the proxies'.
    """
    regret = run.table("regret")
    of_sets = regret[regret["ood"] != ALL_SETS]
    names = list(of_sets["ood"].unique())
    cells = {
        policy: [_cell(run, row) for row in part.set_index("ood").loc[names].to_dict("records")]
        for policy, part in of_sets.groupby("policy", sort=False)
    }
    id_rows = cell_rows(run.scores("id_test"))
    ood_rows = {name: cell_rows(run.scores("ood", name)) for name in names}
    gains = gain_table(id_rows, ood_rows, {SEALED: cells[PROXIES]} | cells, Groups.of(*run.group_names(*names)))
    return regret.merge(gains[gains["policy"] != SEALED], on=["ood", "policy"])


def _cell(run: Run, row: Mapping) -> int | str:
    if row["note"]:
        return row["note"]
    return ANY_CELL if row["policy"] == RANDOM else run.cell_number(row["level"], row["tap"])


def losses(chosen: Mapping[str, tuple[Run, pd.DataFrame]]) -> Part:
    """Regret of each policy, and the proxies' gain over it.

    Args:
        chosen: exploration -> itself and its ``choice_table``.
    """
    rows, every = [], []
    for label, (run, table) in chosen.items():
        for policy, part in table.groupby("policy", sort=False):
            mean, sets = part[part["ood"] == ALL_SETS].iloc[0], part[(part["ood"] != ALL_SETS) & part["gain"].notna()]
            rows.append({"exploration": label, "chosen by": _name(run, policy), "OOD sets": len(sets)})
            rows[-1]["AUROC lost [other images]"] = format_estimate(*mean[["regret", "regret_lo", "regret_hi"]])
            rows[-1]["[other sets]"] = limits(over_sets(sets["regret"]))
            if policy == PROXIES or sets.empty:
                rows[-1] |= dict.fromkeys(_AGAINST, "")
                continue
            every.append(sets)
            found = summarised(sets["gain"], sets["gain_lo"], sets["gain_hi"], sets["saturated"])
            gain = format_estimate(*mean[["gain", "gain_lo", "gain_hi"]])
            counts = f"{found.above} / {found.open} / {found.below}"
            rows[-1] |= dict(zip(_AGAINST, (gain, limits((found.lo, found.hi)), counts), strict=True))
    note = f"{_NOTE} {_chance(pd.concat(every))}" if every else _NOTE
    return Part("Choosing a cell without OOD images: what it loses", pd.DataFrame(rows), note)


def _chance(gains: pd.DataFrame) -> str:
    full = gains["saturated"].astype(float)  # 1: both AUROCs are near 1
    said = verdicts(gains["gain"], gains["gain_lo"], gains["gain_hi"], arms=(full, full))
    return said.summary("gains on a set", "clear of 0")


def together(names: Sequence[str], runs: Sequence[Run], tables: Sequence[pd.DataFrame], sets: Sequence[str]) -> Part:
    """The same of explorations of the same images: each set's mean over them, then the mean over sets.

    Args:
        names, runs, tables: of the explorations, their ``choice_table`` among them. sets: that all have.
    """
    rows = []
    for policy, (lost, gain) in means(tables, sets).items():
        row = {"chosen by": _name(runs[0], policy), "OOD sets": lost.size}
        row["AUROC lost [other sets]"] = format_estimate(lost.mean(), *over_sets(lost))
        same = policy == PROXIES
        row["proxies gain over it [other sets]"] = "" if same else format_estimate(gain.mean(), *over_sets(gain))
        row["the same without its best set"] = "" if same else _without_best(gain)
        row["sets with a gain above / at / below 0"] = "" if same else _signs(gain)
        rows.append(row)
    note = (
        f"Each set's mean over {counted(len(runs), 'network')}, over the sets that all have. The limits are for other "
        f"sets and these networks: {len(runs)} are too few for limits of their own, and all are scored on the same "
        "images. Without its best set: the set of the largest gain left out, to show how much hangs on one. "
        f"{' '.join(shared_weights(runs))}"
    )
    return Part(f"Choosing a cell: {', '.join(names)} together", pd.DataFrame(rows), note.strip())


def means(tables: Sequence[pd.DataFrame], sets: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Policy -> what it loses and what the proxies gain over it on each set, averaged over explorations."""
    found = {}
    for policy in tables[0]["policy"].unique():
        of_policy = [table[(table["policy"] == policy) & table["ood"].isin(sets)] for table in tables]
        lost, gain = (mean_of_tables(of_policy, column).to_numpy() for column in ("regret", "gain"))
        if lost.size and lost.size == gain.size:
            found[policy] = lost, gain
    return found


def _name(run: Run, policy: str) -> str:
    return POLICIES[policy].label(format_value(run.levels[run.manifest.kept["level"]].lam, 1))


def _without_best(gain: np.ndarray) -> str:
    rest = np.delete(gain, gain.argmax())
    return format_estimate(rest.mean(), *over_sets(rest)) if rest.size else ""


def _signs(values: np.ndarray) -> str:
    return f"{(values > 0).sum()} / {(values == 0).sum()} / {(values < 0).sum()}"
