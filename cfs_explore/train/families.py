"""The families that can be trained: a spec's network, its objective, its weights in the family's own format."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import DDPMScheduler, EDMEulerScheduler, UNet2DModel
from safetensors.torch import save_file

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.checkpoint import UNFIT, build_on_meta
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.nets.uvit import Architecture, UViT
from cfs_explore.backbones.uvit_family import BETAS, LAST_STEP, T_MIN, VP_SDE
from cfs_explore.errors import BackboneError, SpecError
from cfs_explore.train import objectives
from cfs_explore.train.spec import TrainSpec

_WEIGHTS = "uvit.safetensors"
_MOST_PARAMETERS, _LONGEST_SIDE = 2_000_000_000, 1_024


@dataclass(frozen=True)
class Trainee:
    """A network in training.

    Attributes:
        network: with its first weights.
        shape: (C, H, W) of its images.
        objective: what it is asked for.
        call: (network, input, conditioning) -> output.
        save: writes a network of this kind, in float16, into a folder that ``load_backbone`` takes.
    """

    network: torch.nn.Module
    shape: tuple[int, int, int]
    objective: objectives.Objective
    call: Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
    save: Callable[[torch.nn.Module, Path], Path]


def make_trainee(spec: TrainSpec) -> Trainee:
    """The network of a spec; its weights come from torch's global generator, or from ``spec.start``.

    Raises:
        SpecError: naming the arguments that the network or the schedule does not take. BackboneError: of ``start``.
    """
    trainee = _MAKERS[spec.family](spec)
    if spec.start is not None:
        first = load_backbone(spec.start_place, device="cpu").module.state_dict()
        own = trainee.network.state_dict()
        if {name: tensor.shape for name, tensor in first.items()} != {name: t.shape for name, t in own.items()}:
            raise SpecError(f"start: the network in {spec.start} is not the one that this spec describes.")
        trainee.network.load_state_dict(first)
    return trainee


def _ddpm(spec: TrainSpec) -> Trainee:
    network, scheduler = _unet(spec), _scheduler(DDPMScheduler, spec)
    return _unet_trainee(network, scheduler, objectives.noise_at_steps(scheduler.alphas_cumprod))


def _edm(spec: TrainSpec) -> Trainee:
    network, scheduler = _unet(spec), _scheduler(EDMEulerScheduler, spec)
    return _unet_trainee(network, scheduler, objectives.edm(scheduler.config.sigma_data))


def _unet(spec: TrainSpec) -> UNet2DModel:
    planned = build_on_meta(_built, UNet2DModel, "network", spec.network)
    count = sum(value.numel() for value in planned.parameters())
    if count > _MOST_PARAMETERS:
        raise SpecError(f"network: it has {count:,} parameters; at most {_MOST_PARAMETERS:,} are trained here.")
    network = _built(UNet2DModel, "network", spec.network)
    side = network.config.sample_size
    if not isinstance(side, int) or not 1 <= side <= _LONGEST_SIDE:
        raise SpecError(
            f"network.sample_size: give the side of the images, a whole number from 1 to {_LONGEST_SIDE:,}."
        )
    for name in ("in_channels", "out_channels"):
        if type(network.config[name]) is not int or network.config[name] < 1:
            raise SpecError(f"network.{name}: give the number of the images' channels, a whole number from 1 on.")
    x = torch.zeros(1, network.config.in_channels, network.config.sample_size, network.config.sample_size)
    try:
        with torch.no_grad():
            shape = network.eval()(x, 1, return_dict=False)[0].shape
    except UNFIT as error:
        raise SpecError(f"network: it does not compute an image of its own size: {str(error)[:300]}") from error
    if shape != x.shape:
        raise SpecError(f"network: it makes {tuple(shape)} of images {tuple(x.shape)}; both must be the same.")
    return network


def _scheduler(kind: Callable[..., Any], spec: TrainSpec) -> Any:
    """The scheduler of a spec, whose noise levels were looked at before they take memory."""
    try:
        read_scheduler({"_class_name": kind.__name__} | spec.schedule, centers_input=False)
    except BackboneError as error:
        raise SpecError(f"schedule: {error}") from error
    return _built(kind, "schedule", spec.schedule)


def _unet_trainee(network: UNet2DModel, scheduler: Any, objective: objectives.Objective) -> Trainee:
    def save(trained: torch.nn.Module, out: Path) -> Path:
        trained.half().save_pretrained(out / "unet")
        scheduler.save_pretrained(out / "scheduler")
        return out

    side = network.config.sample_size
    shape = (network.config.in_channels, side, side)
    return Trainee(network, shape, objective, lambda net, x, t: net(x, t, return_dict=False)[0], save)


def _uvit(spec: TrainSpec) -> Trainee:
    if spec.schedule:
        raise SpecError("schedule: a U-ViT is trained on the VP SDE and takes no arguments here.")
    network = UViT(_built(Architecture, "network", spec.network))
    network.apply(_as_published)
    kind = network.architecture

    def save(trained: torch.nn.Module, out: Path) -> Path:
        out.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.half().contiguous() for name, tensor in trained.state_dict().items()}, out / _WEIGHTS)
        settings = {"num_heads": kind.num_heads, "schedule": VP_SDE}
        (out / _WEIGHTS).with_suffix(".yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        return out / _WEIGHTS

    shape = (kind.in_chans, kind.img_size, kind.img_size)
    return Trainee(network, shape, objectives.noise_in_time(*BETAS, T_MIN, LAST_STEP), torch.nn.Module.__call__, save)


def _as_published(module: torch.nn.Module) -> None:
    """First weights of linear layers as U-ViT's authors draw them: a truncated normal, zero biases."""
    if isinstance(module, torch.nn.Linear):
        torch.nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)


def _built(kind: Callable[..., Any], field: str, arguments: dict[str, Any]) -> Any:
    """An object of these arguments, which a person wrote."""
    allowed = set(inspect.signature(kind).parameters)
    if unknown := sorted(set(arguments) - allowed):
        raise SpecError(
            f"{field}: {', '.join(unknown)} is not an argument of {kind.__name__}. There are: {', '.join(allowed)}."
        )
    try:
        return kind(**arguments)
    except UNFIT as error:
        raise SpecError(f"{field}: {kind.__name__} does not take these arguments: {error}") from error


_MAKERS: dict[str, Callable[[TrainSpec], Trainee]] = {"ddpm": _ddpm, "edm": _edm, "uvit": _uvit}
