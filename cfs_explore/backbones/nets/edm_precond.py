"""Preconditioning around a raw network: D(x; sigma), an estimate of x0, from the unscaled x = x0 + sigma e.

Karras et al. 2022, table 1: D = c_skip x + c_out F(c_in x; c_noise). Arguments are named as in EDM's snapshots.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from cfs_explore.backbones.base import as_images
from cfs_explore.backbones.nets.dhariwal_unet import DhariwalUNet
from cfs_explore.backbones.nets.song_unet import SongUNet

NETWORKS: dict[str, type[nn.Module]] = {"SongUNet": SongUNet, "DhariwalUNet": DhariwalUNet}

#: Ends of EDM's sampler, for snapshots that record no range.
SAMPLER_SIGMAS = (0.002, 80.0)

Coefficients = tuple[torch.Tensor | float, torch.Tensor | float, torch.Tensor | float, torch.Tensor]


class Precond(nn.Module):
    """What the four kinds share; ``sigmas`` is the range of their training.

    Args:
        img_resolution, img_channels: of the image.
        label_dim: number of classes; 0 without.
        use_fp16: whether the network was run in half precision in training; here it is not.
        model_type: "SongUNet" or "DhariwalUNet".
        outputs: the network's output channels per image channel; only the first half of two is used.
        network: its other arguments.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        use_fp16: bool = False,
        *,
        model_type: str,
        outputs: int = 1,
        **network: Any,
    ):
        super().__init__()
        self.img_resolution, self.img_channels, self.label_dim = img_resolution, img_channels, label_dim
        self.sigmas = SAMPLER_SIGMAS
        self.model = NETWORKS[model_type](
            img_resolution, img_channels, outputs * img_channels, label_dim=label_dim, **network
        )

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, class_labels: torch.Tensor | None = None) -> torch.Tensor:
        """D(x; sigma).

        Args:
            x: x0 + sigma e, (B, C, H, W).
            sigma: (B,).
            class_labels: one-hot (B or 1, label_dim); None is the null class, all zeros.
        """
        if self.label_dim and class_labels is None:
            class_labels = x.new_zeros(1, self.label_dim)
        c_skip, c_out, c_in, c_noise = self.coefficients(sigma)
        raw = self.model(_times(c_in, x), c_noise, class_labels)[:, : self.img_channels]
        return torch.addcmul(_times(c_skip, x), as_images(c_out), raw)

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        """c_skip, c_out, c_in and c_noise, (B,) or 1."""
        raise NotImplementedError


class VPPrecond(Precond):
    """Variance-preserving SDE with linear beta; noise label (M - 1) t with t in [epsilon_t, 1]."""

    def __init__(
        self,
        *size: int,
        beta_d: float = 19.9,
        beta_min: float = 0.1,
        M: int = 1000,
        epsilon_t: float = 1e-5,
        model_type: str = "SongUNet",
        **network: Any,
    ):
        super().__init__(*size, model_type=model_type, **network)
        self.beta_d, self.beta_min, self.steps = beta_d, beta_min, M
        self.sigmas = self._sigma(epsilon_t), self._sigma(1.0)

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        log_variance = (1 + sigma**2).log()
        t = ((self.beta_min**2 + 2 * self.beta_d * log_variance).sqrt() - self.beta_min) / self.beta_d
        return 1.0, -sigma, 1 / (sigma**2 + 1).sqrt(), (self.steps - 1) * t

    def _sigma(self, t: float) -> float:
        return math.sqrt(math.expm1(0.5 * self.beta_d * t * t + self.beta_min * t))


class VEPrecond(Precond):
    """Variance-exploding SDE; noise label ln(sigma / 2)."""

    def __init__(
        self,
        *size: int,
        sigma_min: float = 0.02,
        sigma_max: float = 100.0,
        model_type: str = "SongUNet",
        **network: Any,
    ):
        super().__init__(*size, model_type=model_type, **network)
        self.sigmas = (sigma_min, sigma_max)

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        return 1.0, sigma, 1.0, (0.5 * sigma).log()


class iDDPMPrecond(Precond):  # noqa: N801 - the snapshots' name
    """Cosine schedule of iDDPM; noise label M - 1 - j, the step whose u_j is nearest to sigma. It learns variances."""

    def __init__(
        self,
        *size: int,
        C_1: float = 0.001,
        C_2: float = 0.008,
        M: int = 1000,
        model_type: str = "DhariwalUNet",
        **network: Any,
    ):
        super().__init__(*size, model_type=model_type, outputs=2, **network)
        self.steps = M
        u = _iddpm_sigmas(M, C_1, C_2)
        self.sigmas = float(u[M - 1]), float(u[0])
        self.register_buffer("u", torch.tensor(u, dtype=torch.float32))

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        nearest = (sigma[:, None] - self.u).abs().argmin(dim=1)
        return 1.0, -sigma, 1 / (sigma**2 + 1).sqrt(), (self.steps - 1 - nearest).float()


class EDMPrecond(Precond):
    """EDM's own: unit variance of input and target; noise label ln(sigma) / 4."""

    def __init__(
        self,
        *size: int,
        sigma_min: float = 0.0,
        sigma_max: float = math.inf,
        sigma_data: float = 0.5,
        model_type: str = "DhariwalUNet",
        **network: Any,
    ):
        super().__init__(*size, model_type=model_type, **network)
        self.sigma_data = sigma_data
        low, high = SAMPLER_SIGMAS
        self.sigmas = (sigma_min or low, high if math.isinf(sigma_max) else sigma_max)

    def coefficients(self, sigma: torch.Tensor) -> Coefficients:
        variance = sigma**2 + self.sigma_data**2
        c_out = sigma * self.sigma_data / variance.sqrt()
        return self.sigma_data**2 / variance, c_out, 1 / variance.sqrt(), sigma.log() / 4


PRECONDITIONERS: dict[str, type[Precond]] = {
    kind.__name__: kind for kind in (VPPrecond, VEPrecond, iDDPMPrecond, EDMPrecond)
}


def _times(factor: torch.Tensor | float, x: torch.Tensor) -> torch.Tensor:
    return x if isinstance(factor, float) else as_images(factor) * x


def _iddpm_sigmas(steps: int, c_1: float, c_2: float) -> np.ndarray:
    """u_j, decreasing to u_M = 0 (Karras et al. 2022, table 1), float64 (M + 1,)."""
    abar = np.sin(0.5 * np.pi * np.arange(steps + 1) / (steps * (c_2 + 1))) ** 2
    u = np.zeros(steps + 1)
    for j in range(steps, 0, -1):
        u[j - 1] = math.sqrt((u[j] ** 2 + 1) / max(abar[j - 1] / abar[j], c_1) - 1)
    return u
