"""A run's backbone, loaded to be looked into, and shown images as the run showed them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cell, Level, Tap
from cfs_explore.corruption import keyed_noise, to_bytes
from cfs_explore.errors import BackboneError
from cfs_explore.locations import absolute
from cfs_explore.pipeline import Progress
from cfs_explore.pipeline.match import conditioning_levels
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.probe.inputs import ProbeImage
from cfs_explore.probe.levels import nearest, probe_lams
from cfs_explore.probe.reading import ProbeReading
from cfs_explore.probe.score_map import cell_maps, together
from cfs_explore.probe.seen import Seen, TapView
from cfs_explore.probe.where import Where
from cfs_explore.readings.channel_parts import ChannelParts
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_maps import score_parts
from cfs_explore.readings.snapshots import select_taps
from cfs_explore.readings.tap_maps import map_sides
from cfs_explore.scoring import feature_columns, slot_scores
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run

#: A backbone with more weights answers too slowly on a CPU to be played with.
MOST_WEIGHTS_ON_CPU = 300e6


class Probe:
    """A loaded backbone that many visitors look into; one forward at a time, since taps are hooks on the network.

    Args:
        run: whose levels, noise, arithmetic and ID statistics are used.
        backbone: the run's own.
        spec: of the run.
    """

    def __init__(self, run: Run, backbone: Backbone, spec: RunSpec):
        self.run, self.backbone, self.spec = run, backbone, spec
        self.levels = probe_lams(backbone.reach, run.levels)
        self.reference = run.moments("id_train")
        self._columns = feature_columns(run.taps)
        on_gpu = backbone.device.type == "cuda"
        self._precision = run.manifest.precision if on_gpu else "fp32"  # CPUs are slow in bf16
        self._sides: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, run: Run, *, device: str | None = None, fetch: bool = True) -> Probe:
        """Load the backbone of a run.

        Args:
            run: finished; its spec names places on this computer.
            device: CUDA where there is one when None, else the CPU.
            fetch: whether a backbone that is not on this computer may be fetched.

        Raises:
            BackboneError: it is too large for a CPU, not here, or not the one that the run measured.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        _check_effort(run, device)
        study = Study(run, Progress(), device=device)
        path = absolute(study.spec.backbone.path, run.path)
        if not fetch and not Path(path).expanduser().exists():
            raise BackboneError(f"{path} is not on this server, which fetches nothing for its visitors.")
        return cls(run, study.backbone, study.spec)

    @torch.inference_mode()
    def see(self, images: Sequence[ProbeImage], lam: float, draw: int, taps: Sequence[str]) -> Seen:
        """One forward for all images and taps: what the network is shown, makes of it, and how odd it finds it.

        Args:
            images: one or more.
            lam: a key of ``levels``, or any log-SNR that the backbone can match.
            draw: noise draw, from 0; those below ``run.draws`` are the run's own.
            taps: names of taps that the run measured.

        Raises:
            TapError: for a tap that the run did not measure.
        """
        level = self.levels.get(lam) or self.backbone.match(lam)
        position = nearest(level.lam, self.run.levels)
        chosen = select_taps(self.run.taps, taps)
        ids = [image.image_id for image in images]
        noise = keyed_noise(ids, draw + 1, self.backbone.input_shape, self.spec.seed)[draw]
        with self._lock:
            parts = self._read(np.stack([i.x0 for i in images]), noise, level, chosen)
            x_lam, x0_hat = parts["x_lam"], parts["x0_hat"]
            shown = [self._picture(v) for v in (x_lam / np.float32(np.hypot(level.a, level.b)), x0_hat)]
        return Seen(
            images=tuple(images),
            level=level,
            position=position,
            draw=draw,
            x_lam=x_lam,
            x0_hat=x0_hat,
            x_lam_picture=shown[0],
            x0_hat_picture=shown[1],
            taps={tap.name: self._view(tap, parts, position) for tap in chosen},
        )

    @torch.inference_mode()
    def where(self, image: ProbeImage, cells: Sequence[Cell]) -> Where:
        """Where in an image the score of one cell, or of a detector of several, comes from (theory 22, 23).

        Args:
            image: with the noise of its id, in the draws of the run.
            cells: one or more of the run.
        """
        with self._lock:
            found = cell_maps(
                self.run, self.backbone, self.spec, image.x0[None], [image.image_id], cells, precision=self._precision
            )
        maps = [of_cell[0].mean(axis=0, dtype=np.float64) for of_cell in found]
        score = float(np.mean([of_cell[0].mean() for of_cell in maps]))
        size = image.pixels.shape[1:] if any(of_cell[0].size > 1 for of_cell in maps) else (1, 1)
        whole = maps[0] if len(maps) == 1 else together(maps, size)
        return Where(whole.astype(np.float32), score)

    @torch.inference_mode()
    def channels(self, image: ProbeImage, cell: Cell, position: int) -> np.ndarray:
        """What each channel adds at a position of a cell's map: float32 (3, C), mean over the run's draws.

        Rows: to A_p by its mean, to A_p by its standard deviation, to B_p. Positions count row by row.
        """
        level, tap = self.run.levels[cell.level], self.run.taps[cell.tap]
        reading = ChannelParts(level, tap, self.reference.at(cell.level, self._columns[tap.name]), position)
        conditioning = conditioning_levels(self.spec, self.backbone, [level])
        noise = keyed_noise([image.image_id], self.run.draws, self.backbone.input_shape, self.spec.seed)
        with self._lock:  # a reader lays the network's weights out anew
            read = Reader(self.backbone, reading, precision=self._precision, conditioning=conditioning)
            found = read(image.x0[None], noise, [f"{self.spec.seed}|{image.image_id}"])
        return found[0, :, 0].mean(axis=0).reshape(3, tap.channels)

    def _read(self, x0: np.ndarray, noise: np.ndarray, level: Level, taps: Sequence[Tap]) -> dict[str, np.ndarray]:
        """The parts of ``ProbeReading``, each in its own shape, (n, ...)."""
        if not self._sides:
            self._sides = map_sides(self.backbone, self.run.taps, level)
        reading = ProbeReading(level, taps, self.backbone.input_shape, self._sides)
        conditioning = conditioning_levels(self.spec, self.backbone, [level])
        read = Reader(self.backbone, reading, batch_size=len(x0), precision=self._precision, conditioning=conditioning)
        found = read(x0, noise[None])[0, 0]  # (n, width)
        return {
            name: np.ascontiguousarray(found[:, part]).reshape(len(x0), *reading.shapes[name])
            for name, part in reading.columns.items()
        }

    def _picture(self, x: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W) of what is in the network's space."""
        decoded = self.backbone.decode(torch.from_numpy(x).to(self.backbone.device)).float().cpu().numpy()
        return to_bytes(decoded)

    def _view(self, tap: Tap, parts: dict[str, np.ndarray], position: int) -> TapView:
        snapshot, maps = parts[f"snapshot {tap.name}"], parts[f"maps {tap.name}"]
        at = self.reference.at(position, self._columns[tap.name])
        score = slot_scores(snapshot[None, None], at, {tap.name: slice(None)})[:, 0, 0, 0]
        z = (snapshot - at.mean[0]) / np.sqrt(at.variance[0])
        where = score_parts(torch.from_numpy(maps).flatten(2), *map(torch.from_numpy, (at.mean, at.variance)))
        return TapView(tap, snapshot, z, score, maps, where.numpy().reshape(len(maps), -1, *maps.shape[2:]))


def _check_effort(run: Run, device: str) -> None:
    backbone = run.manifest.backbone
    latent = backbone.input_shape is not None
    if device == "cpu" and (latent or backbone.parameters > MOST_WEIGHTS_ON_CPU):
        why = "works on latents" if latent else f"has {backbone.parameters / 1e6:,.0f} M weights"
        raise BackboneError(
            f"{backbone.name} {why}: on a CPU, each look would take many seconds. Start the app on a computer with a "
            "CUDA GPU, or choose an exploration with a smaller backbone."
        )
