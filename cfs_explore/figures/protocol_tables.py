"""What makes explorations comparable, read from finished runs: levels, conditioning, cost, differences (theory 1)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.diagnostics import Groups, MeasuredMap, detector_costs, difference_map
from cfs_explore.diagnostics.comparison import LAM_TOLERANCE
from cfs_explore.diagnostics.verdicts import Verdicts, verdicts
from cfs_explore.errors import RunError
from cfs_explore.levels import MAIN_LAM, RELATIVE_ALIGNMENTS
from cfs_explore.store import Run

#: Columns of a comparison's summary; see ``conditioning_summary``.
_QUANTILES = {"low": 0.1, "median": 0.5, "high": 0.9}


def main_level(run: Run) -> int:
    """Position of the level of the published detectors, or of the nearest to it."""
    return min(range(len(run.levels)), key=lambda k: abs(run.levels[k].requested - MAIN_LAM))


def levels_table(run: Run) -> pd.DataFrame:
    """A row per level, clean to noisy: requested, lam (achieved), error (achieved - requested), native, a, b.

    Under a relative alignment the error is how far the level had to move, not a miss.
    """
    frame = pd.DataFrame([level.to_dict() for level in run.levels])
    frame["error"] = frame["lam"] - frame["requested"]
    return frame[["requested", "lam", "error", "native", "a", "b"]]


def measured_presets(run: Run) -> dict[str, list[str]]:
    """Policy -> [encoder tap, decoder tap], of the policies whose taps the run measured."""
    names = {tap.name for tap in run.taps}
    return {key: pair for key, pair in run.manifest.presets.items() if len(pair) == 2 and names.issuperset(pair)}


def cost_table(run: Run, ood: str) -> pd.DataFrame:
    """Every single cell and the published detectors, priced and judged; columns as of ``detector_costs``.

    Raises:
        RunError: when the stage of the measured times has not run.
    """
    times = run.table("cost")
    return detector_costs(
        run.scores("id_test"),
        run.scores("ood", ood),
        taps=run.taps,
        lams=[level.lam for level in run.levels],
        presets=measured_presets(run),
        main=main_level(run),
        ms=dict(zip(times["tap"], times["ms"], strict=True)),
        groups=Groups.of(*run.group_names(ood)),
        seed=run.manifest.spec.get("seed", 0),
    )


def compare(first: Run, second: Run, ood: str) -> pd.DataFrame:
    """AUROC of the second exploration minus that of the first in every pair of matching cells, on one OOD set.

    As many noise draws are averaged on both sides, since averaging more raises AUROC by itself. Explorations whose
    levels were aligned by something else than the log-SNR are matched by what was requested.

    Args:
        ood: name of the set; both must have measured one of this name.

    Returns:
        Columns as of ``diagnostics.difference_map``, and ``draws``.

    Raises:
        RunError: naming the exploration that lacks the set, and the sets that it has.
    """
    draws = min(first.draws, second.draws)
    moved = any(run.manifest.spec.get("alignment") in RELATIVE_ALIGNMENTS for run in (first, second))
    tolerance = float("inf") if moved else LAM_TOLERANCE
    return difference_map(*(_measured(run, ood, draws) for run in (first, second)), tolerance=tolerance).assign(
        draws=draws
    )


def _measured(run: Run, ood: str, draws: int) -> MeasuredMap:
    if ood not in run.ood_names:
        raise RunError(f"{run.name} has no OOD set called {ood}; it has {', '.join(run.ood_names)}.")
    ids = {name: run.images(*name, columns=["image_id"])["image_id"].tolist() for name in (("id_test",), ("ood", ood))}
    return MeasuredMap(
        run.levels,
        run.taps,
        run.scores("id_test")[:, :draws],
        run.scores("ood", ood)[:, :draws],
        *ids.values(),
        groups=Groups.of(*run.group_names(ood)),
    )


def conditioning_summary(table: pd.DataFrame) -> pd.DataFrame:
    """What the cells of a region lose, from the table ``conditioning`` of one OOD set with a column ``region``.

    Returns:
        A row per variant (the truth left out) and region: variant, offset, region; low, median, high (10th, 50th and
        90th percentile over cells); worse, better: shares of cells whose 95 % interval lies above and below 0; survive:
        the share that stands at a false-discovery rate of 5 %; cells. Saturated cells are no evidence (theory 30).
    """
    wrong = table[table["variant"] != "matched"]
    rows = []
    for (variant, region), cells in wrong.groupby(["variant", "region"], sort=False):
        rows.append(
            {"variant": variant, "offset": cells["offset"].iloc[0], "region": region}
            | {name: cells["loss"].quantile(q) for name, q in _QUANTILES.items()}
            | _shares(cells)
        )
    return pd.DataFrame(rows)


def loss_verdicts(cells: pd.DataFrame) -> Verdicts:
    """On "nothing is lost" of every cell, from rows of the table ``conditioning``."""
    arms = cells["auroc"], cells["auroc"] + cells["loss"]
    return verdicts(cells["loss"], cells["loss_lo"], cells["loss_hi"], arms=arms)


def _shares(cells: pd.DataFrame) -> dict[str, float | int]:
    """Worse, better, survive: shares of the cells."""
    found = loss_verdicts(cells)
    signs = {"worse": found.firm & (cells["loss"] > 0), "better": found.firm & (cells["loss"] < 0)}
    return {
        **{name: which.mean() for name, which in signs.items()},
        "survive": found.survives.mean(),
        "cells": len(cells),
    }


def with_taps(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column ``tap``, joined with each tap's tap_index, region, depth and resolution."""
    place = {tap.name: t for t, tap in enumerate(run.taps)}
    index = [place[name] for name in table["tap"]]
    taps = [run.taps[t] for t in index]
    return table.assign(
        tap_index=index, **{key: [getattr(tap, key) for tap in taps] for key in ("region", "depth", "resolution")}
    )


def with_regions(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column ``tap``, joined with each tap's region."""
    return table.assign(region=table["tap"].map({tap.name: tap.region for tap in run.taps}))
