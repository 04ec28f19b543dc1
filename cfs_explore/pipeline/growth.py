"""The map so far, beside a run that is being measured: a small run directory that pages read as any other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from cfs_explore.errors import DamageError
from cfs_explore.pipeline.finish import make_manifest, measured_parts
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.plan import Plan
from cfs_explore.pipeline.tables import best_cell_table, detector_table, map_table, stacked
from cfs_explore.store import Part, Run, assemble_scores, open_run, write_aside, write_json, write_table
from cfs_explore.store.growing import MOST_IMAGES, forget_growing_maps, next_growing_map

#: Seconds between two looks, at least and at most; between them, a look may take this part of the time.
SECONDS, MOST_SECONDS, SHARE = 2.0, 8.0, 0.08
#: Images of a scored set without which there is nothing to see.
FEWEST_IMAGES = 4
_TABLES = {"auroc_map": map_table, "detectors": detector_table, "best_cell": best_cell_table}


class Growth:
    """Writes the map so far, now and then.

    Args:
        plan: of the run.
        measurement: under way.
        on_map: called with each map, a Run of the images measured so far: ID-test and every OOD set that has some.
    """

    def __init__(self, plan: Plan, measurement: Measurement, on_map: Callable[[Run], None] | None = None):
        self._plan, self._measurement = plan, measurement
        self._on_map = on_map or (lambda run: None)
        self._due = 0.0
        self._shown: list[int] = []

    def look(self, left: float | None, *, now: bool = False) -> None:
        """Write the map if it is time, or ``now``, and if it has grown.

        Args:
            left: seconds until all is measured, if known: the finished map may be as near as a look.
            now: whether it is due or not.
        """
        if (time.monotonic() < self._due and not now) or (left is not None and left < SECONDS):
            return
        began = time.monotonic()
        so_far = None
        with contextlib.suppress(DamageError):  # measuring makes it again; a look can wait
            so_far = self._grown()
        if so_far is not None:
            self._on_map(so_far)
        spent = time.monotonic() - began
        self._due = time.monotonic() + max(SECONDS, min(spent / SHARE, MOST_SECONDS))

    def _grown(self) -> Run | None:
        """Write the map so far; None where there is none, or no other than before."""
        parts = _with_images(measured_parts(self._plan, MOST_IMAGES))
        counts = [part.entry.count for part in parts]
        if counts == self._shown or not {part.entry.role for part in parts} >= {"id_test", "ood"}:
            return None
        so_far = self._write(parts)
        self._shown = counts
        return so_far

    def _write(self, parts: list[Part]) -> Run:
        place = next_growing_map(self._plan.out)
        entries = [part.entry for part in parts]
        manifest = make_manifest(self._plan, entries, self._measurement.reader.precision, list(self._plan.warnings))
        with write_aside(place, flush=False) as partial:  # the next map replaces it in seconds
            partial.mkdir()
            assemble_scores(partial, parts, flush=False)
            run = Run(partial, manifest)
            for name, table in _TABLES.items():
                frames = [table(run, ood).assign(ood=ood) for ood in run.ood_names]
                write_table(partial / "tables" / f"{name}.parquet", stacked(frames), flush=False)
            write_json(partial / "manifest.json", manifest.model_dump(mode="json"), flush=False)
        forget_growing_maps(self._plan.out, but=2)  # a page may still read the one before
        return open_run(place)


def _with_images(parts: list[Part]) -> list[Part]:
    """The parts that have images to show, their rows counted anew; ID-train has statistics alone."""
    chosen, start, score_start = [], 0, 0
    for part in parts:
        scored = part.entry.role != "id_train"
        if scored and part.entry.count < FEWEST_IMAGES:
            continue
        entry = part.entry.model_copy(update={"start": start, "score_start": score_start if scored else -1})
        chosen.append(replace(part, entry=entry))
        start += entry.count
        score_start += entry.count if scored else 0
    return chosen
