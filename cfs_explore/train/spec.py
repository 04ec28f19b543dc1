"""What a training run is: data, network, optimisation. Read from YAML, validated field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pydantic

from cfs_explore.errors import SpecError
from cfs_explore.spec.files import explain, read_yaml


class TrainSpec(pydantic.BaseModel):
    """A small diffusion backbone.

    Attributes:
        family: what is trained (``families.FAMILIES``): "ddpm", a diffusers ``UNet2DModel`` that predicts the noise at
            discrete steps (Ho et al. 2020); "edm", the same network in EDM's preconditioning (Karras et al. 2022);
            "uvit", a U-ViT that predicts the noise in continuous time (Bao et al. 2023).
        data: an image source, as in a run's spec (a path, or ``{builtin: name, ...}``).
        network: keyword arguments of ``diffusers.UNet2DModel``, or of the U-ViT (``nets.uvit.Architecture``).
        schedule: keyword arguments of ``diffusers.DDPMScheduler`` or ``EDMEulerScheduler``; none for a U-ViT.
        start: a backbone of the same family and network whose weights are the first; None draws them. A relative
            path starts at the spec's folder.
        steps, batch_size, learning_rate: optimisation (AdamW, linear decay to a hundredth).
        warmup: steps in which the learning rate rises from zero.
        ema: decay of the weight average that is saved.
        flip: mirror images at random (not for digits or letters).
        bf16: compute in bfloat16 where that is safe (autocast); weights and averages stay float32.
        milestones: keep the first weights, and the averaged ones after 1, 2, 4, 8, ... steps, each as a backbone of its
            own in ``milestones/<step>``.
        seed: of initialisation, batches and noise.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    family: Literal["ddpm", "edm", "uvit"] = "ddpm"
    data: str | dict[str, Any]
    network: dict[str, Any]
    schedule: dict[str, Any] = {}
    start: str | None = None
    steps: int = pydantic.Field(gt=0)
    batch_size: int = pydantic.Field(default=64, gt=0)
    learning_rate: float = pydantic.Field(default=3e-4, gt=0)
    warmup: int = pydantic.Field(default=0, ge=0)
    ema: float = pydantic.Field(default=0.995, ge=0, lt=1)
    flip: bool = False
    bf16: bool = False
    milestones: bool = False
    seed: int = pydantic.Field(default=0, ge=-(2**63), lt=2**63)
    _folder: Path = pydantic.PrivateAttr(Path())

    @property
    def start_place(self) -> str | None:
        """``start`` as it can be loaded: a folder or file beside the spec where there is one, else a hub id."""
        beside = self._folder / (self.start or "")
        return str(beside) if self.start is not None and beside.exists() else self.start

    @classmethod
    def from_yaml(cls, path: str | Path) -> TrainSpec:
        """Read a spec; every mistake is a SpecError that names the field."""
        content = read_yaml(Path(path))
        try:
            spec = cls(**content)
        except pydantic.ValidationError as error:
            raise SpecError(f"{path} is not a training spec: {explain(error)}") from error
        spec._folder = Path(path).parent
        return spec
