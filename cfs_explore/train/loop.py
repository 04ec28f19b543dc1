"""The training: batches, steps, averages; it can be interrupted and goes on to the same weights."""

from __future__ import annotations

import contextlib
import copy
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from cfs_explore.backbones import device_of, load_backbone
from cfs_explore.store.milestones import FOLDER as MILESTONES
from cfs_explore.train.data import draw_batch, load_images
from cfs_explore.train.families import Trainee, make_trainee
from cfs_explore.train.progress import Progress, forget
from cfs_explore.train.samples import write_samples
from cfs_explore.train.spec import TrainSpec

#: Seconds between two looks at an unfinished training: state, averaged weights and samples.
_SAVE_SECONDS = 300.0
#: The learning rate ends at this part of its largest.
_LAST_RATE = 0.01


def train(
    spec: TrainSpec,
    out: str | Path,
    *,
    data: str | Path | None = None,
    device: str | None = None,
    fresh: bool = False,
) -> Path:
    """Train a backbone and save its averaged weights; where a training by this spec was interrupted, go on with it.

    Every few minutes, and when interrupted, the state is kept in ``out``; at the end the weights lie there in float16
    with ``training.json`` (losses, time) and ``samples.png``.

    Args:
        spec: what to train.
        out: folder for all that.
        data: where the images of ``spec.data`` lie, if elsewhere.
        device: torch device; CUDA where there is one, else the CPU.
        fresh: begin anew, even if ``out`` holds a training; nothing else in it is touched.

    Returns:
        What ``cfs_explore.load_backbone`` takes.

    Raises:
        SpecError: naming the field that does not fit, or the folder holds another training. SourceError: of the data.
    """
    out = Path(out)
    if fresh:
        forget(out)
    device = device_of(device)
    torch.manual_seed(spec.seed)
    trainee = make_trainee(spec)
    progress = _begin(spec, trainee, device)
    progress.restore(out)
    pixels = load_images(spec.data if data is None else str(data), trainee.shape)
    began, saved = time.monotonic() - progress.seconds, time.monotonic()

    def keep() -> Path:
        progress.seconds = time.monotonic() - began
        progress.save(out)
        place = _export(progress, trainee, out)
        write_samples(load_backbone(place, device=str(device)), out / "samples.png")
        return place

    progress.network.train()
    with _polite_stop() as stopped, tqdm(total=spec.steps, initial=progress.step, desc="training", unit="step") as bar:
        while progress.step < spec.steps:
            if spec.milestones and _is_milestone(progress.step):
                _export(progress, trainee, out / MILESTONES / f"{progress.step:06d}")
            progress.losses.append(_step(progress, trainee, pixels, device))
            bar.update()
            if progress.step % 50 == 0:
                bar.set_postfix(loss=f"{np.mean(progress.losses[-100:]):.4f}")
            if stopped.is_set():
                keep()
                raise KeyboardInterrupt(f"Stopped after {progress.step:,} of {spec.steps:,} steps; {out} goes on.")
            if time.monotonic() - saved > _SAVE_SECONDS:
                keep()
                saved = time.monotonic()
    place = keep()
    progress.finish(out)
    return place


@contextlib.contextmanager
def _polite_stop() -> Iterator[threading.Event]:
    """Ctrl-C and a request to end are noted, to be heard between two steps; elsewhere than in the main thread, not."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: stopped.set()) for kind in kinds]
    try:
        yield stopped
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def _begin(spec: TrainSpec, trainee: Trainee, device: torch.device) -> Progress:
    network = trainee.network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).requires_grad_(False).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=spec.learning_rate)
    return Progress(spec, network, average, optimiser, torch.Generator().manual_seed(spec.seed))


def _step(progress: Progress, trainee: Trainee, data: torch.Tensor, device: torch.device) -> float:
    """One step of the optimiser and of the average; returns the loss."""
    spec, step = progress.spec, progress.step
    x0 = draw_batch(data, spec.batch_size, progress.generator, flip=spec.flip)
    inputs, conditioning, target = (
        tensor.to(device, non_blocking=True) for tensor in trainee.objective(x0, progress.generator)
    )
    for group in progress.optimiser.param_groups:
        group["lr"] = spec.learning_rate * _rate(spec, step)
    with torch.autocast(device.type, torch.bfloat16, enabled=spec.bf16):
        output = trainee.call(progress.network, inputs, conditioning)
    loss = functional.mse_loss(output.float(), target)
    progress.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(progress.network.parameters(), 1.0)
    progress.optimiser.step()
    _update_average(progress.average, progress.network, min(spec.ema, (1 + step) / (10 + step)))
    return loss.item()


def _rate(spec: TrainSpec, step: int) -> float:
    """Part of the largest learning rate: up in the warm-up, then linearly down."""
    up = min(1.0, (step + 1) / spec.warmup) if spec.warmup else 1.0
    return up * (1.0 - (1.0 - _LAST_RATE) * step / spec.steps)


@torch.no_grad()
def _update_average(average: torch.nn.Module, current: torch.nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), current.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _is_milestone(step: int) -> bool:
    """Whether a number of steps is 0 or a power of two."""
    return step & (step - 1) == 0


def _export(progress: Progress, trainee: Trainee, out: Path) -> Path:
    """The averaged weights as a backbone."""
    return trainee.save(copy.deepcopy(progress.average).to(memory_format=torch.contiguous_format), out)
