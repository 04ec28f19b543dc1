"""How a network is fed at a level and how its output reads, for every kind of training (theory 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from cfs_explore.backbones.base import as_images
from cfs_explore.errors import BackboneError
from cfs_explore.levels import ContinuousFlow, ContinuousVE, DiscreteVP, Schedule


@dataclass(frozen=True)
class Conditioning:
    """How a network is fed at a level, and how its output reads. All functions take per-image amplitudes.

    Attributes:
        schedule: log-SNR <-> native.
        inputs: (x_lam (B, C, H, W), native (B,)) -> (network input, network conditioning (B,)).
        eps: (output, x_lam, native, a, b) -> estimated noise; a, b of shape (B, 1, 1, 1).
    """

    schedule: Schedule
    inputs: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    eps: Callable[..., torch.Tensor]

    def __post_init__(self) -> None:
        """BackboneError for a schedule without two different noise levels."""
        try:
            low, high = self.schedule.reach
        except (ValueError, TypeError, ArithmeticError) as error:
            raise BackboneError(f"The noise schedule has no log-SNRs ({error}): correct its numbers.") from error
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise BackboneError(
                f"The noise schedule ({self.schedule}) reaches log-SNRs from {low} to {high}; allowed are two "
                "different numbers, the noisier end first: correct its betas or sigmas."
            )


def linear_alphas_cumprod(steps: int) -> np.ndarray:
    """abar_t of the linear schedule (Ho et al. 2020): beta from 0.1 / T to 20 / T, float64 (T,)."""
    return np.cumprod(1.0 - np.linspace(0.1 / steps, 20.0 / steps, steps))


def cosine_alphas_cumprod(steps: int) -> np.ndarray:
    """abar_t of the cosine schedule (Nichol and Dhariwal 2021, equation 17), beta at most 0.999, float64 (T,)."""
    t = np.arange(steps + 1) / steps
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.cumprod(1.0 - np.minimum(1.0 - f[1:] / f[:-1], 0.999))


def scaled_linear_alphas_cumprod(steps: int, beta_start: float = 0.00085, beta_end: float = 0.012) -> np.ndarray:
    """abar_t of Stable Diffusion's schedule, sqrt(beta) linear, float64 (T,)."""
    return np.cumprod(1.0 - np.linspace(beta_start**0.5, beta_end**0.5, steps) ** 2)


def discrete(
    alphas_cumprod: np.ndarray, prediction: str = "epsilon", *, time_scale: float | None = None
) -> Conditioning:
    """DDPM family: input x_t, conditioning t, output eps, x0 or v (Salimans and Ho 2022).

    Args:
        alphas_cumprod: abar_t, (T,).
        prediction: "epsilon", "sample" or "v_prediction".
        time_scale: the network takes t times this, as a float; None: it takes the integer t.
    """
    readers = {
        "epsilon": lambda out, x, native, a, b: out,
        "sample": lambda out, x, native, a, b: (x - a * out) / b,
        "v_prediction": lambda out, x, native, a, b: a * out + b * x,
    }
    if prediction not in readers:
        raise BackboneError(f"prediction_type must be one of {', '.join(readers)}; got {prediction!r}.")

    def inputs(x: torch.Tensor, native: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, native.long() if time_scale is None else native * time_scale

    return Conditioning(DiscreteVP(alphas_cumprod), inputs, readers[prediction])


def variance_exploding(sigma_min: float, sigma_max: float, *, unit_images: bool) -> Conditioning:
    """Score-SDE VE (Song et al. 2021): conditioning sigma, output the score -e / sigma.

    Args:
        sigma_min, sigma_max: the trained range, in the network's own units.
        unit_images: the network was trained on images in [0, 1]: it is given (x + 1) / 2 and sigma / 2, the same
            signal-to-noise ratio.
    """
    scale = 0.5 if unit_images else 1.0

    def inputs(x: torch.Tensor, native: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (x + 1.0) / 2.0 if unit_images else x, native * scale

    def eps(out, x, native, a, b):
        return -as_images(native * scale) * out

    return Conditioning(ContinuousVE(sigma_min / scale, sigma_max / scale), inputs, eps)


def edm(sigma_min: float, sigma_max: float, sigma_data: float, *, sign: float = 1.0) -> Conditioning:
    """EDM preconditioning of a raw network (Karras et al. 2022, table 1): scaled input, noise label ln(sigma) / 4."""

    def inputs(x: torch.Tensor, native: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x / as_images((native**2 + sigma_data**2).sqrt()), 0.25 * native.log()

    def eps(out, x, native, a, b):
        sigma = as_images(native)
        c_skip = sigma_data**2 / (sigma**2 + sigma_data**2)
        c_out = sign * sigma * sigma_data / (sigma**2 + sigma_data**2).sqrt()
        return (x - (c_skip * x + c_out * out)) / sigma

    return Conditioning(ContinuousVE(sigma_min, sigma_max, rho=7.0), inputs, eps)


def denoiser(sigma_min: float, sigma_max: float) -> Conditioning:
    """A network that scales inside: it takes the unscaled x0 + sigma e and sigma, and gives D(x; sigma) = x0."""

    def eps(out, x, native, a, b):
        return (x - out) / as_images(native)

    return Conditioning(ContinuousVE(sigma_min, sigma_max, rho=7.0), lambda x, native: (x, native), eps)


def flow(s_min: float, s_max: float, *, time_scale: float) -> Conditioning:
    """Rectified flow: input (1 - s) x0 + s e, time s times ``time_scale``, output the velocity e - x0."""

    def eps(out, x, native, a, b):
        return x + a * out

    return Conditioning(ContinuousFlow(s_min, s_max), lambda x, native: (x, native * time_scale), eps)
