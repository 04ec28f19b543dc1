"""What the page of one image reads: the sets and their images, and the kept cells."""

from __future__ import annotations

from cfs_explore.figures.image import is_kept
from cfs_explore.store import Run
from cfs_explore.ui import data


def sets(run: Run) -> list[tuple[str, str]]:
    """Role and name of the sets that have scores, ID-test last."""
    return [*(("ood", name) for name in run.ood_names), ("id_test", run.id_test.name)]


@data.kept(max_entries=24)
def names(run: Run, role: str, name: str) -> dict[str, str]:
    """Image id -> name of the image, in the order of the set; images of the same pixels stand there once."""
    rows = run.images(role, name, columns=("image_id", "name")).drop_duplicates("image_id")
    return dict(zip(rows["image_id"], rows["name"], strict=True))


def kept_cells(run: Run) -> list[int]:
    """Indices of the cells whose snapshots were kept."""
    return [index for index in range(len(run.levels) * len(run.taps)) if is_kept(run, index)]
