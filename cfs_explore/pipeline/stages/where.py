"""Where in the image: which cells find a planted patch, or what masks mark, and which only detect it (theory 22 to 24).

Each image has one noise draw, the map's first. A planted image keeps the id of the ID image that it was, and so its
noise: nothing differs from that image but the patch. Both networks and the plain pixels see the same images.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import PARTS
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics import auroc_interval, delong
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.best_localisation import best_localisation
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.groups import independent
from cfs_explore.diagnostics.intervals import limited, share_interval
from cfs_explore.diagnostics.localisation import Judged, Pairs, Truth, group_variance, judge
from cfs_explore.errors import CFSError
from cfs_explore.pipeline.match import conditioning_levels
from cfs_explore.pipeline.measure import block_size
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.pipeline.where_sets import JudgedSet, judged_sets, judged_size
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_maps import ScoreMaps, at_size
from cfs_explore.readings.tap_maps import map_sides
from cfs_explore.scoring import Moments
from cfs_explore.studies import where as declared
from cfs_explore.studies.controls import CONTROL_TRAIN

#: Least standard deviation of a pixel: half a step of its byte, in [-1, 1].
_PIXEL_FLOOR = 0.5 / 127.5
#: Images whose pixels are in memory as numbers.
_AT_ONCE = 64


@dataclass(frozen=True)
class _Network:
    """One of the two networks: name, backbone, ID-train's moments, and slot scores of the clean ID images.

    Attributes:
        clean: (cell, image), level-major.
    """

    name: str
    backbone: Backbone
    moments: Moments
    clean: np.ndarray


class _Found(NamedTuple):
    """Of all cells of a network on a set, level-major.

    Attributes:
        pairs, aupro, moved: as of ``Judged``, (cell, part, ...); those of maps of 1 x 1 are 0 and NaN.
        scores: slot scores (cell, image).
    """

    pairs: np.ndarray
    aupro: np.ndarray
    moved: np.ndarray
    scores: np.ndarray


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.where``.

    Raises:
        SourceError: masks that do not fit their pictures. CFSError: no map has more than one position.
    """
    if all(tap.resolution == 1 for tap in study.run.taps):
        raise CFSError("The map of every tap is 1 x 1: there is nothing to localise. Measure taps with larger maps.")
    clean = study.sample("id_test", limit=declared.WHERE_IMAGES)
    sets = judged_sets(study, clean)
    train = study.sample("id_train", limit=CONTROL_TRAIN)
    networks = _measured_networks(study, clean, train, sets)
    study.pieces.alone()
    pixels = _pixel_moments(train)
    tables: dict[str, list[pd.DataFrame]] = {"localisation": [], "localisation_best": [], "localisation_pixels": []}
    for each in sets:
        study.progress.advance(0, each.ood)
        found = {network.name: _measure(study, network, each) for network in networks}  # kept by now
        plain = judge(_fit(_pixel_scores(each.sample, *pixels), study), each.truth)
        for network in networks:
            tables["localisation"].append(_cells_table(study, network, each, found[network.name]))
        tables["localisation_best"].append(_best_table(study, each, found, plain))
        tables["localisation_pixels"].append(_pixels_table(each, plain, len(train)))
    columns = {table.name: table.column_names for table in declared.WHERE.tables}
    return {name: pd.concat(parts, ignore_index=True)[columns[name]] for name, parts in tables.items()}


def _fit(maps: np.ndarray, study: Study) -> np.ndarray:
    size = judged_size(study)
    return maps if maps.shape[-2:] == size else at_size(maps, size)


def _measured_networks(study: Study, clean: Sample, train: Sample, sets: Sequence[JudgedSet]) -> list[_Network]:
    """The trained network, and a copy with random weights, whose cells are measured on all sets and kept."""

    def measured(make: Callable[[Study, Sample, Sample], _Network]) -> _Network:
        network = make(study, clean, train)
        study.pieces.each([functools.partial(_measure, study, network, each) for each in sets])
        return network

    return study.pieces.each([functools.partial(measured, _trained), functools.partial(measured, _untrained)])


