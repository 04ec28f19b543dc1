"""What a training run is: data, network, optimisation. Read from YAML, validated field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic

from cfs_explore.errors import SpecError
from cfs_explore.spec import explain, read_yaml


class TrainSpec(pydantic.BaseModel):
    """A small DDPM: a diffusers ``UNet2DModel`` that predicts the noise on the linear-1000 schedule.

    Attributes:
        data: an image source, as in a run's spec (a path, or ``{builtin: name, ...}``).
        unet: keyword arguments of ``diffusers.UNet2DModel``.
        scheduler: keyword arguments of ``diffusers.DDPMScheduler``.
        steps, batch_size, learning_rate: optimisation (AdamW, linear decay to zero).
        ema: decay of the weight average that is saved.
        flip: mirror images at random (not for digits or letters).
        seed: of initialisation, batches and noise.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    data: str | dict[str, Any]
    unet: dict[str, Any]
    scheduler: dict[str, Any] = {}
    steps: int = pydantic.Field(gt=0)
    batch_size: int = pydantic.Field(default=64, gt=0)
    learning_rate: float = pydantic.Field(default=3e-4, gt=0)
    ema: float = pydantic.Field(default=0.995, ge=0, lt=1)
    flip: bool = False
    seed: int = 0

    @classmethod
    def from_yaml(cls, path: str | Path) -> TrainSpec:
        """Read a spec; every mistake is a SpecError that names the field."""
        content = read_yaml(Path(path))
        try:
            return cls(**content)
        except pydantic.ValidationError as error:
            raise SpecError(f"{path} is not a training spec: {explain(error)}") from error
