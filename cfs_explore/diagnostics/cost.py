"""What detectors cost and what they find: AUROC against forwards, work and measured time (theory 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.contracts import Cell, Tap
from cfs_explore.diagnostics.ablation import nested_levels
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, score_maps
from cfs_explore.diagnostics.compose import cells_cost
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, independent, taken
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.splits import FEWEST, random_halves

#: Numbers of levels of the larger detectors.
LEVEL_COUNTS = (1, 2, 4)
#: The columns of ``detector_costs`` that say what a detector costs.
COSTS = ("forwards", "effective", "ms")


class Candidate(NamedTuple):
    """A detector: what it is called, of which kind it is, and its cells."""

    detector: str
    kind: str
    cells: tuple[Cell, ...]


def measured_ms(cells: Sequence[Cell], ms: Sequence[float], draws: int) -> float:
    """Milliseconds per image: draws x the sum over levels of the time of a forward that stops after its last tap.

    Args:
        ms: of a forward that stops after each tap, in execution order.
    """
    last: dict[int, int] = {}
    for cell in cells:
        last[cell.level] = max(last.get(cell.level, 0), cell.tap)
    return draws * float(sum(ms[tap] for tap in last.values()))


def pareto_front(cost: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Which detectors no other beats, bool (n,): none is as cheap with a higher value, or cheaper with as high a one.

    Of detectors that agree in both all are kept; one whose cost or value is NaN is never on the front.
    """
    cost, value = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    front = np.zeros(len(cost), dtype=bool)
    highest, at_cost = -np.inf, -np.inf
    for k in np.lexsort((-value, cost)):
        if np.isnan(cost[k]) or np.isnan(value[k]):
            continue
        if value[k] > highest or (value[k] == highest and cost[k] == at_cost):
            front[k], highest, at_cost = True, value[k], cost[k]
    return front


