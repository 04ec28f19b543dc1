"""The levels stage: alignment curves, what x_lam looks like, and what a forward to each tap costs in time."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from cfs_explore.contracts import Level
from cfs_explore.corruption import corrupt, keyed_noise, to_bytes, to_signed
from cfs_explore.images.preprocess import thumbnail
from cfs_explore.levels import MAIN_LAM
from cfs_explore.pipeline.alignment_curve import AlignmentProbe, curve_levels
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.pipeline.timing import time_taps
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies.levels import ALIGNMENT_IMAGES, LEVEL_PICTURES, OOD_PICTURES, PICTURES

#: Longest side of a stored picture, in pixels.
_SIDE = 128


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.levels``."""
    curves = alignment_curves(study)
    study.pieces.alone()
    return {
        "alignment_curves": curves,
        "level_pictures": _pictures(study),
        "cost": _cost(study),
    }


def alignment_curves(study: Study, *, counted: bool = True) -> pd.DataFrame:
    """The run's own curve on its ID-train images, kept level by level; columns as of ``alignment_curve``.

    Args:
        counted: whether the forwards are among those that the progress waits for.
    """
    sample = study.sample("id_train", limit=ALIGNMENT_IMAGES)
    # As the map leaves the weights: the last bits depend on it, and a worker that begins here has read nothing before.
    study.backbone.module.to(memory_format=torch.channels_last)
    probe = AlignmentProbe(
        study.backbone,
        to_signed(sample.pixels),
        sample.ids,
        study.spec.seed,
        batch_size=study.spec.batch_size,
        precision=study.run.manifest.precision,
        after_batch=lambda count: study.progress.advance(count * counted, "alignment curve"),
    )

    def point(level: Level) -> dict[str, float]:
        def compute() -> dict[str, np.ndarray]:
            return {name: np.float64(value) for name, value in probe.point(level).items()}

        kept = study.kept(f"levels/curve-{level.native:.9g}", len(sample) * counted, compute)
        return {name: value.item() for name, value in kept.items()}

    rows = study.pieces.each([functools.partial(point, level) for level in curve_levels(study.backbone)])
    if counted:  # levels of the grid that fall on one native level were counted twice
        planned = DIAGNOSTICS["levels"].forwards(study.run.counts)
        study.progress.advance(planned - len(sample) * len(rows), "")
    return pd.DataFrame(rows).astype({"n": int})


def _pictures(study: Study) -> pd.DataFrame:
    """``level_pictures``: sides of at most ``_SIDE``, by the map's first draw; none of sets without thumbnails."""
    study.progress.advance(0, "pictures of the levels")
    sets = [("id_test", None, PICTURES), *(("ood", name, OOD_PICTURES) for name in study.run.ood_names)]
    rows = []
    for role, name, count in sets:
        if not study.run.entry(role, name).thumbnails:
            continue
        sample = study.sample(role, name, limit=count)
        facts = {"role": role, "dataset": study.run.entry(role, name).name}
        for k, pictures in _shown(study, sample):
            for image_id, picture in zip(sample.ids, pictures, strict=True):
                rows.append(
                    facts | {"image_id": image_id, "level": k, "png": thumbnail(picture.transpose(1, 2, 0), _SIDE)}
                )
    return pd.DataFrame(rows, columns=LEVEL_PICTURES.column_names)


@torch.inference_mode()
def _shown(study: Study, sample: Sample) -> Iterator[tuple[int, np.ndarray]]:
    """Position of a level, -1 for none, and uint8 pictures (n, C, H, W)."""
    yield -1, sample.pixels
    backbone = study.backbone
    images = torch.from_numpy(to_signed(sample.pixels)).to(backbone.device)
    noise = keyed_noise(sample.ids, 1, backbone.input_shape, study.spec.seed)[0]
    x0, noise = backbone.encode(images), torch.from_numpy(noise).to(backbone.device)
    for k, level in enumerate(study.run.levels):
        x = corrupt(x0, noise, level.a, level.b) / float(np.hypot(level.a, level.b))
        yield k, to_bytes(backbone.decode(x).float().cpu().numpy())


def _cost(study: Study) -> pd.DataFrame:
    """Time per image of a forward to each tap, at the level of the published detectors."""
    run = study.run
    main = min(run.levels, key=lambda level: abs(level.requested - MAIN_LAM))
    return time_taps(
        study.backbone,
        main,
        run.taps,
        precision=run.manifest.precision,
        batch_size=study.spec.batch_size,
        before_repeat=lambda: study.progress.advance(0, "timing"),
    )
