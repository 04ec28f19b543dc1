"""Train a small DDPM (Ho et al. 2020) and write it as a diffusers folder with fp16 safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch.nn import functional
from tqdm import trange

from cfs_explore import images
from cfs_explore.errors import SpecError
from cfs_explore.train.spec import TrainSpec


def train_ddpm(spec: TrainSpec, out: str | Path, *, device: str | None = None) -> Path:
    """Train by the simple noise-prediction loss and save the averaged weights.

    Args:
        spec: what to train.
        out: folder that receives ``unet/``, ``scheduler/`` and ``training.json`` (loss by step).
        device: torch device; CUDA where there is one, else the CPU.

    Returns:
        The folder, loadable by ``cfs_explore.load_backbone``.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(spec.seed)
    try:
        unet, average = (UNet2DModel(**spec.unet).to(device) for _ in range(2))
        scheduler = DDPMScheduler(**spec.scheduler)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SpecError(f"diffusers does not take these arguments of unet or scheduler: {error}") from error
    average.load_state_dict(unet.state_dict())
    shape = (unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
    data = torch.from_numpy(_load(spec.data, shape))
    optimiser = torch.optim.AdamW(unet.parameters(), lr=spec.learning_rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, total_iters=spec.steps)
    generator = torch.Generator().manual_seed(spec.seed)

    losses = []
    unet.train()
    with trange(spec.steps, desc="training", unit="step") as bar:
        for step in bar:
            x0 = data[torch.randint(len(data), (spec.batch_size,), generator=generator)]
            if spec.flip:
                mirrored = torch.rand(len(x0), 1, 1, 1, generator=generator) < 0.5
                x0 = torch.where(mirrored, x0.flip(-1), x0)
            noise = torch.randn(x0.shape, generator=generator)
            t = torch.randint(scheduler.config.num_train_timesteps, (len(x0),), generator=generator)
            x_t = scheduler.add_noise(x0, noise, t).to(device)
            loss = functional.mse_loss(unet(x_t, t.to(device)).sample, noise.to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
            optimiser.step()
            decay.step()
            _update_average(average, unet, min(spec.ema, (1 + step) / (10 + step)))
            losses.append(loss.item())
            if step % 50 == 0:
                bar.set_postfix(loss=f"{np.mean(losses[-100:]):.4f}")
    return _save(average, scheduler, losses, spec, Path(out))


@torch.no_grad()
def _update_average(average: torch.nn.Module, current: torch.nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), current.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _load(data: str | dict, shape: tuple[int, int, int]) -> np.ndarray:
    """Every image of a source as float32 (n, C, H, W) in [-1, 1]."""
    with images.open_source(data) as source:
        pixels = np.stack([images.to_input(source.read(i).pixels, shape) for i in range(len(source))])
    return pixels.astype(np.float32) / 127.5 - 1.0


def _save(unet: UNet2DModel, scheduler: DDPMScheduler, losses: list[float], spec: TrainSpec, out: Path) -> Path:
    unet.half().save_pretrained(out / "unet")
    scheduler.save_pretrained(out / "scheduler")
    window = max(1, len(losses) // 50)
    smooth = [float(np.mean(losses[i : i + window])) for i in range(0, len(losses), window)]
    record = {"spec": spec.model_dump(), "loss_every": window, "loss": smooth}
    (out / "training.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return out
