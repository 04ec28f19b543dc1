"""Whether a table of a run holds what pages read: columns, their kinds, names and numbers of this run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from cfs_explore.contracts import REGIONS, ROLES
from cfs_explore.errors import RunError
from cfs_explore.store.manifest import Manifest
from cfs_explore.studies import where
from cfs_explore.studies.columns import Column

_TAP_COLUMNS = ("tap", "tap_a", "tap_b", "encoder", "decoder", "best_tap", "baseline_tap")
_LEVEL_COLUMNS = ("level", "best_level")
#: Columns that are shares, of the tables that hold nothing else under these names.
_SHARES = ("auroc", "aupr", "fpr95", "naive", "honest", "aupro", "detection", "trained")
_OF_SHARES = (
    "auroc_map",
    "detectors",
    "heads",
    "best_cell",
    "localisation",
    "localisation_best",
    "localisation_pixels",
)


def check_columns(
    name: str, schema: pa.Schema, frame: pd.DataFrame, columns: Sequence[Column], only: Iterable[str] | None = None
) -> None:
    """The columns that a table must have, each of its kind, with values missing only where they may.

    Args:
        name: of the file, for errors.
        schema: of the file.
        frame: what was read of it.
        columns: of the table, as ``studies`` has them.
        only: the columns that were read; None: all.

    Raises:
        RunError: naming the column.
    """
    wanted = None if only is None else set(only)
    for column in columns:
        if wanted is not None and column.name not in wanted:
            continue
        if column.name not in frame.columns or column.name not in schema.names:
            if len(frame) and not column.optional:
                raise RunError(f"{name} has no column {column.name}.")
            continue
        stored, values = schema.field(column.name).type, frame[column.name]
        if len(frame) and not fits_kind(stored, column.kind) and not (column.kind == "i" and _is_whole(stored, values)):
            raise RunError(f"{name}, {column.name}: wrong type ({stored}).")
        if column.kind != "f" and not column.gaps and values.isna().any():
            raise RunError(f"{name}, {column.name}: values are missing.")


def fits_kind(stored: pa.DataType, kind: str) -> bool:
    """Whether a column of this type may stand for a kind: whole numbers for floats, nothing but nulls for any."""
    letter = table_kind(stored)
    return letter in (kind, "-") or (kind == "f" and letter == "i")


def _is_whole(stored: pa.DataType, values: pd.Series) -> bool:
    """Whether numbers are whole, as those are that were stacked with an empty table and stored as floats."""
    if table_kind(stored) != "f":
        return False
    numbers = values.dropna().to_numpy()
    return bool(np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all())


def table_kind(kind: pa.DataType) -> str:
    """The letter of a type, "" for one that no table has."""
    tests = {
        "s": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
        "x": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t),
        "f": lambda t: pa.types.is_float64(t) or pa.types.is_float32(t),
        "i": pa.types.is_integer,
        "b": pa.types.is_boolean,
        "I": lambda t: pa.types.is_list(t) and pa.types.is_int64(t.value_type),
        "-": pa.types.is_null,
    }
    return next((letter for letter, test in tests.items() if test(kind)), "")


def check_content(name: str, frame: pd.DataFrame, manifest: Manifest) -> None:
    """What only one table has: the map its cells in order, detectors and best cells the cells that they name.

    Args:
        name: of the table.
        frame, manifest: of it, with its columns checked, and of the run.

    Raises:
        RunError: naming the table.
    """
    plain = [c for c in frame.columns if not any(isinstance(value, np.ndarray | list) for value in frame[c].head(1))]
    if name != "skipped" and plain and frame.duplicated(plain).any():
        raise RunError(f"tables/{name}.parquet holds the same row twice.")
    if name in _OF_SHARES:
        for column in frame.columns.intersection(list(_SHARES)):
            if not frame[column].dropna().between(0, 1).all():
                raise RunError(f"tables/{name}.parquet, {column}: allowed is 0 to 1.")
    if name == "auroc_map":
        _check_map(frame, manifest)
    if name in ("detector_scores", "leads"):
        _check_detectors(name, frame, manifest)
    if name == "localisation_best" and (strange := set(frame["control"]) - set(where.CONTROLS)):
        raise RunError(
            f"tables/{name}.parquet, control: {min(strange)!r:.80}; allowed are {', '.join(where.CONTROLS)}."
        )
    if name == "localisation" and (frame["auroc"].isna() != frame["aupro"].isna()).any():
        raise RunError(f"tables/{name}.parquet: auroc and aupro are missing together or not at all.")
    if name == "best_cell" and len(frame):
        if frame["ood"].duplicated().any():
            raise RunError("tables/best_cell.parquet, ood: each OOD set once.")
        _check_cells(name, frame["cell_index"].to_numpy(), manifest)
    if name == "detectors" and len(frame):
        if not all(len(cells) for cells in frame["cell_indices"]):
            raise RunError("tables/detectors.parquet, cell_indices: a detector has at least one cell.")
        _check_cells(name, np.concatenate(list(frame["cell_indices"])), manifest)


def _check_detectors(name: str, frame: pd.DataFrame, manifest: Manifest) -> None:
    """Scores are numbers of images that there are, and so are leads."""
    numbers = {"detector_scores": ["score"], "leads": ["lead", "lead_lo", "lead_hi"]}[name]
    if not np.isfinite(frame[numbers].to_numpy(dtype=float)).all():
        raise RunError(f"tables/{name}.parquet, {', '.join(numbers)}: only numbers are allowed.")
    if name == "detector_scores":
        sizes = {(entry.role, entry.name): entry.count for entry in manifest.sets}
        of_sets = frame.groupby(["role", "dataset"], sort=False)["row"].agg(["min", "max"])
        if any(rows["min"] < 0 or rows["max"] >= sizes.get(key, 0) for key, rows in of_sets.iterrows()):
            raise RunError("tables/detector_scores.parquet, row: there are not so many images in the set.")


def _check_cells(name: str, cells: np.ndarray, manifest: Manifest) -> None:
    most = len(manifest.levels) * len(manifest.taps)
    if not (cells.min() >= 0 and cells.max() < most):
        raise RunError(f"tables/{name}.parquet: cells are 0 to {most - 1}.")


def check_domains(name: str, frame: pd.DataFrame, manifest: Manifest) -> None:
    """Names must be those of the run, and numbers of levels and taps in their range."""
    levels, taps = len(manifest.levels), [tap.name for tap in manifest.tap_list()]
    ood = [entry.name for entry in manifest.sets if entry.role == "ood"]
    names = [entry.name for entry in manifest.sets]
    allowed: dict[str, Iterable[str]] = {
        **{column: [*taps, ""] for column in _TAP_COLUMNS},
        "ood": [*ood, ""],
        "region": REGIONS,
        "role": ROLES,
        "dataset": names,
        "set": names,
    }
    for column in frame.columns.intersection(list(allowed)):
        strange = set(frame[column].dropna().unique()) - set(allowed[column])
        if strange:
            raise RunError(f"{name}, {column}: {min(strange)!r:.80} is not of this run.")
    for column in frame.columns.intersection([*_LEVEL_COLUMNS, "tap_index"]):
        found = frame[column].dropna()
        most = len(taps) if column == "tap_index" else levels
        if len(found) and not (found.min() >= -1 and found.max() < most):
            raise RunError(f"{name}, {column}: allowed are 0 to {most - 1}.")


def _check_map(frame: pd.DataFrame, manifest: Manifest) -> None:
    """One row for every OOD set, level and tap, in this order."""
    ood = [entry.name for entry in manifest.sets if entry.role == "ood"]
    levels, taps = len(manifest.levels), [tap.name for tap in manifest.tap_list()]
    cells = pd.MultiIndex.from_product([ood, range(levels), taps]).to_frame(index=False)
    cells.columns = ["ood", "level", "tap"]
    listed = frame[["ood", "level", "tap"]] if len(frame) else cells.iloc[:0]
    if len(listed) != len(cells) or not all((listed[c].to_numpy() == cells[c].to_numpy()).all() for c in cells):
        raise RunError(f"tables/auroc_map.parquet must have {len(cells):,} rows: OOD sets x levels x taps, in order.")
    index = np.tile(np.arange(len(taps)), len(ood) * levels)
    lams = np.tile(np.repeat([level["lam"] for level in manifest.levels], len(taps)), len(ood))
    if (frame["tap_index"].to_numpy() != index).any() or (frame["lam"].to_numpy() != lams).any():
        raise RunError("tables/auroc_map.parquet: tap_index and lam are not those of manifest.json.")