def _trained(study: Study, clean: Sample, train: Sample) -> _Network:
    run = study.run
    scores = [run.scores("id_test", level=k)[clean.rows, :1] for k in range(len(run.levels))]
    first = np.concatenate(scores, axis=2)
    return _Network("trained", study.backbone, run.moments("id_train"), cell_rows(first))


def _untrained(study: Study, clean: Sample, train: Sample) -> _Network:
    levels, copy = study.run.levels, study.backbone.untrained(declared.UNTRAINED_SEED)
    folder = f"controls/untrained-{declared.UNTRAINED_SEED}"  # the stage of the controls reads the same
    reference = study.statistics(f"{folder}/id_train", train, levels, backbone=copy)
    own = study.scores("where/untrained/id_test", clean, levels, reference, backbone=copy)
    return _Network("untrained", copy, reference, cell_rows(own))


def _measure(study: Study, network: _Network, judged: JudgedSet) -> _Found:
    """All cells of a network on a set, level by level."""

    def at(k: int) -> dict[str, np.ndarray]:
        compute = functools.partial(_level, study, network, judged, k)
        return study.kept(f"where/{network.name}/{judged.key}-{k:03d}", len(judged.sample), compute)

    parts = study.pieces.each([functools.partial(at, k) for k in range(len(study.run.levels))])
    return _Found(*(np.concatenate([part[name] for part in parts]) for name in _Found._fields))


def _level(study: Study, network: _Network, judged: JudgedSet, k: int) -> dict[str, np.ndarray]:
    """The arrays of ``_Found`` at one level, tap after tap."""
    run = study.run
    maps = _read_maps(study, network, judged.sample, k)
    groups = judged.truth.sizes.shape[1]
    pairs = np.zeros((len(run.taps), len(PARTS), groups, groups), dtype=np.int64)
    aupro = np.full(pairs.shape[:2], np.nan)
    moved = np.full((*pairs.shape[:2], 2, groups), np.nan)
    for t, tap in enumerate(run.taps):
        for p, part in enumerate(PARTS):
            of_part = maps[f"{part} {tap.name}"]
            if of_part[0].size > 1:
                pairs[t, p], aupro[t, p], moved[t, p] = judge(_fit(of_part, study), judged.truth)
    scores = np.stack([maps[tap.name] for tap in run.taps])
    return {"pairs": pairs.astype(np.min_scalar_type(pairs.max())), "aupro": aupro, "moved": moved, "scores": scores}


def _read_maps(study: Study, network: _Network, sample: Sample, k: int) -> dict[str, np.ndarray]:
    """Maps of every tap and part, (image, row, column), no larger than they are judged; slot scores by the tap's name.

    A part of the images at a time: what stays of a network of large images is a grid that is judged.
    """
    run, backbone, size = study.run, network.backbone, judged_size(study)
    level = run.levels[k]
    sides = map_sides(backbone, run.taps, level)
    reader = Reader(
        backbone,
        ScoreMaps([level], run.taps, network.moments.at(k), sides),
        batch_size=study.spec.batch_size,
        precision=run.manifest.precision,
        after_batch=lambda count: study.progress.advance(count, ""),
        conditioning=conditioning_levels(study.spec, backbone, [level]),
    )
    parts: dict[str, list[np.ndarray]] = {}
    step = block_size(reader, 1)
    for start in range(0, len(sample), step):
        part = slice(start, start + step)
        noise = keyed_noise(sample.ids[part], 1, backbone.input_shape, study.spec.seed)
        block = reader(to_signed(sample.pixels[part]), noise)[0, 0]
        for tap in run.taps:
            for name in PARTS:
                column = f"{name} {tap.name}"
                of_part = block[:, reader.columns[column]].reshape(-1, *sides[tap.name])
                if name == PARTS[0]:
                    parts.setdefault(tap.name, []).append(of_part.mean(axis=(1, 2), dtype=np.float64))
                large = of_part[0].size > np.prod(size)
                parts.setdefault(column, []).append(at_size(of_part, size) if large else of_part.copy())
    return {name: np.concatenate(each) for name, each in parts.items()}


