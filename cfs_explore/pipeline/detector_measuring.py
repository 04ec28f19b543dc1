"""Detectors read, fitted and scored on the images of a finished map, kept piece by piece."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore import detectors
from cfs_explore.backbones import Backbone
from cfs_explore.corruption import to_signed
from cfs_explore.detectors.protocol import ReadingDetector, columns_of
from cfs_explore.diagnostics.checks import require_finite
from cfs_explore.errors import CFSError, DamageError, FolderError, RunCancelled
from cfs_explore.pipeline.detector_costs import TIMED, backbone_of, product_cost
from cfs_explore.pipeline.detector_planning import UNTRAINED_MOST, Refused, Work, planned, too_dear
from cfs_explore.pipeline.measured_detectors import ALL, Measured, Read
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.readings.protocol import Reading
from cfs_explore.studies.detectors import NETWORKS, allowed_forwards, map_forwards

TRAIN, TEST = "id_train", "id_test"
#: Of the first untrained copy's weights (theory 18); the others follow.
_SEED = 0
#: All detectors compute in this: paths of many steps and small differences do not bear less.
_PRECISION = "fp32"
#: Changes when the same detectors would read other numbers.
_VERSION = 1


class Measuring:
    """All detectors on one run.

    Args:
        study: of the run; its spec says how many images and what budget.
    """

    def __init__(self, study: Study):
        self._study, self._settings = study, study.spec.detectors
        limits = {TRAIN: self._settings.train} | dict.fromkeys((TEST, *study.run.ood_names), self._settings.images)
        self._samples: dict[str, Sample] = {
            name: study.sample(*self._role(name), limit=limit) for name, limit in limits.items()
        }
        self._readings: dict[str, Read] = {}  # by key
        self._untrained = functools.lru_cache(maxsize=2)(study.backbone.untrained)
        self._options: dict[str, dict[str, object]] = {}
        if self._settings.background is not None:
            self._options["likelihood_ratio"] = {
                "background": backbone_of(self._settings.background, study.backbone.device)
            }

    @property
    def n_train(self) -> int:
        return len(self._samples[TRAIN])

    def count(self, name: str) -> int:
        """Images that are read of "id_train", "id_test" or an OOD set."""
        return len(self._samples[name])

    def measure(self) -> list[Measured]:
        """Every detector on every network and copy, in the order of the registry."""
        refused = self._too_dear()
        calls = [
            functools.partial(self._measure, name, network, copy, refused.get(name))
            for network, copies in zip(NETWORKS, (1, self._settings.copies), strict=True)
            for copy in range(copies)
            for name in ALL
        ]
        *found, self._slots = self._study.pieces.each([*calls, self._read_slots])
        self._study.pieces.alone()
        product = self._product_cost()
        for each in found:
            if each.cost is not None:
                each.price = each.cost.forwards + product * each.cost.jvps
                each.effective = each.cost.effective + product * each.cost.jvps
        return found

    def _backbone(self, network: str, copy: int) -> Backbone:
        """The trained network, or one of its untrained copies, of which two are kept at a time."""
        return self._study.backbone if network == NETWORKS[0] else self._untrained(_SEED + copy)

    def _product_cost(self) -> float:
        """As of ``product_cost``, timed once on the first images of ID-test."""
        study, sample = self._study, self._samples[TEST]

        def compute() -> dict[str, np.ndarray]:
            x0, ids = to_signed(sample.pixels[:TIMED]), sample.ids[:TIMED]
            return {"forwards": np.float64(product_cost(study.backbone, x0, ids, _PRECISION))}

        return float(study.kept("detectors/product", 0, compute)["forwards"])

    def slots(self) -> dict[str, np.ndarray]:
        """The map of the trained network on the same images, same ID-train: set -> (level, tap, image).

        Known once the detectors are measured.
        """
        return self._slots

    def _read_slots(self) -> dict[str, np.ndarray]:
        study, levels, fitted = self._study, self._study.run.levels, f"detectors/map/{self._key(TRAIN)}"
        reference = study.statistics(fitted, self._samples[TRAIN], levels, precision=_PRECISION)

        def scored(name: str) -> np.ndarray:
            key, sample = f"{fitted}-{self._key(name)}", self._samples[name]
            return study.scores(key, sample, levels, reference, precision=_PRECISION)[:, 0].transpose(1, 2, 0)

        names = [name for name in self._samples if name != TRAIN]
        return dict(zip(names, study.pieces.each([functools.partial(scored, name) for name in names]), strict=True))

    def score_table(self, measured: Sequence[Measured]) -> pd.DataFrame:
        """The table ``detector_scores``."""
        parts = [
            self._images(name).assign(detector=each.detector.name, network=each.network, copy=each.copy, score=scores)
            for each in measured
            for name, scores in each.scores.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _measure(self, name: str, network: str, copy: int, refused: Refused | None) -> Measured:
        """One detector on one network; with the reason instead of scores where it cannot be had."""
        found, backbone = Measured(self._create(name), network, copy=copy), self._backbone(network, copy)
        trained = network == NETWORKS[0]
        try:
            if name == "likelihood_ratio" and not trained and self._options:
                raise CFSError("An untrained copy is no control here: the background stays trained.")
            found.cost, found.fit_cost = found.detector.cost(backbone), found.detector.fit_cost(backbone)
            if refused is not None:
                found.needed = refused.needed
                raise CFSError(refused.why)
            if not trained and planned(found.cost) > UNTRAINED_MOST:
                raise CFSError(f"An untrained copy is measured up to {UNTRAINED_MOST:g} forwards per image.")
            z, _ = self._z(found, backbone, TRAIN)
            found.detector.fit(z)
            found.cost, found.note = found.detector.cost(backbone), " ".join(found.detector.notes(backbone))
            for each in (TEST, *self._study.run.ood_names):
                z, seconds = self._z(found, backbone, each)
                found.scores[each] = found.detector.score(z)
                require_finite(found.scores[each], f"The scores of {each}")
                found.ms = 1000 * seconds / len(z[0]) if each == TEST else found.ms
        except (RunCancelled, DamageError, FolderError):
            raise
        except CFSError as error:
            found.scores, found.note = {}, str(error)
        return found

    def _z(self, measured: Measured, backbone: Backbone, name: str) -> tuple[np.ndarray, float]:
        """Readings of a set, (draw, image, feature), and the seconds that they took."""
        parts = [self._part(measured, reading, backbone, name) for reading in measured.detector.readings(backbone)]
        measured.detector.columns_ = measured.detector.columns(backbone)
        return np.concatenate([z for z, _ in parts], axis=2), sum(seconds for _, seconds in parts)

    def _part(self, measured: Measured, reading: Reading, backbone: Backbone, name: str) -> tuple[np.ndarray, float]:
        """One reading of a set, and its seconds; read once for all detectors that share it."""
        detector, sample, spec = measured.detector, self._samples[name], self._study.spec
        key = f"detectors/{measured.folder}/{_digest(f'{_VERSION} {spec.seed} {detector.identity(reading)}')}"
        read = self._readings.setdefault(key, Read(measured.network, columns_of(reading)))

        def compute() -> dict[str, np.ndarray]:
            since = time.perf_counter()
            z = detector.read_one(
                reading,
                backbone,
                to_signed(sample.pixels),
                sample.ids,
                spec.seed,
                batch_size=spec.batch_size,
                precision=_PRECISION,
                after_batch=lambda count: self._study.progress.advance(count, detector.title),
            )
            return {"z": z, "seconds": np.float64(time.perf_counter() - since)}

        forwards = detector.cost_of(reading).forwards * len(sample)
        kept = self._study.kept(f"{key}/{self._key(name)}", forwards, compute)
        if measured.network == NETWORKS[0]:  # the others' are in no table
            read.z[name] = kept["z"]
        read.by += [] if detector.name in read.by else [detector.name]
        return kept["z"], float(kept["seconds"])

    def reading_table(self, measured: Sequence[Measured]) -> pd.DataFrame:
        """The table ``detector_readings``: what rivals read of the trained network, as it came."""
        rivals = {each.detector.name for each in measured if each.kind == "rival"}
        parts = []
        read_whole = [(key, read) for key, read in self._readings.items() if read.by]  # by a detector at least
        for key, read in sorted(read_whole, key=lambda item: item[1].place):
            _, network, digest = key.split("/")
            if network != NETWORKS[0] or not rivals & set(read.by):
                continue
            names = [
                column if part.stop - part.start == 1 else f"{column} [{k}]"
                for column, part in read.columns.items()
                for k in range(part.stop - part.start)
            ]
            facts = {"reading": digest, "detectors": ", ".join(sorted(read.by, key=ALL.index))}
            for name, z in read.z.items():
                images = self._images(name)
                rows = images.loc[images.index.repeat(len(names))].reset_index(drop=True)
                values = z[0].astype(np.float64).ravel()
                parts.append(rows.assign(**facts, feature=np.tile(names, len(images)), value=values))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _too_dear(self) -> dict[str, Refused]:
        """Detectors that the budget has no room for."""
        counts = self._study.run.counts._replace(budget=self._settings.budget)
        scored = sum(self.count(name) for name in (TEST, *self._study.run.ood_names))
        first = float(len(self._study.run.levels) * (self.n_train + scored))  # the map of CFS beside them
        work = Work(self.n_train, scored, self._settings.copies, first, allowed_forwards(counts), map_forwards(counts))
        return too_dear(map(self._create, ALL), self._study.backbone, work)

    def _create(self, name: str) -> ReadingDetector:
        return detectors.create(name, **self._options.get(name, {}))

    def _role(self, name: str) -> tuple[str, str | None]:
        return (name, None) if name in (TRAIN, TEST) else ("ood", name)

    def _key(self, name: str) -> str:
        """A file name of a set's sample; OOD sets by position, since their names are the user's."""
        place = name if name in (TRAIN, TEST) else f"ood-{self._study.run.ood_names.index(name):02d}"
        return f"{place}-{self.count(name)}"

    def _images(self, name: str) -> pd.DataFrame:
        role, ood = self._role(name)
        sample = self._samples[name]
        dataset = self._study.run.entry(role, ood).name
        return pd.DataFrame({"role": role, "dataset": dataset, "row": sample.rows, "image_id": sample.ids})


def _digest(identity: str) -> str:
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
