"""The first loop: images x levels x draws -> snapshots. One forward per (image, level, draw) serves all taps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Level, Tap
from cfs_explore.corruption import array_ids, corrupt, keyed_noise
from cfs_explore.errors import BackboneError, CFSError, TapError
from cfs_explore.scoring import feature_columns
from cfs_explore.side_by_side import lanes, side_by_side
from cfs_explore.taps.capture import capture

PRECISIONS = ("fp32", "bf16")

#: Begins what torch says when a CPU runs out of memory, on every platform; the rest of the message differs.
_CPU_ALLOCATOR = "DefaultCPUAllocator"

#: Forwards per batch where the caller does not say.
DEFAULT_BATCH = {"cpu": 64, "cuda": 512}

#: Images that an autoencoder takes at once.
_ENCODED_AT_ONCE = 8


class Snapshots(Mapping):
    """Pooled activations by tap name: ``snaps[tap]`` is float32 (level, draw, image, 2C)."""

    def __init__(self, levels: Sequence[Level], taps: Sequence[Tap], features: Mapping[str, np.ndarray]):
        self.levels = tuple(levels)
        self.taps = tuple(taps)
        self._features = dict(features)

    def __getitem__(self, tap: str) -> np.ndarray:
        return self._features[tap]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


class Extractor:
    """A backbone with chosen levels and taps, ready to turn images into snapshots.

    Args:
        backbone: the frozen network.
        levels: where to corrupt; levels, draws and images share batches.
        taps: which sites to read; the forward stops after the last of them.
        batch_size: forwards at a time; on a CPU its cores share them. Halved, for good, when memory runs out.
        precision: "fp32" (no TF32), or "bf16" autocast.
        after_batch: called with the number of forwards just done; may raise ``RunCancelled``.
        conditioning: the level that the network is told at each of ``levels``; None tells it the true one.

    Attributes:
        width: total number of pooled features, sum of 2C.
        columns: tap name -> slice of the feature axis.
    """

    def __init__(
        self,
        backbone: Backbone,
        levels: Sequence[Level],
        taps: Sequence[Tap],
        *,
        batch_size: int | None = None,
        precision: str = "fp32",
        after_batch: Callable[[int], None] | None = None,
        conditioning: Sequence[Level] | None = None,
    ):
        if precision not in PRECISIONS:
            raise CFSError(f"The precision must be one of {', '.join(PRECISIONS)}; got {precision!r}.")
        self.backbone = backbone
        self.levels = tuple(levels)
        self.conditioning = self.levels if conditioning is None else tuple(conditioning)
        if len(self.conditioning) != len(self.levels):
            raise CFSError(f"{len(self.levels)} levels need as many to tell the network; got {len(self.conditioning)}.")
        self.taps = tuple(taps)
        self.batch_size = batch_size or DEFAULT_BATCH.get(backbone.device.type, 64)
        self.precision = precision
        self.columns = feature_columns(self.taps)
        self.width = sum(2 * t.channels for t in self.taps)
        self._after_batch = after_batch or (lambda done: None)
        backbone.module.to(memory_format=torch.channels_last)  # convolutions are faster so, on CPUs too

    def __call__(self, x0: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Snapshots of a block of images.

        Args:
            x0: float32 (n, *image_shape) in [-1, 1].
            noise: float32 (draws, n, *input_shape).

        Returns:
            float32 (level, draw, n, width).

        Raises:
            BackboneError: the network gives values that are not finite.
        """
        draws, n = noise.shape[:2]
        shape = (len(self.levels), draws, n)
        images, eps = (torch.from_numpy(np.ascontiguousarray(v)).to(self.backbone.device) for v in (x0, noise))
        clean = self._encode(images)
        out = np.empty((int(np.prod(shape)), self.width), dtype=np.float32)

        def forward(part: slice) -> np.ndarray:
            return self._forward(clean, eps, *np.unravel_index(np.arange(part.start, part.stop), shape))

        start = 0
        while start < len(out):
            at_once = lanes(self.batch_size, self.backbone.device)
            try:
                with contextlib.closing(side_by_side(forward, start, len(out), self.batch_size, at_once)) as parts:
                    for features in parts:
                        stop = start + len(features)
                        out[start:stop] = features
                        self._check_finite(features, np.unravel_index(np.arange(start, stop), shape)[0])
                        self._after_batch(len(features))
                        start = stop
            except (torch.OutOfMemoryError, RuntimeError) as error:
                self._shrink(error)
        return out.reshape(*shape, self.width)

    @torch.inference_mode()
    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """What is corrupted; in parts, since an autoencoder takes more memory than its latents."""
        if self.backbone.input_shape == self.backbone.image_shape:
            return self.backbone.encode(images)
        return torch.cat([self.backbone.encode(part) for part in images.split(_ENCODED_AT_ONCE)])

    @torch.inference_mode()
    def _forward(self, clean: torch.Tensor, eps: torch.Tensor, k, m, i) -> np.ndarray:
        """Pooled features (B, width) of the items (level k, draw m, image i), each (B,)."""
        levels = [self.levels[j] for j in k]
        m, i = (torch.from_numpy(index).to(clean.device) for index in (m, i))
        a, b = (as_images(per_image(levels, name, i)) for name in ("a", "b"))
        x = corrupt(clean[i], eps[m, i], a, b).contiguous(memory_format=torch.channels_last)
        names = [t.name for t in self.taps]
        with (
            arithmetic(x.device.type, self.precision),
            capture(self.backbone.module, names, self.backbone.activation) as features,
        ):
            self.backbone.forward(x, [self.conditioning[j] for j in k])
        return torch.cat([features[name] for name in names], dim=1).cpu().numpy()

    def _check_finite(self, features: np.ndarray, k: np.ndarray) -> None:
        """Stop at a network that breaks: images are bytes, so that what is not finite (B, width) is its own doing."""
        if np.isfinite(features).all():
            return
        row, column = np.argwhere(~np.isfinite(features))[0]
        tap = next(name for name, columns in self.columns.items() if columns.start <= column < columns.stop)
        n_rows = int((~np.isfinite(features)).any(axis=1).sum())
        hint = ", or run it with `precision: fp32`" if self.precision != "fp32" else ""
        raise BackboneError(
            f"{self.backbone.name} gives values that are not finite (NaN or infinity) for {n_rows} of the "
            f"{len(features)} forwards of a batch, first at the tap {tap} and log-SNR {self.levels[k[row]].lam:.2f}. "
            f"Nothing that is measured with it would mean anything: use another checkpoint{hint}."
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


def extract(
    backbone: Backbone,
    images: np.ndarray,
    lams: Sequence[float],
    taps: Sequence[str] | None = None,
    draws: int = 1,
    seed: int = 0,
    noise: np.ndarray | None = None,
    *,
    ids: Sequence[str] | None = None,
    alignment: str = "logsnr",
    batch_size: int | None = None,
    precision: str = "fp32",
) -> Snapshots:
    """Snapshots of an array of images (theory 2).

    Args:
        backbone: from ``load_backbone``.
        images: float (n, *image_shape) in [-1, 1].
        lams: requested log-SNRs.
        taps: names; None means all.
        draws: noise draws per image, when ``noise`` is None.
        seed: keys the noise, with the image ids.
        noise: given noise (draws, n, *input_shape) instead.
        ids: image ids that key the noise; None derives them from the pixels. Images of bytes (x = k / 127.5 - 1) have
            the ids that a run gives them, so that the same pixels and seed give what the run gives, where the run did
            not resize them nor turn grey into colour: ids are of the native pixels, so give those of the run then
            (``run.images(role, name)["image_id"]``).

    Returns:
        ``snaps[tap]``: float32 (level, draw, image, 2C).

    Raises:
        BackboneError: when the images do not fit the backbone. TapError: for an unknown tap.
    """
    images = check_images(images, backbone)
    wanted = (len(images), *backbone.input_shape)
    if noise is not None and noise.shape[1:] != wanted:
        raise CFSError(f"noise must be (draws, {', '.join(map(str, wanted))}); got {noise.shape}.")
    if ids is not None and len(ids) != len(images):
        raise CFSError(f"{len(images)} images need {len(images)} ids; got {len(ids)}.")
    levels = [backbone.match(lam, alignment) for lam in lams]
    chosen = select_taps(backbone.taps(), taps)
    extractor = Extractor(backbone, levels, chosen, batch_size=batch_size, precision=precision)
    draws = draws if noise is None else len(noise)
    ids = array_ids(images) if ids is None and noise is None else ids
    out = {t.name: np.empty((len(levels), draws, len(images), 2 * t.channels), dtype=np.float32) for t in chosen}
    for start in range(0, len(images), 256):
        part = slice(start, start + 256)
        eps = keyed_noise(ids[part], draws, backbone.input_shape, seed) if noise is None else noise[:, part]
        block = extractor(images[part], np.asarray(eps, dtype=np.float32))
        for name, columns in extractor.columns.items():
            out[name][:, :, part] = block[..., columns]
    return Snapshots(levels, chosen, out)


def check_images(images: np.ndarray, backbone: Backbone) -> np.ndarray:
    """Images as float32, or a BackboneError that names both shapes or the range."""
    images = np.asarray(images, dtype=np.float32)
    if images.ndim != 4 or images.shape[1:] != tuple(backbone.image_shape):
        raise BackboneError(
            f"{backbone.name} takes images of shape (n, {', '.join(map(str, backbone.image_shape))}); "
            f"got {images.shape}. Resize them, or choose another backbone."
        )
    if images.size and not (float(images.min()) >= -1.001 and float(images.max()) <= 1.001):
        raise BackboneError(
            f"Images must lie in [-1, 1]; got values from {images.min():.3g} to {images.max():.3g}. "
            "For bytes: x / 127.5 - 1."
        )
    return images


def select_taps(taps: Sequence[Tap], names: Sequence[str] | None) -> list[Tap]:
    """The named taps in execution order; all when None."""
    if names is None:
        return list(taps)
    unknown = sorted(set(names) - {t.name for t in taps})
    if unknown or not names:
        raise TapError(
            f"Unknown taps: {', '.join(unknown) or '(none given)'}. The backbone has: "
            f"{', '.join(t.name for t in taps)}."
        )
    return [t for t in taps if t.name in set(names)]


@contextlib.contextmanager
def arithmetic(device: str, precision: str) -> Iterator[None]:
    """bf16 autocast, or true fp32: cuDNN and cuBLAS would otherwise round to TF32."""
    with contextlib.ExitStack() as stack:
        if precision == "bf16":
            stack.enter_context(torch.autocast(device, torch.bfloat16))
        elif device == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(allow_tf32=False))
        yield