def _pixel_moments(train: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Mean and floored variance of every pixel over ID-train, float64 (C, H, W); a few images in memory at a time."""
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(train), _AT_ONCE)]

    def mean(of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return sum(of(to_signed(train.pixels[part]).astype(np.float64)).sum(axis=0) for part in parts) / len(train)

    centre = mean(lambda x: x)
    return centre, np.maximum(mean(lambda x: np.square(x - centre)), _PIXEL_FLOOR**2)


def _pixel_scores(sample: Sample, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Squared z-scores averaged over channels, (image, row, column)."""
    return (np.square(to_signed(sample.pixels) - mean) / variance).mean(axis=1)


def _cells_table(study: Study, network: _Network, judged: JudgedSet, found: _Found) -> pd.DataFrame:
    """A row per part and cell."""
    groups = judged.groups
    value, var = delong(network.clean[:, judged.rows], found.scores, groups)
    apart = independent(groups, len(judged.rows), len(judged.sample))
    detection = limited("detection", value, *auroc_interval(value, var, *apart))
    frames = []
    for p, part in enumerate(PARTS):
        columns = _estimates(found.pairs[:, p], found.aupro[:, p], found.moved[:, p], judged.truth)
        cells = cell_columns(study.run.levels, study.run.taps)
        frames.append(cells.assign(network=network.name, part=part, **columns, **detection, **judged.facts))
    return pd.concat(frames)


def _pixels_table(judged: JudgedSet, plain: Judged, n_train: int) -> pd.DataFrame:
    """One row."""
    columns = _estimates(plain.pairs[None], np.array([plain.aupro]), plain.moved[None], judged.truth)
    return pd.DataFrame(columns).assign(n_train=n_train, **judged.facts)


def _estimates(pairs: np.ndarray, aupro: np.ndarray, moved: np.ndarray, truth: Truth) -> dict[str, np.ndarray]:
    """AUROC and AUPRO with their limits, (cell,) each; NaN where ``aupro`` is."""
    known = np.isfinite(aupro)
    columns = {f"{name}{end}": np.full(len(known), np.nan) for name in ("auroc", "aupro") for end in ("", "_lo", "_hi")}
    value, var = Pairs(pairs[known], truth.sizes).judged
    unmarked, marked = (truth.sizes > 0).sum(axis=1)
    area = aupro[known], group_variance(moved[known].swapaxes(0, 1), truth.sizes)
    for name, estimate in {
        **limited("auroc", value, *auroc_interval(value, var, unmarked, marked)),
        **limited("aupro", area[0], *share_interval(*area, marked)),
    }.items():
        columns[name][known] = estimate
    return {**{"lo": columns.pop("auroc_lo"), "hi": columns.pop("auroc_hi")}, **columns}


def _best_table(study: Study, judged: JudgedSet, found: dict[str, _Found], plain: Judged) -> pd.DataFrame:
    """A row per part and control."""
    cells = cell_columns(study.run.levels, study.run.taps)
    own = found["trained"]
    inputs = (cells["region"] == "input").to_numpy()
    frames = []
    for p, part in enumerate(PARTS):
        known = np.isfinite(own.aupro[:, p])
        trained, untrained, input_tap = (
            Pairs(of.pairs[which, p].astype(np.int64), judged.truth.sizes)
            for of, which in ((own, known), (found["untrained"], known), (own, known & inputs))
        )
        controls = {"untrained": untrained} | ({"input tap": input_tap} if len(input_tap.pairs) else {})
        controls["pixels"] = Pairs(plain.pairs[None], judged.truth.sizes)
        table = best_localisation(trained, controls)
        best = cells[known].iloc[trained.auroc.argmax()]
        place = {name: best[name] for name in ("level", "lam", "tap_index", "tap", "region")}
        frames.append(table.assign(part=part, **place, **judged.facts))
    return pd.concat(frames)
