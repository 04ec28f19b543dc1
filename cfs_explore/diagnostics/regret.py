"""What choosing a cell without the OOD set costs: regret of policies against the best cell (theory 17).

The best cell is the largest measured AUROC, which is biased upwards, so that every regret is overestimated by up to
that bias; it is the same for all policies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_mean import mean_auroc, mean_over_sets
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.delong import placements
from cfs_explore.diagnostics.groups import Groups, independent, taken
from cfs_explore.diagnostics.metrics import Estimate, paired_auroc_difference

#: Instead of a cell: the mean over all cells, which is what a cell picked at random is worth.
ANY_CELL = -1
#: OOD "set" of the rows that average over the sets.
ALL_SETS = ""
_UNKNOWN, _NOTHING = Estimate(*[float("nan")] * 3), Estimate(0.0, 0.0, 0.0)


def leave_one_out(aurocs: np.ndarray) -> list[int | None]:
    """For each OOD set the cell with the largest mean AUROC on the others; None where there is no other.

    Args:
        aurocs: (sets, cells).
    """
    if len(aurocs) < 2:
        return [None] * len(aurocs)
    return [int(np.delete(aurocs, s, axis=0).mean(axis=0).argmax()) for s in range(len(aurocs))]


def regret_table(
    id_rows: np.ndarray,
    ood_rows: Mapping[str, np.ndarray],
    choices: Mapping[str, Sequence[int | str]],
    levels: Sequence[Level],
    taps: Sequence[Tap],
    groups: Groups | None = None,
) -> pd.DataFrame:
    """AUROC of each policy's cell, and how far it is below the best cell of each OOD set.

    Args:
        id_rows: scores of ID-test averaged over draws, (cells, n_id), levels outermost.
        ood_rows: OOD set -> (cells, n_ood).
        choices: policy -> for each OOD set a cell's index, ``ANY_CELL``, or the reason why it has none.
        levels, taps: of the map.
        groups: of the ID images, and of the OOD images of all sets one after the other; None where each is alone.

    Returns:
        The table ``regret`` (``studies.prediction``). A chosen cell that is the best has regret 0 and no interval to
        speak of. The rows whose ood is ``ALL_SETS`` are means over the sets; a policy that chose nothing for one set
        has none.

    Raises:
        ScoreError: shapes that do not match, NaN or infinity.
    """
    shapes = {len(id_rows), len(levels) * len(taps), *(len(rows) for rows in ood_rows.values())}
    if len(shapes) > 1:
        raise ScoreError(f"The scores and the map must agree in their cells. Got {sorted(shapes)} instead.")
    places, rows = cell_places(levels, taps), []
    chosen: dict[str, list] = {policy: [] for policy in choices}
    ends = np.cumsum([0, *(rows.shape[1] for rows in ood_rows.values())])
    for s, (ood, own) in enumerate(ood_rows.items()):
        ranked = placements(id_rows, own)
        here = taken(groups, oods=slice(ends[s], ends[s + 1]))
        best = int(ranked[1].mean(axis=1).argmax())
        top = {"best_auroc": float(ranked[1][best].mean()), **{f"best_{key}": v for key, v in places[best].items()}}
        for policy, cells in choices.items():
            row = {"ood": ood, "policy": policy, **top, "n_id": id_rows.shape[1], "n_ood": own.shape[1]}
            row |= _judge(id_rows, own, ranked, best, cells[s], here)
            has_cell = not isinstance(cells[s], str)
            if has_cell and cells[s] != ANY_CELL:
                row |= places[cells[s]]
            chosen[policy].append(
                (_placements_of(ranked, cells[s]), _placements_of(ranked, best)) if has_cell else None
            )
            rows.append(row)
    means = [
        _mean_row(policy, chosen[policy], [r for r in rows if r["policy"] == policy], groups) for policy in choices
    ]
    table = pd.DataFrame([*rows, *means], columns=list(_COLUMNS))
    return table.astype({"level": "Int64", "lam": float, "best_level": "Int64", "best_lam": float})


_COLUMNS = (
    *("ood", "policy", "level", "lam", "tap", "auroc", "lo", "hi"),
    *("best_auroc", "best_level", "best_lam", "best_tap", "regret", "regret_lo", "regret_hi", "n_id", "n_ood", "note"),
)


def cell_places(levels: Sequence[Level], taps: Sequence[Tap]) -> list[dict]:
    """level, lam and tap of every cell, levels outermost."""
    return [{"level": k, "lam": level.lam, "tap": tap.name} for k, level in enumerate(levels) for tap in taps]


def _judge(
    id_rows: np.ndarray,
    ood_rows: np.ndarray,
    ranked: tuple[np.ndarray, np.ndarray],
    best: int,
    choice: int | str,
    groups: Groups | None,
) -> dict:
    """AUROC and regret of one choice on one set; NaN and the reason where there is none."""
    if isinstance(choice, str):
        return _estimates(_UNKNOWN, _UNKNOWN) | {"note": choice}
    own, top = _placements_of(ranked, choice), _placements_of(ranked, best)
    auroc = mean_auroc(*(values[None] for values in own), groups=groups)
    if choice == best:
        regret = _NOTHING
    elif (
        choice == ANY_CELL or min(independent(groups, id_rows.shape[1], ood_rows.shape[1])) < 2
    ):  # a single image has no variance
        regret = mean_over_sets([top[0] - own[0]], [top[1] - own[1]], groups=groups)
    else:
        pair = id_rows[best], ood_rows[best], id_rows[choice], ood_rows[choice]
        regret = Estimate(*paired_auroc_difference(*pair, groups=groups)[:3])
    return _estimates(auroc, regret) | {"note": ""}


def _placements_of(ranked: tuple[np.ndarray, np.ndarray], cell: int) -> list[np.ndarray]:
    """Placements of the ID and the OOD images under one cell, or averaged over all."""
    return [values.mean(axis=0) if cell == ANY_CELL else values[cell] for values in ranked]


def _estimates(own: Estimate, regret: Estimate) -> dict:
    names = ("auroc", "lo", "hi", "regret", "regret_lo", "regret_hi")
    return dict(zip(names, (*own, *regret), strict=True))


def _mean_row(policy: str, chosen: list[tuple | None], rows: list[dict], groups: Groups | None) -> dict:
    """A policy's means over the sets.

    Args:
        chosen: for each set the placements (ID, OOD) of the policy's cell and those of the best; None without one.
        rows: of that policy. groups: as for ``regret_table``.
    """
    row = {"ood": ALL_SETS, "policy": policy, "n_id": rows[0]["n_id"], "n_ood": sum(r["n_ood"] for r in rows)}
    row["best_auroc"] = float(np.mean([r["best_auroc"] for r in rows]))
    if any(pair is None for pair in chosen):
        reasons = dict.fromkeys(r["note"] for r in rows if r["note"])
        return row | _estimates(_UNKNOWN, _UNKNOWN) | {"note": "; ".join(reasons)}
    auroc = mean_over_sets([own[0] for own, _ in chosen], [own[1] for own, _ in chosen], groups=groups)
    lost = [[best[i] - own[i] for own, best in chosen] for i in (0, 1)]
    best_everywhere = not any(values.any() for values in lost[1])
    return row | _estimates(auroc, _NOTHING if best_everywhere else mean_over_sets(*lost, groups=groups)) | {"note": ""}
