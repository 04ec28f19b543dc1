"""How well the noise and the image are told at a level: what an ELBO, and all that is made of it, sums up."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.protocol import Batch


class LikelihoodTerms:
    """||e - eps||^2, ||eps||^2 and ||x0h - x0||^2 over pixels and channels, at each level, by one forward.

    Args:
        levels: where images are corrupted.
    """

    name = "likelihood_terms"
    unit = "statistic"
    columns = {"noise error": slice(0, 1), "noise": slice(1, 2), "image error": slice(2, 3)}  # noqa: RUF012
    cost = Cost(forwards=1, jvps=0, effective=1.0)

    def __init__(self, levels: Sequence[Level]):
        self.levels = tuple(levels)

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 3)."""
        a, b = (as_images(per_image(batch.conditioning, name, batch.images)).double() for name in ("a", "b"))
        eps = backbone.predict_eps(batch.x, batch.conditioning).double()
        estimate = (batch.x.double() - b * eps) / a  # x0h, without a second forward
        parts = (eps - batch.noise, eps, estimate - batch.x0)
        return torch.stack([part.square().flatten(1).sum(dim=1) for part in parts], dim=1)


class BackgroundTerms(LikelihoodTerms):
    """The same of another backbone, which is asked in place of the one that is read.

    Args:
        background: takes what the read backbone takes; it need not be of the same family or schedule.
        levels: matched by ``background``.
    """

    def __init__(self, background: Backbone, levels: Sequence[Level]):
        super().__init__(levels)
        self.background = background
        self.name = f"likelihood_terms of {background.name} ({background.fingerprint[:16]})"
        self.columns = {f"{name}, background": part for name, part in LikelihoodTerms.columns.items()}

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 3)."""
        return super().read(self.background, batch)


def same_space(one: Backbone, other: Backbone) -> bool:
    """Whether two backbones corrupt the same x0 of an image: the pixels, or latents of one autoencoder."""
    if one.image_shape != other.image_shape or one.input_shape != other.input_shape:
        return False
    if one.input_shape == one.image_shape:
        return True
    ramp = torch.linspace(-1, 1, one.image_shape[-1]).expand(1, *one.image_shape)
    with torch.inference_mode():
        found = [backbone.encode(ramp.to(backbone.device)).float().cpu() for backbone in (one, other)]
    return torch.allclose(*found, rtol=1e-3, atol=1e-3)
