"""What a finished map says about the paper's claims, OOD set by OOD set, with intervals (arXiv 2605.11014).

print(as_text(claims_table(run), run.name))
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.diagnostics import Groups, ScoreError, auroc, paired_auroc_difference
from cfs_explore.diagnostics.best_excess import excess_of_pools
from cfs_explore.diagnostics.falsifier import FALSIFIED, SUPPORTED, verdict
from cfs_explore.diagnostics.falsifier import MARGIN as LEAD
from cfs_explore.diagnostics.groups import independent
from cfs_explore.diagnostics.plateau import MARGIN as PLATEAU_MARGIN
from cfs_explore.diagnostics.plateau import honest_range
from cfs_explore.diagnostics.splits import SPLITS, SplitPool, Splits, draw_splits
from cfs_explore.diagnostics.verdicts import Verdicts, p_value, survivors
from cfs_explore.figures.falsifier import detector_rows, untested
from cfs_explore.figures.needs import NotMeasuredError, why_no_table
from cfs_explore.store import Run
from cfs_explore.wording import counted, table_number

#: Log-SNR from which a level counts as low noise here: the noise has up to 5 % of the image's power.
LOW_NOISE = 3.0
#: AUROC that "competitive" may lose.
COMPETITIVE = 0.02
#: ICC from which features count as stable (theory 15).
STABLE = 0.9
#: Stands for the ID-test images where a claim is about no OOD set.
NO_SET = ""

#: Claim -> what is measured, and the value that it must exceed (or stay below) for the claim to hold.
CLAIMS = {
    "low noise": f"best cell at lam >= {LOW_NOISE:g} minus best cell below, each picked on other images: above 0",
    "pair": "CFS(1x2) minus CFS-dec(1x1): above 0",
    "decoder": f"CFS-dec(1x1) minus CFS(1x2): above -{COMPETITIVE:g}",
    "few cells": f"CFS(1x2) minus the best single cell, picked on other images: above -{COMPETITIVE:g}",
    "complementary": "AUROC of the decoder among images that the encoder finds alike: above 0.5",
    "plateau": f"the decoder tap's best minus its worst AUROC over lam >= {LOW_NOISE:g}, both picked on other images: "
    f"below {PLATEAU_MARGIN:g}",
    "stable": f"share of the decoder features' variance that is the image's own (ICC), ID-test: above {STABLE:g}",
    "trained": "best cell minus best cell of untrained copies, each picked on other images: above 0",
    "beyond statistics": "best cell minus the better of plain image statistics, one or all together: above 0",
    "no trajectory": f"the largest lead of a trajectory detector (all measured) over every CFS variant: below {LEAD:g}",
}

#: Claim -> the value that it is judged by; a claim of ``BELOW`` holds below it, every other above.
LIMITS = {
    **dict.fromkeys(CLAIMS, 0.0),
    "decoder": -COMPETITIVE,
    "few cells": -COMPETITIVE,
    "complementary": 0.5,
    "plateau": PLATEAU_MARGIN,
    "stable": STABLE,
    "no trajectory": LEAD,
}
BELOW = {"plateau", "no trajectory"}

_COLUMNS = ["claim", "ood", "value", "lo", "hi", "verdict", "p", "survives", "note", "n_id", "n_ood"]
_Row = dict[str, object]
#: In the order in which they are counted.
VERDICTS = ["yes", "open", "no", "no evidence", "missing"]


def claims_table(run: Run) -> pd.DataFrame:
    """Every claim on every OOD set.

    CFS(1x2) is the run's ``sparse_ed`` preset at its main level; all scores are means over the draws, save where a
    claim compares with untrained copies, which were measured with one draw on both sides.

    Returns:
        claim (of ``CLAIMS``), ood, value with its 95 % interval lo, hi, verdict ("yes": the whole interval says so,
        "no": the whole interval says otherwise, "open"; "no evidence": both AUROCs are near 1; "missing": not
        measured, for the reason in note), p (two-sided, of the value lying just at the claim's limit, from the
        interval), survives (a "yes" or "no" that stands at a false-discovery rate of 5 % over the whole table), n_id,
        n_ood.

    Raises:
        NotMeasuredError: the run's taps hold no ``sparse_ed`` pair.
    """
    if "sparse_ed" not in run.manifest.presets:
        raise NotMeasuredError(
            f"{run.name} measured no encoder-decoder pair of the policy sparse_ed; measure all taps."
        )
    rows = [_stability(run)]
    for ood in run.ood_names:
        rows += [{"ood": ood, **row} for row in run.derived(claims_of_set, ood)]
    frame = pd.DataFrame(rows)
    firm = frame["verdict"].isin(["yes", "no"])
    frame = frame.assign(survives=survivors(frame["p"].to_numpy()) & firm).reindex(columns=_COLUMNS)
    order = {claim: place for place, claim in enumerate(CLAIMS)}
    return frame.sort_values("claim", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row per claim: in how many OOD sets it holds, is open, fails, has no evidence, or was not measured."""
    counts = pd.crosstab(table["claim"], table["verdict"]).reindex(index=list(CLAIMS), columns=VERDICTS, fill_value=0)
    return counts.rename_axis(index=None, columns=None).reset_index(names="claim").assign(measured=CLAIMS.values())


