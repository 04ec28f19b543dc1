"""Whether the tables of an imported run agree with its scores: counts, and the AUROC of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore.contracts import Cell
from cfs_explore.errors import RunError
from cfs_explore.scoring import mean_over_draws
from cfs_explore.store.checked import read_rows, read_run_table
from cfs_explore.store.manifest import Manifest, SetEntry

#: Cells whose AUROC is computed again, drawn anew at each import, beside the best ones.
CELLS = 32
_BLOCK_BYTES = 32 * 2**20
TOLERANCE = 1e-9
#: Tables that count all images of both sets, and those that may count some of them.
_ALL = ("auroc_map", "detectors", "best_cell", "heads")


def check_numbers(run: Path, manifest: Manifest, rng: np.random.Generator | None = None) -> None:
    """Compare the tables of a run, whose files were checked, with its scores and the manifest's counts.

    Args:
        run, manifest: of the run.
        rng: draws the cells; None: unpredictably.

    Raises:
        RunError: naming the table and the cell.
    """
    for path in sorted((run / "tables").glob("*.parquet")):
        _check_counts(path.stem, read_run_table(run, manifest, path.stem), manifest)
    rng = rng or np.random.default_rng()
    frame = read_run_table(run, manifest, "auroc_map")
    best = read_run_table(run, manifest, "best_cell")
    detectors = read_run_table(run, manifest, "detectors")
    whole = len(manifest.levels) * len(manifest.taps)
    drawn = set(rng.choice(whole, min(CELLS, whole), replace=False).tolist())
    cells = sorted(drawn | (set(best["cell_index"].tolist()) if len(best) else set()))
    id_test = next(entry for entry in manifest.sets if entry.role == "id_test")
    id_scores = _cell_scores(run, manifest, id_test, cells)
    for entry in (entry for entry in manifest.sets if entry.role == "ood"):
        stored = frame.loc[frame["ood"] == entry.name, "auroc"].to_numpy()
        found = _aurocs(id_scores, _cell_scores(run, manifest, entry, cells))
        for cell, value in zip(cells, found, strict=True):
            if not abs(stored[cell] - value) <= TOLERANCE:  # also where NaN is stored
                level, tap = Cell.at(cell, len(manifest.taps))
                raise RunError(
                    f"tables/auroc_map.parquet says that the AUROC of {entry.name} at level {level}, tap "
                    f"{manifest.taps[tap]['name']} is {stored[cell]:.9g}; scores.zarr gives {value:.9g}. One of them "
                    "was changed: pack the exploration again."
                )
    _check_single_cells(detectors, frame, manifest)


def _check_single_cells(detectors: pd.DataFrame, frame: pd.DataFrame, manifest: Manifest) -> None:
    """Detectors of one cell have that cell's AUROC."""
    whole = len(manifest.levels) * len(manifest.taps)
    names = [entry.name for entry in manifest.sets if entry.role == "ood"]
    for row in detectors.itertuples():
        if len(row.cell_indices) == 1:
            stored = frame["auroc"].iloc[names.index(row.ood) * whole + int(row.cell_indices[0])]
            if not abs(row.auroc - stored) <= TOLERANCE:
                raise RunError(
                    f"tables/detectors.parquet says that the AUROC of {row.name} for {row.ood} is {row.auroc:.9g}; "
                    f"tables/auroc_map.parquet gives {stored:.9g} for its cell. Pack the exploration again."
                )


def _check_counts(name: str, frame: pd.DataFrame, manifest: Manifest) -> None:
    """The columns n_id and n_ood."""
    id_test = next(entry.count for entry in manifest.sets if entry.role == "id_test")
    ood = {entry.name: entry.count for entry in manifest.sets if entry.role == "ood"}
    if not len(frame) or "n_ood" not in frame or "ood" not in frame or "n_id" not in frame:
        return
    if name in _ALL:
        wrong = (frame["n_id"] != id_test) | (frame["n_ood"] != frame["ood"].map(ood))
    else:
        wrong = frame["n_ood"] > frame["ood"].map(ood)
    if wrong.any():
        row = frame.loc[wrong].iloc[0]
        raise RunError(
            f"tables/{name}.parquet counts {row['n_id']:,} and {row['n_ood']:,} images for {row['ood']}; manifest.json "
            f"counts {id_test:,} and {ood.get(row['ood'], 0):,}. One of them was changed: pack the exploration again."
        )


def _aurocs(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """AUROC of each column of (n_id, cell) and (n_ood, cell), by ranks: half of a tie counts for either side."""
    found = np.empty(below.shape[1])
    for k in range(len(found)):
        order = np.sort(below[:, k])
        wins = np.searchsorted(order, above[:, k], "left") + np.searchsorted(order, above[:, k], "right")
        found[k] = wins.sum() / (2 * len(below) * len(above))
    return found


def _cell_scores(run: Path, manifest: Manifest, entry: SetEntry, cells: list[int]) -> np.ndarray:
    """Slot scores of a set at some cells, the mean over draws: float64 (image, cell)."""
    per_image = 4 * manifest.draws * len(manifest.levels) * len(manifest.taps)
    step, end = max(1, _BLOCK_BYTES // per_image), entry.score_start + entry.count
    parts = []
    for start in range(entry.score_start, end, step):
        block = read_rows(run, manifest, "scores.zarr", slice(start, min(start + step, end)))
        flat = block.reshape(*block.shape[:2], -1)[..., cells]  # (image, draw, cell)
        parts.append(mean_over_draws(flat))
    return np.concatenate(parts)
