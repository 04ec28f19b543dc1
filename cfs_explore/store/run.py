"""Reading a finished run."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import zarr

from cfs_explore.contracts import Level, Tap
from cfs_explore.errors import RunError
from cfs_explore.stages import Counts
from cfs_explore.store.manifest import Manifest, SetEntry


class Run:
    """A finished run or bundle, read from disk on demand.

    Attributes:
        path: the run directory.
        manifest: its validated description.
        levels, taps: in map order, clean to noisy and in execution order.
        digest: changes when the run changes; the key for caches.
    """

    def __init__(self, path: str | Path, manifest: Manifest | None = None):
        self.path = Path(path)
        self.manifest = manifest or Manifest.read(self.path)
        self.levels: list[Level] = self.manifest.level_list()
        self.taps: list[Tap] = self.manifest.tap_list()
        self.digest = hashlib.blake2b(self.manifest.model_dump_json().encode(), digest_size=8).hexdigest()

    def __repr__(self) -> str:
        size = f"{len(self.taps)} taps x {len(self.levels)} levels"
        return f"Run({self.name!r}, {size}, ood: {', '.join(self.ood_names)})"

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def draws(self) -> int:
        return self.manifest.draws

    @property
    def ood_names(self) -> list[str]:
        return [s.name for s in self.manifest.sets if s.role == "ood"]

    @property
    def counts(self) -> Counts:
        """What decides the cost of a diagnostic stage."""
        ood = tuple(s.count for s in self.manifest.sets if s.role == "ood")
        train, test = self.entry("id_train").count, self.id_test.count
        lowest, highest = self.manifest.backbone.reach
        reference = self.manifest.spec.get("reference") is not None
        return Counts(train, test, ood, len(self.levels), self.draws, highest, lowest, reference)

    @property
    def id_test(self) -> SetEntry:
        return self.entry("id_test")

    def entry(self, role: str, name: str | None = None) -> SetEntry:
        """A set by role, and by name among the OOD sets.

        Raises:
            RunError: listing the sets that exist.
        """
        for item in self.manifest.sets:
            if item.role == role and name in (None, item.name):
                return item
        known = ", ".join(f"{s.name} ({s.role})" for s in self.manifest.sets)
        raise RunError(f"{self.name} has no {role} set {name or ''}. It has: {known}.")

    def scores(self, role: str, name: str | None = None, *, level: int | None = None) -> np.ndarray:
        """Diagonal slot scores, float32 (image, draw, level, tap); with ``level``, that level alone."""
        entry = self.entry(role, name)
        if entry.score_start < 0:
            raise RunError(f"{entry.name} has statistics but no scores: it is the set that they were fitted on.")
        rows = slice(entry.score_start, entry.score_start + entry.count)
        levels = slice(None) if level is None else slice(level, level + 1)
        return self._scores[rows, :, levels]

    def score_table(self) -> pd.DataFrame:
        """One row per scored image: dataset, role, image_id, name, label, and a column per cell, "tap @ lam"."""
        columns = [f"{tap.name} @ {level.lam:.4g}" for level in self.levels for tap in self.taps]
        parts = []
        for entry in self.manifest.sets:
            if entry.score_start < 0:
                continue
            facts = self.images(entry.role, entry.name, columns=("image_id", "name", "label"))
            values = self.scores(entry.role, entry.name).mean(axis=1).reshape(entry.count, -1)
            cells = pd.DataFrame(values, columns=columns)
            parts.append(pd.concat([facts.assign(dataset=entry.name, role=entry.role), cells], axis=1))
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def _scores(self) -> zarr.Array:
        return zarr.open_array(str(self.path / "scores.zarr"), mode="r")

    def images(self, role: str, name: str | None = None, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows of images.parquet of one set, in the order of its scores; thumbnails only when asked for."""
        entry = self.entry(role, name)
        columns = list(columns or ("image_id", "name", "label", "format", "mode", "width", "height"))
        frame = pd.read_parquet(self.path / "images.parquet", columns=columns)
        return frame.iloc[entry.start : entry.start + entry.count].reset_index(drop=True)

    def moments(self, role: str, name: str | None = None) -> dict[str, np.ndarray]:
        """count, and mean, m2, m2_within of shape (level, feature), float64."""
        index = self.manifest.sets.index(self.entry(role, name))
        group = zarr.open_group(str(self.path / "moments.zarr"), mode="r")
        return {
            "count": np.int64(group["count"][index]),
            **{key: group[key][index] for key in ("mean", "m2", "m2_within")},
        }

    def pair_squares(self) -> tuple[np.ndarray, int]:
        """Summed squared inner products of ID-test's whitened snapshots (level, tap), and their number (theory 11)."""
        group = zarr.open_group(str(self.path / "moments.zarr"), mode="r")
        if "pairs" not in group:
            raise RunError(f"{self.name} has no pair sums; it was measured by an older version. Measure it again.")
        return group["pair_squares"][:], int(group["pairs"][()])

    def snapshots(self, tap: str, role: str, name: str | None = None) -> np.ndarray:
        """Kept snapshots (image, 2C) of a tap at ``manifest.kept['level']``, first draw, as float32."""
        if tap not in self.manifest.kept.get("taps", []):
            raise RunError(f"The snapshots of {tap} were not kept; add it to `keep` and run again.")
        if role in self.manifest.kept.get("without", []):
            raise RunError(f"{self.name} was made smaller: it has no snapshots of {role} any more. Run it again.")
        entry = self.entry(role, name)
        array = zarr.open_array(str(self.path / "snapshots.zarr" / tap), mode="r")
        return np.asarray(array[entry.start : entry.start + entry.count], dtype=np.float32)

    def table(self, name: str) -> pd.DataFrame:
        """A diagnostic table by name, such as ``auroc_map``, ``detectors``, ``best_cell``, ``skipped``."""
        path = self.path / "tables" / f"{name}.parquet"
        if not path.is_file():
            raise RunError(f"{self.name} has no table {name}; it was made by an older version or cut short.")
        return pd.read_parquet(path)

    def auroc_map(self, ood: str) -> pd.DataFrame:
        """The map for one OOD set, a row per cell: tap, lam, auroc, auroc_lo, auroc_hi, n_id, n_ood, ...

        The columns ``lo`` and ``hi`` repeat the bounds of the AUROC.
        """
        self.entry("ood", ood)
        frame = self.table("auroc_map")
        frame = frame[frame["ood"] == ood].reset_index(drop=True)
        return frame.assign(lo=frame["auroc_lo"], hi=frame["auroc_hi"])


def open_run(path: str | Path) -> Run:
    """Open a finished run or a bundle.

    Raises:
        RunError: when the directory is not one, or is not finished.
    """
    return Run(path)


def find_runs(*roots: Path) -> list[Path]:
    """Finished runs directly below the given folders, sorted by name."""
    return sorted(p.parent for root in roots if root.is_dir() for p in root.glob("*/manifest.json"))