def as_text(table: pd.DataFrame, name: str) -> str:
    """The summary and every number, for a terminal."""
    written = dict.fromkeys(("value", "lo", "hi"), table_number) | {"p": _p}
    rows = table.fillna({"ood": "", "note": ""}).to_string(index=False, formatters=written, na_rep="")
    counts = summary(table).to_string(index=False)
    return f"{name}: the paper's claims, in how many OOD sets\n\n{counts}\n\n{by_chance(table)}\n\n{rows}"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else table_number(p)


def by_chance(table: pd.DataFrame) -> str:
    """How many verdicts of a table chance alone would give, and how many survive (theory 30)."""
    firm = table["verdict"].isin(["yes", "no"]).to_numpy()
    return Verdicts(table["p"].to_numpy(), firm, table["survives"].to_numpy()).summary(
        "verdicts", "firm (the interval on one side of the limit)"
    )


def claims_of_set(run: Run, ood: str) -> list[_Row]:
    """Every claim on a set, which takes a second or so; where it has too few images for one of them, each says so."""
    try:
        return list(_of_set(run, ood))
    except ScoreError:
        counts = {"n_id": run.id_test.count, "n_ood": run.entry("ood", ood).count}
        why = f"too few images to judge: {counts['n_id']} ID, {counts['n_ood']} OOD"
        return [{"claim": claim, **_missing(why), **counts} for claim in CLAIMS if claim != "stable"]


