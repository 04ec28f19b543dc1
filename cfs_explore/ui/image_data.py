"""What the page of one image reads: the sets and their images, and one image's profiles."""

from __future__ import annotations

import pandas as pd

from cfs_explore.plates import image as plates
from cfs_explore.plates.image import Image, Profile
from cfs_explore.store import Run
from cfs_explore.ui import data, detector_choice


def sets(run: Run) -> list[tuple[str, str]]:
    """Role and name of the sets that have scores, ID-test last."""
    return [*(("ood", name) for name in run.ood_names), ("id_test", run.id_test.name)]


@data.kept(max_entries=24)
def names(run: Run, role: str, name: str) -> dict[str, str]:
    """Image id -> name of the image, in the order of the set; images of the same pixels stand there once."""
    rows = run.images(role, name, columns=("image_id", "name")).drop_duplicates("image_id")
    return dict(zip(rows["image_id"], rows["name"], strict=True))


@data.kept(max_entries=32)
def profile(run: Run, image: Image, cell: int) -> Profile:
    """The image among ID-test: every cell, the presets and the cell of this index."""
    id_scores = run.scores("id_test", None)
    scores = run.scores(image.role, None if image.role == "id_test" else image.name)[image.row]
    return plates.profile(run, image, cell, id_scores, scores, detector_choice.preset_cells(run))


def kept_cells(run: Run) -> list[int]:
    """Indices of the cells whose snapshots were kept."""
    return [index for index in range(len(run.levels) * len(run.taps)) if plates.is_kept(run, index)]


@data.kept(max_entries=32)
def features(run: Run, image: Image, cell: int) -> pd.DataFrame:
    """The pooled features of a kept cell."""
    return plates.feature_table(run, image, cell)
