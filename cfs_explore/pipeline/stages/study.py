"""What a diagnostic stage works with: a finished map, its images, its backbone, and results kept between attempts."""

from __future__ import annotations

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.contracts import Level, Tap
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics import Groups
from cfs_explore.errors import BackboneError, SourceError
from cfs_explore.pipeline import reuse
from cfs_explore.pipeline.ahead import Ahead
from cfs_explore.pipeline.match import as_conditioned, conditioning_levels
from cfs_explore.pipeline.measure import block_size
from cfs_explore.pipeline.pixels import open_pixels
from cfs_explore.pipeline.prepare import PlannedSet, plan_sets, prepare_sets
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages.pieces import Pieces
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.readings.transfer import pinned
from cfs_explore.scoring import Moments, feature_columns, slot_scores
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run, evenly_spaced
from cfs_explore.studies import Counts

#: Bytes of images that are kept between two questions for the same sample.
SAMPLE_BYTES = 256_000_000


@dataclass(frozen=True)
class Sample:
    """Images of one set, as the backbone takes them.

    Attributes:
        original: uint8 (n, C, H, W).
        ids: image ids, which key the noise.
        rows: their positions in the set, (n,).
        change: made to the pixels when they are first asked for; a stage that finds its results kept never asks.
    """

    original: np.ndarray
    ids: list[str]
    rows: np.ndarray
    change: Callable[[np.ndarray], np.ndarray] | None = None

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """uint8 (n, C, H, W), changed."""
        if self.change is None:
            return self.original
        pixels = np.asarray(self.change(np.array(self.original)))
        if pixels.dtype != np.uint8 or pixels.shape != self.original.shape:
            raise ValueError(f"a change must keep uint8 {self.original.shape}; it gave {pixels.dtype} {pixels.shape}")
        return pixels

    def __len__(self) -> int:
        return len(self.ids)

    def altered(self, change: Callable[[np.ndarray], np.ndarray]) -> Sample:
        """The same images, ids and noise after ``change`` of the pixels (n, C, H, W)."""
        return replace(self, original=self.pixels, change=change)


