"""Stage 1: every image of every set, decoded once, brought to the backbone's shape and stored as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore import images
from cfs_explore.backbones.base import Backbone
from cfs_explore.errors import SourceError
from cfs_explore.images.prepare import prepare
from cfs_explore.pipeline.progress import Progress
from cfs_explore.spec import ImageSet, RunSpec
from cfs_explore.store import SetWork, write_aside, write_table

#: Below this many images, confidence intervals are too wide to say much.
FEW_IMAGES = 20


@dataclass(frozen=True)
class PlannedSet:
    """One set of a run, with its role and its work folder."""

    role: str
    images: ImageSet
    work: SetWork

    def renamed(self, name: str, description: str) -> PlannedSet:
        """The same set under the name that it has in another run."""
        return replace(self, images=self.images.model_copy(update={"name": name, "description": description}))


def plan_sets(spec: RunSpec, run: Path) -> list[PlannedSet]:
    """The sets of a run in the order of their rows: ID-train, ID-test, then each OOD set."""

    def planned(role: str, image_set: ImageSet, key: str) -> PlannedSet:
        return PlannedSet(role, image_set, SetWork(run / "work" / key))

    train = spec.id.train or ImageSet(name="ID", source="")
    test = spec.id.test or train
    ood = [planned("ood", image_set, f"ood-{i:02d}") for i, image_set in enumerate(spec.ood)]
    return [planned("id_train", train, "id-train"), planned("id_test", test, "id-test"), *ood]


def prepare_sets(spec: RunSpec, sets: Sequence[PlannedSet], backbone: Backbone, progress: Progress) -> None:
    """Prepare the sets that are not prepared yet.

    Raises:
        SourceError, ImageError: naming the file and the remedy. RunCancelled: between images.
    """
    split = spec.id.train is not None and spec.id.test is None
    for planned in sets:
        if planned.work.prepared:
            continue
        if split and planned.role != "ood":
            whole = replace(planned, work=SetWork(planned.work.folder.with_name("id-whole")))
            if not whole.work.prepared:
                _prepare_one(whole, spec, backbone, progress)
            _split(whole.work, planned, spec)
        else:
            _prepare_one(planned, spec, backbone, progress)


def _prepare_one(planned: PlannedSet, spec: RunSpec, backbone: Backbone, progress: Progress) -> None:
    folder = planned.work.folder
    folder.mkdir(parents=True, exist_ok=True)
    name = planned.images.name
    with images.open_source(planned.images.source, limit=planned.images.limit, seed=spec.seed) as source:
        progress.start("preparing", len(source), "images")
        seen = 0

        def step(done: int, total: int) -> None:
            nonlocal seen
            progress.advance(done - seen, name)
            seen = done

        rows, skipped = prepare(
            source,
            backbone.image_shape,
            spec.resize,
            planned.work.inputs_path,
            step,
            progress.cancelled,
            thumbnails=planned.images.thumbnails,
        )
    write_table(planned.work.skipped_path, pd.DataFrame(skipped, columns=["name", "reason"], dtype=str))
    write_table(planned.work.rows_path, rows)  # last: its presence says that the set is prepared


def _split(whole: SetWork, planned: PlannedSet, spec: RunSpec) -> None:
    """Give a set its seeded share of the in-distribution images."""
    rows, inputs = whole.rows(), whole.inputs()
    if len(rows) < 2:
        raise SourceError(
            f"The in-distribution set {planned.images.name} has a single image, which cannot be split into a part "
            "that fits the statistics and a part that is scored. Give more images, or `id.test`."
        )
    order = np.random.default_rng(spec.seed).permutation(len(rows))
    n_test = int(np.clip(round(len(rows) * spec.id.test_fraction), 1, len(rows) - 1))
    chosen = np.sort(order[:n_test] if planned.role == "id_test" else order[n_test:])
    planned.work.folder.mkdir(parents=True, exist_ok=True)
    header = {"descr": inputs.dtype.str, "fortran_order": False, "shape": (len(chosen), *inputs.shape[1:])}
    with write_aside(planned.work.inputs_path) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for index in chosen:  # one image in memory at a time
            file.write(inputs[index].tobytes())
    if planned.role == "id_train":
        write_table(planned.work.skipped_path, whole.skipped())
    write_table(planned.work.rows_path, rows.iloc[chosen])


def describe_conversions(planned: PlannedSet, image_shape: tuple[int, int, int]) -> list[str]:
    """Warnings that a reader of the map should see: few images, skipped files, resized or recoloured images."""
    rows, name = planned.work.rows(["width", "height", "mode"]), planned.images.name
    channels, height, width = image_shape
    notes = []
    if len(rows) < FEW_IMAGES and planned.role != "id_train":
        notes.append(f"{name}: only {len(rows)} image(s), so its confidence intervals are wide.")
    skipped = planned.work.skipped()
    if len(skipped):
        shown = ", ".join(skipped["name"].head(5)) + (", ..." if len(skipped) > 5 else "")
        notes.append(f"{name}: {len(skipped)} file(s) could not be used ({shown}).")
    resized = int(((rows["width"] != width) | (rows["height"] != height)).sum())
    if resized:
        notes.append(f"{name}: {resized} of {len(rows)} images were resized to {width}x{height}.")
    grey = rows["mode"].isin(["1", "L", "LA", "I", "I;16"])
    recoloured = int((~grey).sum() if channels == 1 else grey.sum())
    if recoloured:
        change = "colour to grey" if channels == 1 else "grey to colour"
        notes.append(f"{name}: {recoloured} of {len(rows)} images were converted from {change}.")
    return notes
