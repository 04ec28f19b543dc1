"""The tables that pages read: the map of every OOD set, the preset detectors, the honest best cell, the other heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore import heads
from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import Groups, auroc, auroc_map, best_cell, detector_summary
from cfs_explore.diagnostics.groups import independent
from cfs_explore.errors import CFSError, RunError
from cfs_explore.pipeline.progress import Progress
from cfs_explore.scoring import mean_over_draws
from cfs_explore.store import Manifest, Run, write_table

#: Images that a head scores at a time.
SCORE_BLOCK = 2_000

#: Fewest images on each side for a split-half estimate that means anything.
FEWEST_FOR_SPLIT = 4


def write_tables(out: Path, manifest: Manifest, progress: Progress) -> None:
    """Compute and write ``tables/*.parquet`` of a run whose arrays are in place."""
    run = Run(out, manifest)
    frames: dict[str, list[pd.DataFrame]] = {"auroc_map": [], "detectors": [], "best_cell": [], "heads": []}
    progress.start("tabulating", len(run.ood_names), "sets")
    fitted = fit_heads(run)
    for ood in run.ood_names:
        frames["auroc_map"].append(map_table(run, ood))
        frames["detectors"].append(detector_table(run, ood))
        frames["best_cell"].append(best_cell_table(run, ood))
        frames["heads"].append(head_table(run, ood, fitted))
        progress.advance(1, ood)
    for name, parts in frames.items():
        labelled = [part.assign(ood=ood) for part, ood in zip(parts, run.ood_names, strict=True)]
        write_table(out / "tables" / f"{name}.parquet", stacked(labelled))


def stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; an empty one would make whole numbers floats."""
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def map_table(run: Run, ood: str) -> pd.DataFrame:
    """One row per cell; computed level by level, so that memory holds one level's scores."""
    parts, groups = [], Groups.of(*run.group_names(ood))
    for k, level in enumerate(run.levels):
        scores = run.scores("id_test", level=k), run.scores("ood", ood, level=k)
        parts.append(auroc_map(*scores, [level], run.taps, groups=groups).assign(level=k))
    return pd.concat(parts, ignore_index=True).assign(**_group_counts(run, ood, groups))


def _group_counts(run: Run, ood: str, groups: Groups | None) -> dict[str, int]:
    """Groups of ID images, of OOD images, and those that have both; as many as images where each is alone."""
    id_groups, ood_groups = independent(groups, run.id_test.count, run.entry("ood", ood).count)
    return {"id_groups": id_groups, "ood_groups": ood_groups, "shared_groups": groups.shared if groups else 0}


def preset_cells(run: Run) -> dict[str, list[Cell]]:
    """The preset detectors as cells at the run's main level: CFS(1x2), its decoder and its encoder alone."""
    names = [t.name for t in run.taps]
    level = run.manifest.kept["level"]
    presets = {}
    for policy, (encoder, decoder) in run.manifest.presets.items():
        e, d = Cell(level, names.index(encoder)), Cell(level, names.index(decoder))
        suffix = "" if policy == "sparse_ed" else ", ID-chosen"
        presets[f"CFS(1x2){suffix}"] = [e, d]
        presets[f"CFS-dec(1x1){suffix}"] = [d]
        presets[f"CFS-enc(1x1){suffix}"] = [e]
    return presets


def detector_table(run: Run, ood: str) -> pd.DataFrame:
    """One row per preset detector: AUROC, AUPR, FPR95 with intervals, n, #F and effective #F."""
    level = run.manifest.kept["level"]  # that of every preset
    id_scores, ood_scores = run.scores("id_test", level=level), run.scores("ood", ood, level=level)
    rows, groups = [], Groups.of(*run.group_names(ood))
    for name, cells in preset_cells(run).items():
        local = [Cell(0, cell.tap) for cell in cells]
        summary = detector_summary(id_scores, ood_scores, local, taps=run.taps, groups=groups)
        rows.append({"name": name, "cell_indices": [cell.number(len(run.taps)) for cell in cells], **summary})
    return pd.DataFrame(rows).assign(**_group_counts(run, ood, groups))


def best_cell_table(run: Run, ood: str) -> pd.DataFrame:
    """One row: the best cell's honest split-half AUROC beside the naive maximum (theory 3)."""
    id_scores, ood_scores = (_mean_over_draws(run, *which) for which in (("id_test",), ("ood", ood)))
    groups = Groups.of(*run.group_names(ood))
    if min(independent(groups, len(id_scores), len(ood_scores))) < FEWEST_FOR_SPLIT:
        return pd.DataFrame()
    best = best_cell(id_scores, ood_scores, groups=groups)
    return pd.DataFrame(
        [
            {
                **dict(zip(("honest", "honest_lo", "honest_hi"), best.honest, strict=True)),
                **dict(zip(("naive", "naive_lo", "naive_hi"), best.naive, strict=True)),
                "split_sd": best.split_sd,
                "repeats": best.repeats,
                "cell_index": best.naive_cell.number(len(run.taps)),
                "n_id": len(id_scores),
                "n_ood": len(ood_scores),
            }
        ]
    )


def fit_heads(run: Run) -> dict[str, heads.Head | CFSError]:
    """Every registered head on the concatenated kept snapshots of ID-train (section 2), or why it cannot be fitted."""
    if not run.manifest.kept["taps"]:
        return {}
    try:
        train = _kept_snapshots(run, "id_train")
    except RunError as why:  # they were left out of the run, or of the one whose statistics it uses
        return dict.fromkeys(heads.REGISTRY, why)
    fitted = {}
    for name, head_class in heads.REGISTRY.items():
        try:
            fitted[name] = head_class().fit(train)
        except CFSError as error:  # too few ID-train images for this head
            fitted[name] = error
    return fitted


def head_table(run: Run, ood: str, fitted: Mapping[str, heads.Head | CFSError]) -> pd.DataFrame:
    """AUROC of every head of ``fit_heads``, with its interval."""
    if not fitted:
        return pd.DataFrame()
    test, out = _kept_snapshots(run, "id_test"), _kept_snapshots(run, "ood", ood)
    rows, groups = [], Groups.of(*run.group_names(ood))
    for name, head in fitted.items():
        if isinstance(head, CFSError):
            rows.append({"head": name, "note": str(head)})
            continue
        value, lo, hi = auroc(head_scores(head, test), head_scores(head, out), groups=groups)
        rows.append({"head": name, "auroc": value, "lo": lo, "hi": hi, "note": ""})
    return pd.DataFrame(rows).assign(taps=", ".join(run.manifest.kept["taps"]), n_id=len(test), n_ood=len(out))


def _kept_snapshots(run: Run, role: str, name: str | None = None) -> np.ndarray:
    """(image, feature) of all kept taps."""
    return np.concatenate([run.snapshots(tap, role, name) for tap in run.manifest.kept["taps"]], axis=1)


def head_scores(head: heads.Head, features: np.ndarray) -> np.ndarray:
    """Scores (n,), computed part by part: heads work in float64, some with an (n, n_train) array."""
    parts = range(0, len(features), SCORE_BLOCK)
    return np.concatenate([head.score(features[start : start + SCORE_BLOCK]) for start in parts])


def _mean_over_draws(run: Run, role: str, name: str | None = None) -> np.ndarray:
    """Slot scores float32 (n, 1, level, tap): half the memory."""
    mean = np.empty((run.entry(role, name).count, 1, len(run.levels), len(run.taps)), dtype=np.float32)
    for k in range(len(run.levels)):
        mean[:, 0, k] = mean_over_draws(run.scores(role, name, level=k)[:, :, 0], np.float32)
    return mean
