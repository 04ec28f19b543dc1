"""The whole map again, of other weights of the same network or of altered images: limited images, one noise draw.

What the untrained copies, the re-encoded images and the steps of a training share, so that they are compared on the
same images with the same noise. The run's own side is read from what its map left.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cfs_explore.backbones import Backbone
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.scoring import mean_over_draws

TEST = "id_test"


class Limits(NamedTuple):
    """Images of ID-train, and of each scored set, that are measured at most."""

    train: int
    images: int


def sample_of(study: Study, name: str, limits: Limits) -> Sample:
    """The images of "id_train", "id_test" or an OOD set."""
    if name == "id_train":
        return study.sample(name, limit=limits.train)
    key = (name, None) if name == TEST else ("ood", name)
    return study.sample(*key, limit=limits.images)


def file_of(study: Study, name: str) -> str:
    """A file name of a set; OOD sets by position, since their names are the user's."""
    return f"ood-{study.run.ood_names.index(name):02d}" if name in study.run.ood_names else name


def measured_again(
    study: Study,
    folder: str,
    limits: Limits,
    *,
    backbone: Backbone | None = None,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Fit the statistics on ID-train and score every other set, with another backbone or changed images.

    Args:
        folder: of the pieces, such as "controls/untrained-0".
        backbone: instead of the run's own; the same taps and levels.
        change: made to the pixels (n, C, H, W) of all sets.

    Returns:
        "id_test" or an OOD set's name -> slot scores (cells, images), level-major.
    """

    def sample(name: str) -> Sample:
        found = sample_of(study, name, limits)
        return found if change is None else found.altered(change)

    levels = study.run.levels
    reference = study.statistics(f"{folder}/id_train", sample("id_train"), levels, backbone=backbone)

    def scored(name: str) -> np.ndarray:
        file = f"{folder}/{file_of(study, name)}"
        return cell_rows(study.scores(file, sample(name), levels, reference, backbone=backbone))

    names = (TEST, *study.run.ood_names)
    return dict(zip(names, study.pieces.each([functools.partial(scored, name) for name in names]), strict=True))


def stored_rows(study: Study, name: str, limits: Limits) -> dict[int, np.ndarray]:
    """Number of draws averaged (1, and all of the map's) -> the map's own slot scores of the same images."""
    role, ood = (name, None) if name == TEST else ("ood", name)
    rows = sample_of(study, name, limits).rows
    mean, first = (np.empty((len(study.run.levels), len(study.run.taps), len(rows))) for _ in range(2))
    for k in range(len(study.run.levels)):
        scores = study.run.scores(role, ood, level=k)[rows, :, 0]  # (image, draw, tap)
        mean[k], first[k] = mean_over_draws(scores).T, scores[:, 0].T
    return {draws: scores.reshape(-1, len(rows)) for draws, scores in {1: first, study.run.draws: mean}.items()}
