"""Reading a finished run."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfs_explore.contracts import SET_GROUPS, Cell, Level, Tap
from cfs_explore.errors import RunError
from cfs_explore.scoring import Moments, mean_over_draws
from cfs_explore.store.array_files import MOMENT_KEYS
from cfs_explore.store.checked import read_images, read_rows, read_run_table
from cfs_explore.store.digests import damaged
from cfs_explore.store.manifest import Manifest, SetEntry
from cfs_explore.store.milestones import count_milestones
from cfs_explore.studies import Counts

#: Results of ``Run.derived`` that a run keeps.
_KEPT = 512


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
        self._derived: dict[tuple[Hashable, ...], Any] = {}
        self.digest = hashlib.blake2b(self.manifest.model_dump_json().encode(), digest_size=8).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        """Copies derive their own: they may be given other tables, and go to other processes."""
        return self.__dict__ | {"_derived": {}}

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
    def set_groups(self) -> dict[str, tuple[str, ...]]:
        """Group of a benchmark -> its OOD sets, as the spec says; those with sets alone (theory 36)."""
        given = {each["name"]: each.get("set_group") for each in self.manifest.spec.get("ood", ())}
        found = {group: tuple(name for name in self.ood_names if given.get(name) == group) for group in SET_GROUPS}
        return {group: names for group, names in found.items() if names}

    @property
    def counts(self) -> Counts:
        """What decides the cost of a diagnostic stage."""
        ood = tuple(s.count for s in self.manifest.sets if s.role == "ood")
        train, test = self.entry("id_train").count, self.id_test.count
        lowest, highest = self.manifest.backbone.reach
        spec = self.manifest.spec
        reference = spec.get("reference") is not None
        budget, speed = spec.get("detectors", {}).get("budget"), self.manifest.seconds_per_forward
        given = sum(len(spec.get(f"conditioning_{kind}", ())) for kind in ("labels", "prompts"))
        size = (train, test, ood, len(self.levels), self.draws, highest, lowest)
        return Counts(*size, reference, budget, speed, milestones=self._milestones(), conditions=given)

    def _milestones(self) -> int:
        """Weights that the backbone's training kept; their folder may lie in the run's."""
        backbone = self.manifest.spec.get("backbone", {})
        places = [backbone.get(key) and str(self.path.resolve() / backbone[key]) for key in ("path", "milestones")]
        return count_milestones(*places) if places[0] else 0

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
        kind = {"ood": "OOD", "id_train": "ID-train", "id_test": "ID-test"}.get(role, role)
        known = ", ".join(s.name for s in self.manifest.sets if s.role == role) or "none"
        raise RunError(f"{self.name} has no {kind} set{f' called {name}' if name else ''}. It has: {known}.")

    def cell(self, number: int) -> Cell:
        """The cell with this number in the map."""
        return Cell.at(number, len(self.taps))

    def cell_number(self, level: int, tap: int | str) -> int:
        """The number of a cell in the map; a tap by its position or its full name."""
        position = [each.name for each in self.taps].index(tap) if isinstance(tap, str) else tap
        return Cell(int(level), int(position)).number(len(self.taps))

    def scores(self, role: str, name: str | None = None, *, level: int | None = None) -> np.ndarray:
        """Diagonal slot scores, float32 (image, draw, level, tap); with ``level``, that level alone."""
        entry = self.entry(role, name)
        if entry.score_start < 0:
            raise RunError(f"{entry.name} has statistics but no scores: it is the set that they were fitted on.")
        rows = slice(entry.score_start, entry.score_start + entry.count)
        levels = slice(None) if level is None else slice(level, level + 1)
        return read_rows(self.path, self.manifest, "scores.zarr", rows, slice(None), levels)

    def mean_scores(self, role: str, name: str | None = None) -> np.ndarray:
        """Slot scores averaged over draws, float64 (level, tap, image)."""
        found = np.empty((len(self.levels), len(self.taps), self.entry(role, name).count))
        for k in range(len(self.levels)):  # level by level: all draws at once would be large
            found[k] = mean_over_draws(self.scores(role, name, level=k)[:, :, 0]).T
        return found

    def score_table(self) -> pd.DataFrame:
        """One row per scored image: dataset, role, image_id, name, label, and a column per cell, "tap @ lam"."""
        columns = [f"{tap.name} @ {level.lam:.4g}" for level in self.levels for tap in self.taps]
        parts = []
        for entry in self.manifest.sets:
            if entry.score_start < 0:
                continue
            facts = self.images(entry.role, entry.name, columns=("image_id", "name", "label"))
            values = mean_over_draws(self.scores(entry.role, entry.name), np.float32).reshape(entry.count, -1)
            cells = pd.DataFrame(values, columns=columns)
            parts.append(pd.concat([facts.assign(dataset=entry.name, role=entry.role), cells], axis=1))
        return pd.concat(parts, ignore_index=True)

    def images(self, role: str, name: str | None = None, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows of images.parquet of one set, in the order of its scores; thumbnails only when asked for."""
        entry = self.entry(role, name)
        columns = list(columns or ("image_id", "name", "label", "format", "mode", "width", "height"))
        frame = read_images(self.path, self.manifest, columns)
        return frame.iloc[entry.start : entry.start + entry.count].reset_index(drop=True)

    def group_names(self, *oods: str) -> tuple[np.ndarray, np.ndarray]:
        """The group of each ID-test image, and of each image of these OOD sets, one set after the other (theory 28).

        Names of groups, None for an image that is alone; an altered copy has the group of its original, if that is in
        ID-test. ``diagnostics.Groups.of`` takes both.
        """
        test, *others = (self.names_of_groups(*which) for which in [("id_test",), *(("ood", ood) for ood in oods)])
        return test, np.concatenate(others)

    def names_of_groups(self, role: str, name: str | None = None) -> np.ndarray:
        """The group of each image of one set, as of ``group_names``."""
        return self._groups[self.manifest.sets.index(self.entry(role, name))]

    @functools.cached_property
    def _groups(self) -> list[np.ndarray]:
        """Of each set, (n,)."""
        rows = read_images(self.path, self.manifest, ["image_id", "group"])
        ids, given = (rows[name].to_numpy(dtype=object) for name in ("image_id", "group"))
        test = slice(self.id_test.start, self.id_test.start + self.id_test.count)
        named = {group for group in given if isinstance(group, str)}
        # An ID-test image that another was made from has its own id for a group, unless it is in one already.
        of_original = {
            image_id: group if isinstance(group, str) else image_id
            for image_id, group in zip(ids[test], given[test], strict=True)
            if image_id in named or isinstance(group, str)
        }
        groups = np.array(
            [of_original.get(group) or group if isinstance(group, str) else None for group in given], object
        )
        groups[test] = [of_original.get(image_id) for image_id in ids[test]]
        return [groups[entry.start : entry.start + entry.count] for entry in self.manifest.sets]

    def moments(self, role: str, name: str | None = None) -> Moments:
        """Of a set's snapshots, float64 (level, feature)."""
        index = self.manifest.sets.index(self.entry(role, name))
        row = slice(index, index + 1)
        found = {key: self._moments_array(key, row)[0] for key in ("count", *MOMENT_KEYS)}
        images = self.manifest.sets[index].count
        if not found["count"] or found["count"] % images:
            why = f"it counts {found['count']:,} samples, no whole number of draws of {images:,} images"
            raise damaged(self.path, self.manifest, "moments.zarr/count", why)
        return Moments.from_arrays(found)

    def pair_squares(self) -> tuple[np.ndarray, int]:
        """Summed squared inner products of ID-test's whitened snapshots (level, tap), and their number (theory 11)."""
        if not self._has("moments.zarr/pairs/zarr.json"):
            raise RunError(f"{self.name} has no pair sums; it was measured by an older version. Measure it again.")
        return self._moments_array("pair_squares"), int(self._moments_array("pairs"))

    def _moments_array(self, key: str, rows: slice = slice(None)) -> np.ndarray:
        return read_rows(self.path, self.manifest, f"moments.zarr/{key}", rows)

    def _has(self, file: str) -> bool:
        """Whether a file is there, or should be."""
        return file in self.manifest.files or (self.path / file).is_file()

    def snapshots(self, tap: str, role: str, name: str | None = None) -> np.ndarray:
        """Kept snapshots (image, 2C) of a tap at ``manifest.kept['level']``, first draw, as float32.

        Raises:
            RunError: this tap's were not kept, or those of this role were left out (``manifest.kept["without"]``).
        """
        if tap not in self.manifest.kept.get("taps", []):
            raise RunError(f"The snapshots of {tap} were not kept; add it to `keep` and run again.")
        if role in self.manifest.kept.get("without", []):
            raise RunError(
                f"{self.name} has no snapshots of {role.replace('id_', 'ID-')}: they were removed to make it smaller, "
                "or the run whose stored statistics it uses has none. To get them, run again with the images "
                "themselves (id.train in the spec)."
            )
        entry = self.entry(role, name)
        rows = slice(entry.start, entry.start + entry.count)
        return read_rows(self.path, self.manifest, f"snapshots.zarr/{tap}", rows).astype(np.float32)

    def table(self, name: str) -> pd.DataFrame:
        """A diagnostic table by name, such as ``auroc_map``, ``detectors``, ``best_cell``, ``skipped``."""
        return read_run_table(self.path, self.manifest, name)

    def has_table(self, name: str) -> bool:
        """Whether the run has a table, even a damaged one."""
        return self._has(f"tables/{name}.parquet")

    def auroc_map(self, ood: str) -> pd.DataFrame:
        """The map for one OOD set, a row per cell: tap, lam, auroc, auroc_lo, auroc_hi, n_id, n_ood, ...

        The columns ``lo`` and ``hi`` repeat the bounds of the AUROC.
        """
        self.entry("ood", ood)
        frame = self.table("auroc_map")
        frame = frame[frame["ood"] == ood].reset_index(drop=True)
        return frame.assign(lo=frame["auroc_lo"], hi=frame["auroc_hi"])

    def derived(self, make: Callable[..., Any], *arguments: Hashable) -> Any:
        """What a module's function makes of this run and of texts and numbers; it is kept, so nobody may change it."""
        key = (make, *arguments)
        if key not in self._derived:
            while len(self._derived) >= _KEPT:
                del self._derived[next(iter(self._derived))]  # the oldest
            self._derived[key] = make(self, *arguments)
        return self._derived[key]


def evenly_spaced(count: int, limit: int) -> np.ndarray:
    """At most ``limit`` of ``count`` rows of a set, spread over all of them, rising; what a sampled stage reads."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(int))


def open_run(path: str | Path) -> Run:
    """Open a finished run or a bundle.

    Raises:
        RunError: when the directory is not one, or is not finished.
    """
    return Run(path)


def find_runs(*roots: Path) -> list[Path]:
    """Finished runs directly below the given folders, sorted by name."""
    return sorted(p.parent for root in roots if root.is_dir() for p in root.glob("*/manifest.json"))