def _of_set(run: Run, ood: str) -> Iterator[_Row]:
    id_scores, ood_scores = run.mean_scores("id_test"), run.mean_scores("ood", ood)
    counts = {"n_id": id_scores.shape[-1], "n_ood": ood_scores.shape[-1]}
    groups = Groups.of(*run.group_names(ood))
    encoder, decoder = ([tap.name for tap in run.taps].index(name) for name in run.manifest.presets["sparse_ed"])
    main = run.manifest.kept["level"]
    pair, alone = (
        tuple(scores[main, taps].mean(axis=0) for scores in (id_scores, ood_scores))
        for taps in ([encoder, decoder], [decoder])
    )
    splits = draw_splits(*counts.values(), SPLITS, 0, groups)
    pool = SplitPool.of(_flat(id_scores), _flat(ood_scores), splits)  # of all cells; the longest part of all this
    yield {"claim": "low noise", **_low_noise(run, pool, splits), **counts}
    gain = paired_auroc_difference(*pair, *alone, groups=groups)
    both = auroc(*pair).value, auroc(*alone).value
    yield {"claim": "pair", **_judged(gain.value, gain.lo, gain.hi, 0.0, arms=both), **counts}
    yield {"claim": "decoder", **_judged(-gain.value, -gain.hi, -gain.lo, -COMPETITIVE, arms=both), **counts}
    row = excess_of_pools(pool, [SplitPool.of(*(side[None] for side in pair), splits)], splits)
    few = -row["excess"], -row["hi"], -row["lo"]
    yield {"claim": "few cells", **_judged(*few, -COMPETITIVE, arms=(row["trained"], row["auroc"])), **counts}
    yield {"claim": "complementary", **_complementary(run, ood), **counts}
    yield {"claim": "plateau", **_plateau(run, id_scores[:, decoder], ood_scores[:, decoder], groups), **counts}
    yield {"claim": "trained", **counts, **_against(run, ood, ["untrained"])}
    yield {"claim": "beyond statistics", **counts, **_against(run, ood, ["statistics", "best statistic"])}
    yield {"claim": "no trajectory", **counts, **_no_trajectory(run, ood)}


def _low_noise(run: Run, pool: SplitPool, splits: Splits) -> _Row:
    low = _is_low(run)
    if low.all() or not low.any():
        return _missing("needs levels on both sides")
    cells = np.repeat(low, len(run.taps))
    return _of_excess(excess_of_pools(pool.at(cells), [pool.at(~cells)], splits))


def _is_low(run: Run) -> np.ndarray:
    """Which levels have low noise, bool (level,)."""
    return np.array([level.lam >= LOW_NOISE - 0.25 for level in run.levels])


def _plateau(run: Run, id_rows: np.ndarray, ood_rows: np.ndarray, groups: Groups | None) -> _Row:
    """How much the tap's AUROC moves over the low-noise levels."""
    low = np.flatnonzero(_is_low(run))
    if len(low) < 2:
        return _missing("needs two levels of low noise")
    if min(independent(groups, id_rows.shape[1], ood_rows.shape[1])) < 4:
        return _missing("too few images")
    found = honest_range(id_rows[low], ood_rows[low], groups=groups)
    best, worst = (run.levels[low[k]].lam for k in (found.best, found.worst))
    note = f"mostly best at lam {best:.1f}, worst at {worst:.1f}"
    arms = found.best_auroc, found.worst_auroc
    return _judged_below(found.value, found.lo, found.hi, PLATEAU_MARGIN, note, arms=arms)


def _complementary(run: Run, ood: str) -> _Row:
    if why := why_no_table(run, "complementarity"):
        return _missing(why)
    table = run.table("complementarity")
    ours = (table["preset"] == "sparse_ed") & (table["scale"] == "s") & (table["level"] == run.manifest.kept["level"])
    rows = table[ours & (table["ood"] == ood)]
    if rows.empty:
        return _missing("its table has no such pair")
    row = rows.iloc[0]
    if not math.isfinite(row["adjusted_d"]):
        return _missing("the encoder finds no OOD image like an ID image")
    return _judged(row["adjusted_d"], row["adjusted_d_lo"], row["adjusted_d_hi"], 0.5)


def _stability(run: Run) -> _Row:
    about: _Row = {"claim": "stable", "ood": NO_SET, "n_id": run.id_test.count, "n_ood": 0}
    if why := why_no_table(run, "stability"):
        return {**about, **_missing(why)}
    table = run.table("stability")
    decoder, main = run.manifest.presets["sparse_ed"][1], run.manifest.kept["level"]
    rows = table[(table["role"] == "id_test") & (table["tap"] == decoder) & (table["level"] == main)]
    if rows.empty:
        return {**about, **_missing("its table has no such cell")}
    row = rows.iloc[0]
    return {**about, **_judged(row["icc_features"], row["icc_features_lo"], row["icc_features_hi"], STABLE)}


