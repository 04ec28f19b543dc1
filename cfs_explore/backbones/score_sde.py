"""Score-SDE in PyTorch (Song et al. 2021): NCSN++, DDPM++ and DDPM under the VE, VP or sub-VP SDE, a .pth file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.checkpoint import build_on_meta, is_checkpoint, load_strict, read_checkpoint
from cfs_explore.backbones.conditioning import Conditioning, discrete, variance_exploding
from cfs_explore.backbones.nets.ncsnpp import NCSNpp
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.request import Request
from cfs_explore.backbones.score_sde_config import ScoreSde, configure
from cfs_explore.backbones.score_sde_keys import HINT, is_score_sde
from cfs_explore.backbones.score_sde_levels import ContinuousSubVP, DiscreteVE
from cfs_explore.errors import BackboneError
from cfs_explore.levels import ContinuousVP

#: Smallest time of the training.
_T_MIN = 1e-5

#: The conditioning of a continuous VP network at time 1.
_LAST_STEP = 999.0

_KINDS = {
    "conv": "conv",
    "resnet": "resnet",
    "attention": "attention",
    "down": "downsampler",
    "down conv": "downsampler",
    "residual": "conv",
    "combine": "conv",
    "up": "upsampler",
    "up conv": "upsampler",
    "norm": "block",
}


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a file holds weights under the names ``all_modules.N``."""
    return is_checkpoint(source) and is_score_sde(read_checkpoint(source, weights).tensors)


def load(request: Request) -> Network:
    """Load a checkpoint of Score-SDE, a training checkpoint or a state dict; EMA weights where there are some.

    Raises:
        BackboneError: naming the field that is missing, or what does not fit.
    """
    chosen_class(request, None)
    checkpoint = read_checkpoint(request.source, request.weights)
    tensors = checkpoint.tensors
    config = configure(request, tensors)
    sigmas = config.sigmas.float()
    try:
        module = build_on_meta(NCSNpp, config.architecture, sigmas)
    except (ValueError, ZeroDivisionError) as error:
        raise BackboneError(f"{request.source} has channels that cannot be normalised in groups: {error}.") from error
    load_strict(module, {"sigmas": sigmas} | tensors, source=request.source, hint=HINT)

    def fresh() -> NCSNpp:
        return NCSNpp(config.architecture, sigmas.clone())

    side = config.image_size
    return Network(
        module.to(request.device),
        conditioning_of(config),
        family="score-sde",
        name=request.name,
        input_shape=(config.architecture.num_channels, side, side),
        sites=sites_of(module),
        fresh=fresh,
        notes=checkpoint.notes,
        identity=(config.sde, repr(config.architecture)),
    )


def sites_of(module: NCSNpp) -> dict[str, tuple[str, str]]:
    """Layer name -> (region, kind), without the embedding's."""
    return {
        f"all_modules.{i}": (region, _KINDS[role])
        for i, (region, role) in enumerate(module.plan)
        if region != "embedding"
    }


def conditioning_of(config: ScoreSde) -> Conditioning:
    """How the network is fed: VE networks give the score, the others -std times the score, which is the noise."""
    unit_images = not config.architecture.centered
    if config.sde == "vesde":
        low, high = float(config.sigmas[-1]), float(config.sigmas[0])
        own = variance_exploding(low, high, unit_images=unit_images)
        return own if config.continuous else _indexed(config.sigmas, unit_images)
    if config.sde == "vpsde" and not config.continuous:
        steps = len(config.sigmas)
        return discrete(np.cumprod(1.0 - np.linspace(config.beta_min / steps, config.beta_max / steps, steps)))
    schedule = ContinuousSubVP if config.sde == "subvpsde" else ContinuousVP
    return Conditioning(
        schedule(config.beta_min, config.beta_max, _T_MIN),
        lambda x, native: (x, native * _LAST_STEP),
        lambda out, x, native, a, b: out,
    )


def _indexed(sigmas: torch.Tensor, unit_images: bool) -> Conditioning:
    """Discrete VE (SMLD): conditioned on the index of sigma, from the highest; output the score of its own images."""
    scale = 0.5 if unit_images else 1.0  # as in ``variance_exploding``
    return Conditioning(
        DiscreteVE((sigmas / scale).numpy()),
        lambda x, native: ((x + 1.0) / 2.0 if unit_images else x, native.long()),
        lambda out, x, native, a, b: -b * scale * out,
    )
