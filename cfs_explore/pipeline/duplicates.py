"""Images that occur in two sets of a run: they spoil what the map says, and are warned about."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cfs_explore.images.survey_overlap import overlap_warning, shared_images
from cfs_explore.pipeline.prepare import PlannedSet


def duplicate_warnings(sets: Sequence[PlannedSet]) -> list[str]:
    """A sentence per OOD set that holds ID images, and one where ID-test holds images of ID-train.

    Images are the same where their native pixels are (``Record.content_id``).

    Args:
        sets: prepared; ID-train, ID-test, then the OOD sets.
    """
    train, test, *ood = (planned.measured_rows(["content_id", "name"]) for planned in sets)
    warnings = [_leak_warning(sets[1].images.name, shared_images(train, test), len(test))]
    id_rows = pd.concat([train, test], ignore_index=True)
    for planned, rows in zip(sets[2:], ood, strict=True):
        warnings.append(overlap_warning(planned.images.name, shared_images(id_rows, rows), len(rows)))
    return list(filter(None, warnings))


def _leak_warning(name: str, pairs: list[tuple[str, str]], count: int) -> str:
    if not pairs:
        return ""
    return (
        f"{name}: {len(pairs):,} of {count:,} scored ID images are also among those that fit the statistics, pixel by "
        "pixel. Their scores are too low, which makes the AUROC too high: leave each image in once."
    )