def _against(run: Run, ood: str, controls: list[str]) -> _Row:
    """The best cell against the control that comes nearest to it."""
    if why := why_no_table(run, "best_excess"):
        return _missing(why)
    table = run.table("best_excess")
    rows = table[(table["ood"] == ood) & table["control"].isin(controls) & (table["draws"] == 1)]
    if rows.empty:
        return _missing(f"this map was not compared with {' or '.join(controls)}")
    row = rows.loc[rows["excess"].idxmin()] if rows["excess"].notna().any() else rows.iloc[0]
    return {**_of_excess(row), "n_id": int(row["n_id"]), "n_ood": int(row["n_ood"])}


def _no_trajectory(run: Run, ood: str) -> _Row:
    """The trajectory detector that leads every variant of CFS by most (theory 21)."""
    if why := why_no_table(run, "leads"):
        return _missing(why)
    rows, left_out = detector_rows(run, "leads", ood), untested(detector_rows(run, "falsifier", ood))
    rows = rows[rows["trajectory"]]
    if rows.empty:
        return _missing("no trajectory detector was measured")
    sizes = {"n_id": int(rows["n_id"].iloc[0]), "n_ood": int(rows["n_ood"].iloc[0])}
    more = f", {len(left_out)} more not measured" if left_out else ""
    note = f"largest: {rows.loc[rows['lead'].idxmax(), 'title']}; {counted(len(rows), 'detector')}{more}"
    arms = (1.0, 1.0) if rows["saturated"].all() else (0.0, 0.0)
    row = _judged_below(*rows[["lead", "lead_lo", "lead_hi"]].max(), LEAD, note, arms=arms)
    if row["verdict"] == "no evidence":
        return {**row, **sizes}
    said = verdict(rows, len(left_out))
    each = [p_value(*values, LEAD) for values in rows[["lead", "lead_lo", "lead_hi"]].to_numpy()]
    # One that leads is enough to falsify, which is tried as often as there are rivals; all must stay below to support.
    p = min(1.0, len(each) * min(each)) if said == FALSIFIED else max(each) if said == SUPPORTED else math.nan
    return {**row, **sizes, "p": p, "verdict": {FALSIFIED: "no", SUPPORTED: "yes"}.get(said, "open")}


def _of_excess(row: Mapping[str, float]) -> _Row:
    """Of a row of ``best_excess``."""
    arms = row["trained"], row["auroc"]
    return _judged(row["excess"], row["lo"], row["hi"], 0.0, f"{arms[0]:.3f} against {arms[1]:.3f}", arms=arms)


def _judged(
    value: float, lo: float, hi: float, above: float, note: str = "", *, arms: tuple[float, float] = (0.0, 0.0)
) -> _Row:
    """The verdict of an interval on "value is above this", of two AUROCs ``arms`` where it compares such."""
    if not math.isfinite(value):
        return _missing("too few images")
    verdict = "yes" if lo > above else "no" if hi < above else "open"
    row = {"value": float(value), "lo": float(lo), "hi": float(hi), "note": note, "p": p_value(value, lo, hi, above)}
    if min(arms) > SATURATED:
        return {**row, "verdict": "no evidence", "p": math.nan, "note": "both AUROCs are near 1"}
    return {**row, "verdict": verdict}


def _judged_below(value: float, lo: float, hi: float, below: float, note: str, *, arms: tuple[float, float]) -> _Row:
    """The same of "value is below this"."""
    row = _judged(-value, -hi, -lo, -below, note, arms=arms)
    return {**row, "value": float(value), "lo": float(lo), "hi": float(hi)}


def _missing(why: str) -> _Row:
    return {"value": math.nan, "lo": math.nan, "hi": math.nan, "verdict": "missing", "note": why, "p": math.nan}


def _flat(scores: np.ndarray) -> np.ndarray:
    """(level, tap, image) as (cell, image)."""
    return scores.reshape(-1, scores.shape[-1])
