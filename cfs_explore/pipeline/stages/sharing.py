"""The sharing stage: whole maps of every tap at every level against each other, and encoders used again (theory 34)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Tap
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics.groups import Members, members
from cfs_explore.diagnostics.sharing import cka_limits, inner_products, linear_cka, reuse_table, sharing_table
from cfs_explore.errors import CFSError
from cfs_explore.pipeline.match import conditioning_levels
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.readings.encoder_reuse import EncoderReuse, reused_taps, reused_work, why_not
from cfs_explore.readings.loop import DEFAULT_BATCH, Reader
from cfs_explore.readings.protocol import Reading
from cfs_explore.readings.tap_maps import TapMaps, map_sizes
from cfs_explore.studies.sharing import SHARING_IMAGES, sharing_forwards

#: Memory that maps may take at a time.
MAP_BYTES = 2**30
_FLOAT = 4


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.sharing``.

    Raises:
        CFSError: the map has a single level, or the maps of two images alone do not fit into ``MAP_BYTES``.
    """
    run = study.run
    if len(run.levels) < 2:
        raise CFSError("What levels share needs two levels, and this map has one. Name more under `levels`.")
    sizes = map_sizes(study.backbone, run.taps, run.levels[0])
    sample = study.sample("id_test", limit=_images(study, sizes))
    groups = members(run.names_of_groups("id_test")[sample.rows])
    planned = len(sample) * len(run.levels)
    reading = EncoderReuse(
        run.levels,
        reused_taps(study.backbone),
        conditioning_levels(study.spec, study.backbone, run.levels),
    )
    reason = why_not(study.backbone, run.levels[0], run.levels[-1])
    found, errors = study.pieces.each(
        [
            lambda: study.kept("sharing/compared", planned, lambda: _compare(study, sample, sizes, groups)),
            lambda: _errors(study, reading, sample, allowed=not reason),
        ]
    )
    study.pieces.alone()
    maps = sharing_table(
        found["inner"], found["cka"], [sizes[t.name] for t in run.taps], run.levels, run.taps, groups=groups
    )
    reuse = reuse_table(
        errors,
        reading.pairs,
        run.levels,
        reused_work(study.backbone),
        why_not=reason,
        groups=groups,
    )
    planned = sharing_forwards(min(run.id_test.count, SHARING_IMAGES), len(run.levels))
    study.progress.advance(planned - sharing_forwards(len(sample), len(run.levels)), "")
    return {"sharing": maps, "reuse": reuse}


def _images(study: Study, sizes: dict[str, int]) -> int:
    """So many that the maps of the largest tap fit at all levels."""
    per_image = len(study.run.levels) * max(sizes.values()) * _FLOAT
    fitting = min(SHARING_IMAGES, MAP_BYTES // per_image)
    if fitting < 2:
        raise CFSError(
            f"The maps of {study.backbone.name} take {per_image / 2**20:,.0f} MB per image and tap at this map's "
            f"{len(study.run.levels)} levels, too many to compare two images. Measure fewer levels."
        )
    return fitting


def _compare(study: Study, sample: Sample, sizes: dict[str, int], groups: Members | None) -> dict[str, np.ndarray]:
    """``inner`` (image, tap, level, level) and ``cka`` with its limits (3, tap, level, level).

    Taps are read in parts that fit into memory.
    """
    run, levels = study.run, study.run.levels
    inner = np.empty((len(sample), len(run.taps), len(levels), len(levels)))
    cka = np.empty((3, *inner.shape[1:]))
    place = 0
    for part in _parts(run.taps, sizes, len(sample) * len(levels) * _FLOAT):
        done = place + len(part) == len(run.taps)  # the last pass is what was planned
        maps = _read(study, TapMaps(levels, part, sizes), sample, counted=done)[:, 0]
        for tap in part:
            start = sum(sizes[each.name] for each in part[: part.index(tap)])
            of_tap = maps[..., start : start + sizes[tap.name]]
            inner[:, place], cka[0, place] = inner_products(of_tap), linear_cka(of_tap)
            cka[1:, place] = cka_limits(of_tap, groups)
            place += 1
    return {"inner": inner, "cka": cka}


def _parts(taps: Sequence[Tap], sizes: dict[str, int], per_number: int) -> Iterator[list[Tap]]:
    """Taps in order, together as far as their maps fit into ``MAP_BYTES``."""
    part, width = [], 0
    for tap in taps:
        if part and (width + sizes[tap.name]) * per_number > MAP_BYTES:
            yield part
            part, width = [], 0
        part.append(tap)
        width += sizes[tap.name]
    yield part


def _errors(study: Study, reading: EncoderReuse, sample: Sample, *, allowed: bool) -> np.ndarray:
    """What the outputs differ by, (image, pair of levels); NaN where the network does not allow it."""
    forwards = len(sample) * reading.cost.forwards
    if not allowed:
        study.progress.advance(forwards, "")
        return np.full((len(sample), len(reading.pairs)), np.nan)

    def compute() -> dict[str, np.ndarray]:
        return {"errors": _read(study, reading, sample, batch_size=_rows(study))[0, 0]}

    return study.kept("sharing/reuse", forwards, compute)["errors"]


def _rows(study: Study) -> int:
    """Rows of the reuse at a time: their encoders' outputs at all levels are kept."""
    sizes = map_sizes(study.backbone, study.backbone.taps(), study.run.levels[0])
    fitting = MAP_BYTES // (len(study.run.levels) * sum(sizes.values()) * _FLOAT)
    usual = study.spec.batch_size or DEFAULT_BATCH.get(study.backbone.device.type, 64)
    return max(1, min(usual, fitting))


def _read(
    study: Study, reading: Reading, sample: Sample, *, counted: bool = True, batch_size: int | None = None
) -> np.ndarray:
    """A reading of a sample on the first draw, (level, 1, image, feature)."""
    backbone, levels = study.backbone, reading.levels
    reader = Reader(
        backbone,
        reading,
        batch_size=batch_size or study.spec.batch_size,
        precision=study.run.manifest.precision,
        after_batch=lambda count: study.progress.advance(count * counted, ""),
        conditioning=conditioning_levels(study.spec, backbone, levels),
    )
    return reader(to_signed(sample.pixels), keyed_noise(sample.ids, 1, backbone.input_shape, study.spec.seed))