class Study:
    """A finished map about to be diagnosed.

    Args:
        run: with its map.
        progress: advanced by every forward; asks whether to stop.
        device: torch device.
        backbone: loaded already; None loads the run's own when a stage first needs it.

    Attributes:
        spec: of the run, with absolute paths.
        pieces: what is kept, and how workers share it.
    """

    def __init__(self, run: Run, progress: Progress, *, device: str | None = None, backbone: Backbone | None = None):
        self.run = run
        self.progress = progress
        self.spec = RunSpec.parse(run.path / "spec.yaml")
        self._device, self._backbone = device, backbone
        self._kept = run.path / "work" / "diagnose"
        self._samples: OrderedDict[tuple[str, str | None, int | None], Sample] = OrderedDict()
        self.pieces = Pieces(self._kept, lambda count, doing: self.progress.advance(count, doing))

    @property
    def counts(self) -> Counts:
        """What decides the cost of its stages, as the spec now says."""
        given = {"budget": self.spec.detectors.budget, "conditions": len(self.spec.conditions)}
        return self.run.counts._replace(**given)

    @functools.cached_property
    def backbone(self) -> Backbone:
        """The run's own network.

        Raises:
            BackboneError: when it is not at its place any more, or is another one by now.
        """
        wanted = self.spec.backbone
        found = self._backbone or as_conditioned(
            self.spec, load_backbone(wanted.path, device=self._device, **wanted.options())
        )
        if found.fingerprint != self.run.manifest.backbone.fingerprint:
            raise BackboneError(
                f"{wanted.path} is not the backbone that the map was measured with. Put that one back, or measure "
                "the map again."
            )
        return found

    def sample(self, role: str, name: str | None = None, *, limit: int | None = None) -> Sample:
        """Images of a set; with ``limit``, that many at most, evenly spaced over the set.

        The last ones are kept, since what waits for another worker begins anew (``Pieces.each``).

        Raises:
            SourceError: when they are not at hand any more, or have changed.
        """
        key = (role, name, limit)
        if key not in self._samples:
            entry = self.run.entry(role, name)
            rows = evenly_spaced(entry.count, limit or entry.count)
            ids = self.run.images(role, name, columns=["image_id"])["image_id"].to_numpy()[rows]
            self._samples[key] = Sample(self._inputs(role, name, ids), ids.tolist(), rows)
        found = self._samples[key]
        self._samples.move_to_end(key)
        while sum(each.original.nbytes for each in self._samples.values()) > SAMPLE_BYTES:
            self._samples.popitem(last=False)
        return found

    def groups(self, limit: int, *oods: str) -> Groups | None:
        """The groups of the images that ``sample`` gives of ID-test and of OOD sets, one after the other."""
        rows = [evenly_spaced(self.run.entry("ood", ood).count, limit) for ood in oods]
        parts = [self.run.group_names(ood)[1][kept] for ood, kept in zip(oods, rows, strict=True)]
        test = self.run.group_names(*oods)[0][evenly_spaced(self.run.id_test.count, limit)]
        return Groups.of(test, np.concatenate(parts))

    def _inputs(self, role: str, name: str | None, ids: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W) of these images of a set; read again from its source where the run has dropped them.

        A run that was stopped early holds a part of what its source gives, so images are found by their ids.

        Raises:
            SourceError: not all of them are there.
        """
        index = self.run.manifest.sets.index(self.run.entry(role, name))
        planned = plan_sets(self._resolved, self.run.path)[index]
        if not self._is_read(planned):
            planned = plan_sets(self._resolved, self._kept)[index]
            split = role != "ood" and self._resolved.id.test is None  # both halves come from one reading
            lease = f"inputs {'id' if split else planned.work.folder.name}"
            self.pieces.once(lease, lambda: self._is_read(planned), lambda: self._read(planned))
        rows = planned.work.rows(["image_id"])
        places = {image_id: place for place, image_id in enumerate(rows["image_id"])}
        if not places.keys() >= set(ids):
            raise SourceError(
                f"The images of {self.run.entry(role, name).name} are not those that the map was measured on. Put "
                "those back, or measure the map again."
            )
        with open_pixels(planned) as pixels:
            return pixels[[places[image_id] for image_id in ids]]

    def _is_read(self, planned: PlannedSet) -> bool:
        return planned.work.has_pixels() and planned.work.is_whole()

    def _read(self, planned: PlannedSet) -> None:
        """Read the images of a set again from their source."""
        self.progress.advance(0, f"reading {planned.images.name}")
        quiet = Progress(cancelled=self.progress.cancelled)  # the stage's own count goes on afterwards
        seed = reuse.id_seed(reuse.base_run(self.spec))
        prepare_sets(self._resolved, [planned], self.backbone, quiet, id_seed=seed)

    @functools.cached_property
    def _resolved(self) -> RunSpec:
        return reuse.with_images(self.spec, reuse.base_run(self.spec))

    def blocks(
        self,
        sample: Sample,
        levels: Sequence[Level],
        *,
        draws: int = 1,
        backbone: Backbone | None = None,
        taps: Sequence[Tap] | None = None,
        conditioning: Sequence[Level] | None = None,
        precision: str | None = None,
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Snapshots in parts that fit into memory.

        Args:
            sample: the images.
            levels: where to corrupt; ``a = 1, b = 0`` leaves an image clean.
            draws: noise draws, keyed as the map's were.
            backbone: instead of the run's own.
            taps: instead of the run's.
            conditioning: the levels that the network is conditioned on, one for each of ``levels``; None: as the run
                did it.
            precision: instead of the run's.

        Yields:
            The part's slice of the sample, and float32 (level, draw, image, feature).
        """
        reader = self.reader(levels, backbone=backbone, taps=taps, conditioning=conditioning, precision=precision)
        device, shape = reader.backbone.device, reader.backbone.input_shape
        size = block_size(reader, draws)
        parts = [slice(start, start + size) for start in range(0, len(sample), size)]

        def inputs(k: int) -> list[np.ndarray | torch.Tensor]:
            noise = keyed_noise(sample.ids[parts[k]], draws, shape, self.spec.seed)
            return [pinned(each, device) for each in (to_signed(sample.pixels[parts[k]]), noise)]

        with contextlib.closing(Ahead(inputs, device)) as ahead:
            for k, part in enumerate(parts):
                yield part, reader(*ahead.get(k, k + 1 if part is not parts[-1] else None))

    def reader(
        self,
        levels: Sequence[Level],
        *,
        backbone: Backbone | None = None,
        taps: Sequence[Tap] | None = None,
        conditioning: Sequence[Level] | None = None,
        precision: str | None = None,
    ) -> Reader:
        """A reader of snapshots with the run's precision and batch size that reports its forwards."""
        backbone = backbone or self.backbone
        return Reader(
            backbone,
            TapSnapshots(levels, self.run.taps if taps is None else taps),
            batch_size=self.spec.batch_size,
            precision=precision or self.run.manifest.precision,
            after_batch=lambda count: self.progress.advance(count, ""),
            conditioning=conditioning_levels(self.spec, backbone, levels) if conditioning is None else conditioning,
        )

    def statistics(self, key: str, sample: Sample, levels: Sequence[Level], **options) -> Moments:
        """Moments of a sample's snapshots, kept under ``key``; ``options`` as for ``blocks``."""

        def compute() -> dict[str, np.ndarray]:
            moments = None
            for _, block in self.blocks(sample, levels, **options):
                part = Moments.of(block)
                moments = part if moments is None else moments.merge(part)
            return moments.to_arrays()

        return Moments.from_arrays(self.kept(key, self._cost(sample, levels, options), compute))

    def scores(self, key: str, sample: Sample, levels: Sequence[Level], reference: Moments, **options) -> np.ndarray:
        """Slot scores float32 (image, draw, level, tap) of a sample against ``reference``, kept under ``key``."""

        def compute() -> dict[str, np.ndarray]:
            taps = options.get("taps") or self.run.taps
            columns = feature_columns(taps)
            parts = [slot_scores(block, reference, columns) for _, block in self.blocks(sample, levels, **options)]
            return {"scores": np.concatenate(parts)}

        return self.kept(key, self._cost(sample, levels, options), compute)["scores"]

    @staticmethod
    def _cost(sample: Sample, levels: Sequence[Level], options: dict) -> int:
        return len(sample) * len(levels) * options.get("draws", 1)

    def kept(self, key: str, forwards: int, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Arrays that an earlier attempt or another worker computed under ``key``, or else compute and keep them.

        Args:
            key: unique within the run, such as "controls/untrained-0/letters".
            forwards: what computing takes; counted as done where it was.
            compute: gives named arrays.
        """
        return self.pieces.get(key, forwards, compute)
