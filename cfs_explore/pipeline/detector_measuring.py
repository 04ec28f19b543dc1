"""Detectors read, fitted and scored on the images of a finished map, kept piece by piece."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cfs_explore import detectors
from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Cost
from cfs_explore.corruption import to_signed
from cfs_explore.detectors.protocol import ReadingDetector, columns_of
from cfs_explore.diagnostics.checks import require_finite
from cfs_explore.errors import CFSError, DamageError, RunCancelled
from cfs_explore.pipeline.detector_costs import TIMED, backbone_of, product_cost
from cfs_explore.pipeline.detector_planning import UNTRAINED_MOST, Refused, Work, planned, too_dear
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.readings.protocol import Reading
from cfs_explore.studies.detectors import NETWORKS, allowed_forwards, map_forwards

TRAIN, TEST = "id_train", "id_test"
#: Every detector but the one that a person composes, and the head that makes CFS(1x2) of its snapshots once more.
_NAMES = tuple(name for name in detectors.names() if name not in ("cfs", "head_diag"))
#: Of the first untrained copy's weights (theory 18); the others follow.
_SEED = 0
#: All detectors compute in this: paths of many steps and small differences do not bear less.
_PRECISION = "fp32"
#: Changes when the same detectors would read other numbers.
_VERSION = 1


@dataclass(eq=False)
class Measured:
    """A detector on one network.

    Attributes:
        detector: fitted, where it has scores.
        network: one of ``NETWORKS``.
        cost, fit_cost: per image; None where it cannot read this backbone.
        ms: milliseconds per image of ID-test.
        price, effective: the cost in forwards, whole and up to the last tap, products at their measured cost (19).
        scores: "id_test" or an OOD set's name -> float64 (image,); empty where it was not measured.
        note: why not, or what was done for this backbone.
        copy: which of the untrained copies, from 0.
        needed: the budget, as a multiple of the map's forwards, that has room for it where this one had none.
    """

    detector: ReadingDetector
    network: str
    cost: Cost | None = None
    fit_cost: Cost | None = None
    ms: float = float("nan")
    price: float = float("nan")
    effective: float = float("nan")
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    note: str = ""
    copy: int = 0
    needed: float = float("nan")

    @property
    def folder(self) -> str:
        """Of what is kept of this network."""
        return self.network if self.copy == 0 else f"{self.network}-{self.copy}"

    @property
    def kind(self) -> str:
        """ "cfs", "head" or "rival"."""
        start = self.detector.name.partition("_")[0]
        return start if start in ("cfs", "head") else "rival"

    def facts(self) -> dict[str, object]:
        """The columns of ``falsifier`` that do not depend on the OOD set."""
        cost, fit = self.cost or Cost(0, 0, float("nan")), self.fit_cost or Cost(0, 0, float("nan"))
        return {
            "detector": self.detector.name,
            **{name: getattr(self.detector, name) for name in ("title", "variant", "paper")},
            **{"kind": self.kind, "network": self.network, "note": self.note, "ms": self.ms, "cost": self.price},
            **{"forwards": cost.forwards, "jvps": cost.jvps, "effective": self.effective},
            **{"trajectory": self.detector.trajectory, "copy": self.copy, "needed": self.needed},
            **{"fit_forwards": fit.forwards, "fit_jvps": fit.jvps},
        }


@dataclass
class _Read:
    """One reading of every set with one network, which some detectors share.

    Attributes:
        columns: name -> slice of the features. z: set -> (draw, image, feature). by: names of the detectors.
    """

    columns: dict[str, slice]
    z: dict[str, np.ndarray] = field(default_factory=dict)
    by: list[str] = field(default_factory=list)


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
        self._readings: dict[str, _Read] = {}  # by key
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
        found = [
            self._measure(name, backbone, Measured(self._create(name), network, copy=copy), refused.get(name))
            for network, copy, backbone in self._networks()
            for name in _NAMES
        ]
        product = self._product_cost()
        for each in found:
            if each.cost is not None:
                each.price = each.cost.forwards + product * each.cost.jvps
                each.effective = each.cost.effective + product * each.cost.jvps
        return found

    def _networks(self) -> Iterator[tuple[str, int, Backbone]]:
        """Name, which copy, and network; an untrained copy is made when it is needed."""
        yield NETWORKS[0], 0, self._study.backbone
        for copy in range(self._settings.copies):
            yield NETWORKS[1], copy, self._study.backbone.untrained(_SEED + copy)

    def _product_cost(self) -> float:
        """As of ``product_cost``, timed once on the first images of ID-test."""
        study, sample = self._study, self._samples[TEST]

        def compute() -> dict[str, np.ndarray]:
            x0, ids = to_signed(sample.pixels[:TIMED]), sample.ids[:TIMED]
            return {"forwards": np.float64(product_cost(study.backbone, x0, ids, _PRECISION))}

        return float(study.kept("detectors/product", 0, compute)["forwards"])

    def slots(self) -> dict[str, np.ndarray]:
        """The map of the trained network on the same images, same ID-train: set -> (level, tap, image)."""
        study, levels, fitted = self._study, self._study.run.levels, f"detectors/map/{self._key(TRAIN)}"
        reference = study.statistics(fitted, self._samples[TRAIN], levels, precision=_PRECISION)
        return {
            name: study.scores(f"{fitted}-{self._key(name)}", sample, levels, reference, precision=_PRECISION)[
                :, 0
            ].transpose(1, 2, 0)
            for name, sample in self._samples.items()
            if name != TRAIN
        }

    def score_table(self, measured: Sequence[Measured]) -> pd.DataFrame:
        """The table ``detector_scores``."""
        parts = [
            self._images(name).assign(detector=each.detector.name, network=each.network, copy=each.copy, score=scores)
            for each in measured
            for name, scores in each.scores.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _measure(self, name: str, backbone: Backbone, found: Measured, refused: Refused | None) -> Measured:
        """One detector; with the reason instead of scores where it cannot be had."""
        trained = found.network == NETWORKS[0]
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
        except (RunCancelled, DamageError):
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
        read = self._readings.setdefault(key, _Read(columns_of(reading)))

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

        forwards = 0 if name in read.z else detector.cost_of(reading).forwards * len(sample)
        kept = self._study.kept(f"{key}/{self._key(name)}", forwards, compute)
        read.z[name] = kept["z"]
        read.by += [] if detector.name in read.by else [detector.name]
        return kept["z"], float(kept["seconds"])

    def reading_table(self, measured: Sequence[Measured]) -> pd.DataFrame:
        """The table ``detector_readings``: what rivals read of the trained network, as it came."""
        rivals = {each.detector.name for each in measured if each.kind == "rival"}
        parts = []
        for key, read in self._readings.items():
            _, network, digest = key.split("/")
            if network != NETWORKS[0] or not rivals & set(read.by):
                continue
            names = [
                column if part.stop - part.start == 1 else f"{column} [{k}]"
                for column, part in read.columns.items()
                for k in range(part.stop - part.start)
            ]
            facts = {"reading": digest, "detectors": ", ".join(read.by)}
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
        return too_dear(map(self._create, _NAMES), self._study.backbone, work)

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
