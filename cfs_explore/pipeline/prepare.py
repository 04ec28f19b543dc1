"""Stage 1: every image of every set, looked at once: what the run knows of it, and its pixels where these are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore import images
from cfs_explore.backbones.base import Backbone
from cfs_explore.colour import GREY
from cfs_explore.errors import RunError, SourceError
from cfs_explore.images.prepare import prepare
from cfs_explore.images.preprocess import kept_share
from cfs_explore.images.survey_warnings import FEW_IMAGES, MOSTLY_CUT
from cfs_explore.pipeline.gathered_rows import GatheredRows, copy_rows
from cfs_explore.pipeline.grouping import split_by_group
from cfs_explore.pipeline.pixels import are_kept, note_reading
from cfs_explore.pipeline.progress import Progress
from cfs_explore.spec import ImageSet, RunSpec
from cfs_explore.store import SetEntry, SetWork, write_aside, write_table
from cfs_explore.wording import counted, part_of


@dataclass(frozen=True)
class PlannedSet:
    """One set of a run, with its role, its work folder, and how its images are resized."""

    role: str
    images: ImageSet
    work: SetWork
    fitting: Mapping[str, str]

    def measured_rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """These facts of the images that were measured: fewer than were prepared where the run was stopped early."""
        return self.work.rows(columns).iloc[self.work.measured()].reset_index(drop=True)

    def described_as(self, entry: SetEntry) -> PlannedSet:
        """The same set under the name that it has in another run, with as many thumbnails."""
        facts = {name: getattr(entry, name) for name in ("name", "description", "thumbnails")}
        return replace(self, images=self.images.model_copy(update=facts))


def plan_sets(spec: RunSpec, run: Path) -> list[PlannedSet]:
    """The sets of a run in the order of their rows: ID-train, ID-test, then each OOD set."""

    def planned(role: str, image_set: ImageSet, key: str) -> PlannedSet:
        return PlannedSet(role, image_set, SetWork(run / "work" / key), spec.fitting(image_set))

    train = spec.id.train or ImageSet(name="ID", source="")
    test = spec.id.test or train
    ood = [planned("ood", image_set, f"ood-{i:02d}") for i, image_set in enumerate(spec.ood)]
    return [planned("id_train", train, "id-train"), planned("id_test", test, "id-test"), *ood]


def prepare_sets(
    spec: RunSpec,
    sets: Sequence[PlannedSet],
    backbone: Backbone,
    progress: Progress,
    *,
    id_seed: int | None = None,
) -> None:
    """Prepare the sets that are not prepared yet.

    Args:
        spec: of the run.
        sets: some of its sets.
        backbone: which decides the shape.
        progress: advanced by every image.
        id_seed: of the run whose ID images these are, which drew and split them by it; None: the spec's own.

    Raises:
        SourceError, ImageError: naming the file and the remedy. RunCancelled: between images.
    """
    split = spec.id.train is not None and spec.id.test is None
    for planned in sets:
        if planned.work.is_whole() and planned.work.has_pixels():
            continue
        seed = spec.seed if planned.role == "ood" or id_seed is None else id_seed
        if split and planned.role != "ood":
            whole = replace(planned, work=SetWork(planned.work.folder.with_name("id-whole")))
            if not whole.work.is_whole():
                _prepare_one(whole, seed, backbone.image_shape, progress)
            _split(whole.work, planned, spec, seed)
        else:
            _prepare_one(planned, seed, backbone.image_shape, progress)


def _prepare_one(planned: PlannedSet, seed: int, image_shape: tuple[int, int, int], progress: Progress) -> None:
    folder = planned.work.folder
    name = planned.images.name
    try:
        skipped = _read_images(planned, seed, image_shape, progress)
    except SourceError as error:
        raise SourceError(f"The set {name}: {error}") from error
    except OSError as error:  # sources turn their own into errors of this project: this one is about writing
        raise RunError(
            f"{folder} could not take the prepared images of {name} ({error.strerror or error}). Give this program "
            "the right to write there, and start again."
        ) from error
    write_table(planned.work.skipped_path, pd.DataFrame(skipped, columns=["name", "reason"], dtype=str))
    planned.work.note_prepared()  # last: it says that the set is prepared


def _read_images(
    planned: PlannedSet, seed: int, image_shape: tuple[int, int, int], progress: Progress
) -> list[tuple[str, str]]:
    """Decode the images of a set into its rows and, where they are kept, its inputs; what was skipped."""
    work, given = planned.work, planned.images
    work.folder.mkdir(parents=True, exist_ok=True)
    with images.open_source(given.source, limit=given.limit, seed=seed, **given.part()) as source:
        progress.start("preparing", len(source), "images")
        kept, seen = are_kept(len(source), image_shape), 0

        def step(done: int, total: int) -> None:
            nonlocal seen
            progress.advance(done - seen, given.name)
            seen = done

        with GatheredRows(work) as rows:
            skipped = prepare(
                source,
                image_shape,
                planned.fitting["policy"],
                work.inputs_path if kept else None,
                rows.keep,
                step,
                progress.cancelled,
                filter=planned.fitting["filter"],
                thumbnails=given.thumbnails,
            )
            write_table(work.notes_path, pd.DataFrame({"note": source.notes()}, dtype=str))
            if given.masks is not None:
                images.MaskFolder(given.masks).check(rows.names)
            rows.write(given)
    if kept:
        work.forget_reading()
    else:
        note_reading(work, image_shape, seed, rows.places)
    return skipped


def _split(whole: SetWork, planned: PlannedSet, spec: RunSpec, seed: int) -> None:
    """Give a set its seeded share of the in-distribution images; images of one group go the same way."""
    count = whole.count()
    if count < 2:
        raise SourceError(
            f"The in-distribution set {planned.images.name} has a single image, which cannot be split into a part "
            "that fits the statistics and a part that is scored. Give more images, or `id.test`."
        )
    rng = np.random.default_rng(seed)
    n_test = int(np.clip(round(count * spec.id.test_fraction), 1, count - 1))
    groups = whole.rows(["group"])["group"]
    if groups.notna().any():
        if groups.notna().all() and groups.nunique() == 1:
            raise SourceError(
                f"All images of the in-distribution set {planned.images.name} are one group, which cannot be split. "
                "Give images of other groups, or `id.test`."
            )
        test = split_by_group(groups, n_test, rng)
    else:
        test = np.sort(rng.permutation(count)[:n_test])
    chosen = test if planned.role == "id_test" else np.setdiff1d(np.arange(count), test)
    planned.work.folder.mkdir(parents=True, exist_ok=True)
    if planned.role == "id_train":
        write_table(planned.work.skipped_path, whole.skipped())
        write_table(planned.work.notes_path, pd.DataFrame({"note": whole.notes()}, dtype=str))
    if whole.inputs_path.is_file():
        _copy_pixels(whole, planned.work, chosen)
    copy_rows(whole, planned.work, chosen)
    if not whole.inputs_path.is_file():
        facts, places = whole.reading()
        note_reading(planned.work, facts["shape"], facts["seed"], places[chosen])
    planned.work.note_prepared()


def _copy_pixels(whole: SetWork, part: SetWork, chosen: np.ndarray) -> None:
    """The pixels of some images of a set, one image in memory at a time."""
    inputs = whole.inputs()
    header = {"descr": inputs.dtype.str, "fortran_order": False, "shape": (len(chosen), *inputs.shape[1:])}
    with write_aside(part.inputs_path) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for index in chosen:
            file.write(inputs[index].tobytes())
    part.forget_reading()


def describe_conversions(planned: PlannedSet, image_shape: tuple[int, int, int], spec: RunSpec) -> list[str]:
    """What a reader of the map should know: few or equal images, skipped files, cut, resized or recoloured images."""
    rows, name = planned.measured_rows(["content_id", "width", "height", "colour"]), planned.images.name
    side = planned.images.centre_crop
    if side is not None:
        rows = rows.assign(width=side, height=side)
    channels, height, width = image_shape
    fitting, usual = spec.fitting(planned.images), spec.fitting(None)
    notes = []
    if len(rows) < FEW_IMAGES and planned.role != "id_train":
        notes.append(f"{name}: only {counted(len(rows), 'image')}, so its confidence intervals are wide.")
    if len(rows) > 1 and rows["content_id"].nunique() == 1:
        notes.append(f"{name}: all {len(rows)} images are the same, pixel by pixel.")
    skipped = planned.work.skipped()
    if len(skipped):
        shown = ", ".join(skipped["name"].head(5)) + (", ..." if len(skipped) > 5 else "")
        notes.append(f"{name}: {counted(len(skipped), 'file')} could not be used ({shown}).")
    notes += [f"{name}: {note}" for note in planned.work.notes()]
    resized = int(((rows["width"] != width) | (rows["height"] != height)).sum())
    if side is not None:
        notes.append(f"{name}: of every image the middle {side}x{side} pixels were taken (centre_crop).")
    if resized:
        own = f" by {' and '.join(fitting.values())}, not {' and '.join(usual.values())}" if fitting != usual else ""
        notes.append(f"{name}: {part_of(resized, len(rows), 'image')} resized to {width}x{height}{own}.")
    kept = float(np.median(kept_share(rows["width"].to_numpy(), rows["height"].to_numpy(), image_shape)))
    if fitting["policy"] == "crop" and kept < MOSTLY_CUT:
        notes.append(
            f"{name}: the resize crop kept {100 * kept:.0f} % of an image (median). pad and squash keep all of it."
        )
    grey = int((rows["colour"] == GREY).sum())
    if channels == 1 and grey < len(rows):
        notes.append(f"{name}: {part_of(len(rows) - grey, len(rows), 'image')} converted from colour to grey.")
    elif channels == 3 and grey:
        notes.append(f"{name}: {part_of(grey, len(rows), 'image')} grey; this backbone takes colour.")
    return notes
