"""diffusers ``UNet2DModel`` networks, from a pipeline folder or a bare network folder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from cfs_explore.backbones.base import as_images, per_image
from cfs_explore.backbones.diffusers_schedule import NAMED_SCHEDULES, Conditioning, read_scheduler
from cfs_explore.backbones.fingerprint import fingerprint_module
from cfs_explore.backbones.sites import measure_taps
from cfs_explore.contracts import Level, Tap
from cfs_explore.errors import BackboneError
from cfs_explore.levels import out_of_reach

_SITES = re.compile(
    r"conv_in|conv_act|(down_blocks|up_blocks)\.\d+\.(resnets|attentions|downsamplers|upsamplers)\.\d+"
    r"|(down_blocks|up_blocks)\.\d+\.resnet_(down|up)|mid_block\.(resnets|attentions)\.\d+"
)
_REGIONS = {"conv_in": "input", "down_blocks": "encoder", "mid_block": "middle", "up_blocks": "decoder"}


class UNet2D:
    """A ``UNet2DModel`` with the conditioning that its scheduler implies; see ``Backbone`` for the members.

    Args:
        module: the network, in eval mode.
        conditioning: what its scheduler says.
        name: what a user sees.
    """

    family = "unet2d"

    def __init__(self, module: torch.nn.Module, conditioning: Conditioning, name: str):
        side = module.config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        self.module = module.eval().requires_grad_(False)
        self.name = name
        self.image_shape = (module.config.in_channels, height, width)
        self.parameters = sum(p.numel() for p in module.parameters())
        self.fingerprint = fingerprint_module(module, conditioning.schedule)
        self._conditioning = conditioning
        self._taps: tuple[Tap, ...] | None = None

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    @property
    def reach(self) -> tuple[float, float]:
        return self._conditioning.schedule.reach

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        return self._conditioning.schedule.match(lam, alignment)

    def out_of_reach(self, lams: Sequence[float]) -> list[str]:
        return out_of_reach(self._conditioning.schedule, list(lams))

    def forward(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        inputs, native = self._conditioning.inputs(x, per_image(level, "native", x))
        return self.module(inputs, native, return_dict=False)[0]

    def predict_eps(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        a, b = (as_images(per_image(level, key, x)) for key in ("a", "b"))
        out = self.forward(x, level)[:, : self.image_shape[0]]  # learned variances, if any, follow the mean
        return self._conditioning.eps(out, x, per_image(level, "native", x), a, b)

    def predict_x0(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        a, b = (as_images(per_image(level, key, x)) for key in ("a", "b"))
        return (x - b * self.predict_eps(x, level)) / a

    def taps(self) -> tuple[Tap, ...]:
        if self._taps is None:
            sites = {
                name: (_REGIONS.get(name.split(".")[0], "output"), _kind(name))
                for name, _ in self.module.named_modules()
                if _SITES.fullmatch(name)
            }
            self._taps = measure_taps(self, sites)
        return self._taps

    def untrained(self, seed: int) -> UNet2D:
        with torch.random.fork_rng(devices=[]):  # on the CPU, so that a seed gives one network on every device
            torch.manual_seed(seed)
            module = type(self.module).from_config(self.module.config)
        return UNet2D(module.to(self.device), self._conditioning, f"{self.name}, untrained ({seed})")


def recognise_unet2d(folder: Path) -> bool:
    """Whether a folder holds a ``UNet2DModel``, directly or as the ``unet`` of a pipeline."""
    return any(_class_name(path) == "UNet2DModel" for path in _config_paths(folder))


def load_unet2d(folder: Path, *, schedule: str | None = None, device: torch.device, name: str) -> UNet2D:
    """Load from a diffusers pipeline folder (``unet/``, ``scheduler/``) or a bare ``UNet2DModel`` folder.

    Args:
        folder: local folder; weights must be safetensors.
        schedule: a key of ``NAMED_SCHEDULES``, needed when the folder holds no scheduler.
        device: where to put the network.
        name: what a user sees.

    Raises:
        BackboneError: naming the file or choice that is missing.
    """
    from diffusers import UNet2DModel

    home = next(path.parent for path in _config_paths(folder) if _class_name(path) == "UNet2DModel")
    try:
        module = UNet2DModel.from_pretrained(home, use_safetensors=True, low_cpu_mem_usage=False)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BackboneError(
            f"{home} is a UNet2DModel folder, but its weights did not load as safetensors: {error}"
        ) from error
    if module.config.sample_size is None:
        raise BackboneError(f"{home / 'config.json'} has no sample_size; add the image side of its training.")
    if module.class_embedding is not None:
        raise BackboneError(f"{home} is class-conditional; snapshots need an unconditional UNet2DModel.")
    config = _scheduler_config(folder, home, schedule)
    conditioning = read_scheduler(config, centers_input=bool(module.config.center_input_sample))
    return UNet2D(module.to(device), conditioning, name)


def _scheduler_config(folder: Path, home: Path, schedule: str | None) -> dict:
    if schedule is not None:
        if schedule not in NAMED_SCHEDULES:
            raise BackboneError(f"The schedule must be one of {', '.join(NAMED_SCHEDULES)}; got {schedule!r}.")
        return NAMED_SCHEDULES[schedule]
    for parent in (folder / "scheduler", folder, home.parent / "scheduler"):
        path = parent / "scheduler_config.json"
        if path.is_file():
            return _read_json(path)
    raise BackboneError(
        f"{folder} holds a network but no scheduler/scheduler_config.json, so its noise schedule is unknown. "
        f"Name it with `schedule`: one of {', '.join(NAMED_SCHEDULES)}."
    )


def _config_paths(folder: Path) -> list[Path]:
    return [path for path in (folder / "unet" / "config.json", folder / "config.json") if path.is_file()]


def _class_name(path: Path) -> str:
    return str(_read_json(path).get("_class_name", ""))


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise BackboneError(f"{path} must hold a JSON object; it holds a {type(content).__name__}.")
    return content


def _kind(name: str) -> str:
    for part, kind in (
        ("resnet_down", "downsampler"),
        ("resnet_up", "upsampler"),
        ("resnets", "resnet"),
        ("attentions", "attention"),
        ("downsamplers", "downsampler"),
        ("upsamplers", "upsampler"),
    ):
        if part in name:
            return kind
    return "conv"
