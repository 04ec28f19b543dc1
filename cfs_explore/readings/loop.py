"""The forward loop: images x levels x draws -> readings, in batches that fit into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Level
from cfs_explore.errors import BackboneError, CFSError
from cfs_explore.readings.arithmetic import PRECISIONS, arithmetic
from cfs_explore.readings.protocol import Batch, Reading
from cfs_explore.readings.side_by_side import lanes, side_by_side
from cfs_explore.readings.transfer import on_device
from cfs_explore.readings.watch import Watch

#: Begins what torch says when a CPU runs out of memory, on every platform; the rest of the message differs.
_CPU_ALLOCATOR = "DefaultCPUAllocator"

#: Rows per batch where the caller does not say.
DEFAULT_BATCH = {"cpu": 64, "cuda": 512}

#: Images that an autoencoder takes at once.
_ENCODED_AT_ONCE = 8


class Reader:
    """A backbone and a reading, ready to be shown images.

    Args:
        backbone: the frozen network.
        reading: what is read of it; levels, draws and images share batches.
        batch_size: rows at a time; on a CPU its cores share them. Halved, for good, when memory runs out.
        precision: "fp32" (no TF32), or "bf16" autocast.
        after_batch: called with the number of forwards just done, and with 0 every second or so where a reading takes
            more than one; may raise ``RunCancelled``.
        channels_last: convolutions are faster so, on CPUs too; False leaves the network's layout in memory as it is.
        conditioning: the level that the network is conditioned on at each of the reading's levels; None: the true one.

    Attributes:
        levels, columns: of the reading.
        width: number of features.
    """

    def __init__(
        self,
        backbone: Backbone,
        reading: Reading,
        *,
        batch_size: int | None = None,
        precision: str = "fp32",
        after_batch: Callable[[int], None] | None = None,
        channels_last: bool = True,
        conditioning: Sequence[Level] | None = None,
    ):
        if precision not in PRECISIONS:
            raise CFSError(f"The precision must be one of {', '.join(PRECISIONS)}; got {precision!r}.")
        self.backbone, self.reading = backbone, reading
        self.levels: tuple[Level, ...] = reading.levels
        self.columns: Mapping[str, slice] = reading.columns
        self.width = max((part.stop for part in reading.columns.values()), default=0)
        self.conditioning = self.levels if conditioning is None else tuple(conditioning)
        if len(self.conditioning) != len(self.levels):
            raise CFSError(f"{len(self.levels)} levels need as many in `conditioning`; got {len(self.conditioning)}.")
        self.batch_size = batch_size or DEFAULT_BATCH.get(backbone.device.type, 64)
        self.precision = precision
        self._after_batch = after_batch or (lambda done: None)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        if channels_last:
            backbone.module.to(memory_format=torch.channels_last)

    def __call__(
        self, x0: np.ndarray | torch.Tensor, noise: np.ndarray | torch.Tensor, ids: Sequence[str] | None = None
    ) -> np.ndarray:
        """The reading of a block of images.

        Args:
            x0: float32 (n, *image_shape) in [-1, 1]; it and the noise may lie in pinned memory (``transfer.pinned``).
            noise: float32 (draws, n, *input_shape).
            ids: of the images, for readings that draw more noise on their way.

        Returns:
            float32, or what the reading gives, (level, draw, n, width).

        Raises:
            BackboneError: the network gives values that are not finite.
        """
        return self.read(self.encode(x0), on_device(noise, self.backbone.device), ids)

    def encode(self, x0: np.ndarray | torch.Tensor) -> torch.Tensor:
        """What is corrupted, (n, *input_shape); in parts, since an autoencoder takes more memory than its latents."""
        images = on_device(x0, self.backbone.device)
        with self._mode():
            if self.backbone.input_shape == self.backbone.image_shape:
                return self.backbone.encode(images)
            return torch.cat([self.backbone.encode(part) for part in images.split(_ENCODED_AT_ONCE)])

    def read(self, clean: torch.Tensor, eps: torch.Tensor, ids: Sequence[str] | None = None) -> np.ndarray:
        """As ``__call__``, of images that are encoded already, with noise on the device."""
        shape = (len(self.levels), *eps.shape[:2])
        rows = int(np.prod(shape))
        out = None

        def forward(part: slice) -> np.ndarray:
            return self._forward(clean, eps, ids, *np.unravel_index(np.arange(part.start, part.stop), shape))

        start, watch = 0, Watch(self._after_batch)
        while start < rows:
            # torch has forward-mode derivatives on one thread at a time
            at_once = 1 if self.reading.cost.jvps else lanes(self.batch_size, self.backbone.device)
            try:
                with (
                    watch.on(self.backbone, self.reading.cost.forwards),
                    contextlib.closing(
                        side_by_side(watch.of(forward), start, rows, self.batch_size, at_once, watch.ask)
                    ) as parts,
                ):
                    for features in parts:
                        if out is None:
                            out = np.empty((rows, self.width), dtype=features.dtype)
                        stop = start + len(features)
                        out[start:stop] = features
                        self._check_finite(features, np.unravel_index(np.arange(start, stop), shape)[0])
                        watch.ask(len(features) * self.reading.cost.forwards)
                        start = stop
            except (torch.OutOfMemoryError, RuntimeError) as error:
                self._shrink(error)
        out = np.empty((0, self.width), dtype=np.float32) if out is None else out
        return out.reshape(*shape, self.width)

    @contextlib.contextmanager
    def _mode(self) -> Iterator[None]:
        """Forward-mode derivatives need tensors outside inference mode, and attention that is not fused."""
        with contextlib.ExitStack() as stack:
            if self.reading.cost.jvps:
                stack.enter_context(torch.no_grad())
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            else:
                stack.enter_context(torch.inference_mode())
            yield

    def _forward(self, clean: torch.Tensor, eps: torch.Tensor, ids: Sequence[str] | None, k, m, i) -> np.ndarray:
        """Features (B, width) of the rows (level k, draw m, image i), each (B,)."""
        batch = Batch(
            clean,
            eps,
            *(torch.from_numpy(index).to(clean.device) for index in (i, m)),
            levels=[self.levels[j] for j in k],
            conditioning=[self.conditioning[j] for j in k],
            layout=self._layout,
            keys=None if ids is None else [(ids[image], int(draw)) for image, draw in zip(i, m, strict=True)],
        )
        with self._mode():
            x = batch.x  # corrupted in float32, whatever the network computes in
            with arithmetic(x.device.type, self.precision):
                features = self.reading.read(self.backbone, batch)
        return features.cpu().numpy()

    def _check_finite(self, features: np.ndarray, k: np.ndarray) -> None:
        """Stop at a network that breaks: images are bytes, so that what is not finite (B, width) is its own doing."""
        if np.isfinite(features).all():
            return
        row, column = np.argwhere(~np.isfinite(features))[0]
        where = next(name for name, columns in self.columns.items() if columns.start <= column < columns.stop)
        n_rows = int((~np.isfinite(features)).any(axis=1).sum())
        hint = ", or run it with `precision: fp32`" if self.precision != "fp32" else ""
        raise BackboneError(
            f"{self.backbone.name} gives values that are not finite (NaN or infinity) for {n_rows} of the "
            f"{len(features)} forwards of a batch, first at the {self.reading.unit} {where} and log-SNR "
            f"{self.levels[k[row]].lam:.2f}. Nothing that is measured with it would mean anything: "
            f"use another checkpoint{hint}."
        )

    def _shrink(self, error: RuntimeError) -> None:
        """Halve the batch after running out of memory; re-raise anything else."""
        if not isinstance(error, torch.OutOfMemoryError) and _CPU_ALLOCATOR not in str(error):
            raise error
        if self.batch_size == 1:
            raise CFSError(
                f"One image at a time does not fit into the memory of {self.backbone.device}: use a smaller "
                "backbone or a machine with more memory."
            ) from error
        self.batch_size //= 2
        if self.backbone.device.type == "cuda":
            torch.cuda.empty_cache()