def detector_costs(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    *,
    taps: Sequence[Tap],
    lams: Sequence[float],
    presets: Mapping[str, Sequence[str]],
    main: int,
    ms: Mapping[str, float],
    groups: Groups | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Every single cell and the published detectors, each with one draw and with all, judged and priced.

    The published ones are CFS(1x2) and CFS-dec(1x1) of each preset at each level, and CFS(KxL) of each preset for 2 and
    4 levels around the main one. A front that is picked and shown on the same images flatters; so one random half of
    the ID and OOD images is there to pick it, the other to judge it.

    Args:
        id_scores: (n_id >= 4, draws, L, T). ood_scores: (n_ood >= 4, draws, L, T).
        taps, lams: of the map; the achieved log-SNRs.
        presets: policy -> [encoder tap, decoder tap].
        main: position of the level around which levels are added.
        ms: tap -> milliseconds per image of a forward that stops after it; NaN costs where a tap is missing.
        groups: of the images, which a half leaves whole; None where each is alone.
        seed: of the halves.

    Returns:
        detector, kind ("cell", "CFS", "CFS-dec", "CFS(KxL)"), levels, taps (positions, by commas), draws; forwards
        (#F), effective, ms; auroc, lo, hi (DeLong, all images); picked_auroc on the half that picks; judged_auroc,
        judged_lo, judged_hi on the other; n_id, n_ood.

    Raises:
        ScoreError: shapes that do not match, fewer than 4 images in a class, NaN or infinity.
    """
    id_scores, ood_scores = score_maps(id_scores, ood_scores)
    if min(len(id_scores), len(ood_scores)) < FEWEST:
        raise ScoreError(
            f"Halves need {FEWEST} images of each class. Got {len(id_scores)} and {len(ood_scores)} instead."
        )
    candidates = list(_candidates(taps, lams, presets, main))
    times = [ms.get(tap.name, float("nan")) for tap in taps]
    parts = []
    for draws in sorted({1, id_scores.shape[1]}):
        prices = pd.DataFrame([_priced(candidate, taps, times, draws) for candidate in candidates])
        rows = [_rows(scores[:, :draws], candidates) for scores in (id_scores, ood_scores)]
        parts.append(pd.concat([prices, _judged(*rows, seed, groups)], axis=1))
    return pd.concat(parts, ignore_index=True)


def honest_front(table: pd.DataFrame, cost: str = "ms") -> pd.DataFrame:
    """The rows of ``detector_costs`` on the front of ``cost`` and the picking half's AUROC, from cheap to dear."""
    if cost not in COSTS:
        raise ScoreError(f"cost must be one of {', '.join(COSTS)}. Got {cost!r} instead.")
    front = pareto_front(table[cost].to_numpy(), table["picked_auroc"].to_numpy())
    return table[front].sort_values([cost, "picked_auroc"], kind="stable", ignore_index=True)


def _candidates(
    taps: Sequence[Tap], lams: Sequence[float], presets: Mapping[str, Sequence[str]], main: int
) -> Iterator[Candidate]:
    for k, lam in enumerate(lams):
        for t, tap in enumerate(taps):
            yield Candidate(f"{tap.name} @ {lam:.3g}", "cell", (Cell(k, t),))
    position = {tap.name: t for t, tap in enumerate(taps)}
    for preset, names in presets.items():
        encoder, decoder = (position[name] for name in names)
        for k, lam in enumerate(lams):
            yield Candidate(f"CFS(1x2) {preset} @ {lam:.3g}", "CFS", (Cell(k, encoder), Cell(k, decoder)))
            yield Candidate(f"CFS-dec(1x1) {preset} @ {lam:.3g}", "CFS-dec", (Cell(k, decoder),))
        for count, levels in nested_levels(lams, main, LEVEL_COUNTS[1:]).items():
            cells = tuple(Cell(k, tap) for k in levels for tap in (encoder, decoder))
            yield Candidate(f"CFS({count}x2) {preset} around {lams[main]:.3g}", "CFS(KxL)", cells)


def _priced(candidate: Candidate, taps: Sequence[Tap], times: Sequence[float], draws: int) -> dict[str, str | float]:
    levels, cost = sorted({cell.level for cell in candidate.cells}), cells_cost(candidate.cells, taps, draws)
    return {
        "detector": candidate.detector,
        "kind": candidate.kind,
        "levels": ",".join(map(str, levels)),
        "taps": ",".join(map(str, sorted({cell.tap for cell in candidate.cells}))),
        "draws": draws,
        "forwards": cost.forwards,
        "effective": cost.effective,
        "ms": measured_ms(candidate.cells, times, draws),
    }


def _rows(scores: np.ndarray, candidates: Sequence[Candidate]) -> np.ndarray:
    """Scores of every detector, (detectors, n)."""
    cells, taps = cell_rows(scores), scores.shape[3]
    return np.stack([cells[[cell.number(taps) for cell in candidate.cells]].mean(axis=0) for candidate in candidates])


def _judged(id_rows: np.ndarray, ood_rows: np.ndarray, seed: int, groups: Groups | None) -> pd.DataFrame:
    """AUROC of every detector on all images, on the half that picks, and on the half that judges."""
    rng, numbers = np.random.default_rng(seed), {}
    (pick_id, pick_ood), judge = random_halves(id_rows.shape[1], ood_rows.shape[1], groups, rng)
    sides = (("", slice(None), slice(None)), ("judged_", *judge))
    for prefix, of_id, of_ood in sides:
        parts = id_rows[:, of_id], ood_rows[:, of_ood]
        here = taken(groups, of_id, of_ood)
        value, var = delong(*parts, here)
        lo, hi = auroc_interval(value, var, *independent(here, parts[0].shape[1], parts[1].shape[1]))
        numbers |= {f"{prefix}auroc": value, f"{prefix}lo": lo, f"{prefix}hi": hi}
    picked = delong(id_rows[:, pick_id], ood_rows[:, pick_ood]).auroc
    return pd.DataFrame(numbers | {"picked_auroc": picked, "n_id": id_rows.shape[1], "n_ood": ood_rows.shape[1]})
