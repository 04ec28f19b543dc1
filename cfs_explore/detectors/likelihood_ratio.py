"""The likelihoods of two backbones against each other (docs/detectors.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.densities import varying
from cfs_explore.detectors.likelihood import NLL, TERMS, nll
from cfs_explore.errors import CFSError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.protocol import Reading


class LikelihoodRatio(NLL):
    """log p_background(x) - log p(x), standardised on ID-train, with another frozen backbone as the background model.

    The original trains its background model on images with mutated pixels; here it is a network that learned from
    other data, with its own levels. So the cost is that of two backbones.

    Args:
        background: another backbone that takes the same images; in latent space it must share the autoencoder.
        lams, draws: as of ``NLL``.
    """

    title = "Likelihood ratio, two backbones"
    paper = "Ren et al. 2019 (arXiv 1906.02845)"
    variant = "two public backbones in place of a trained background model"
    meaning = "The image is less likely to this backbone than to one that learned from other images."

    def __init__(self, *, background: Backbone | None = None, lams: Sequence[float] | None = None, draws: int = 1):
        super().__init__(lams=lams, draws=draws)
        if background is not None and not hasattr(background, "predict_eps"):
            raise CFSError(f"background must be a backbone, from load_backbone. Got {background!r} instead.")
        self.background = background

    def readings(self, backbone: Backbone) -> list[Reading]:
        """Raises CFSError without a second backbone, or where it does not take the same images, or is the same."""
        from cfs_explore.readings.likelihood_terms import BackgroundTerms, same_space

        other = self.background
        if other is None:
            raise CFSError("A likelihood ratio needs a second network: give one as `background`.")
        if other.fingerprint == backbone.fingerprint:
            raise CFSError(f"The background must be another network than {backbone.name} itself.")
        if other.device != backbone.device:
            raise CFSError(f"The background must be on {backbone.device}, as {backbone.name}. It is on {other.device}.")
        if not same_space(backbone, other):
            raise CFSError(
                f"{backbone.name} takes {backbone.image_shape} as {backbone.input_shape}, the background {other.name} "
                f"{other.image_shape} as {other.input_shape}: both must see the same pixels, or the same latents."
            )
        terms = BackgroundTerms(other, self.levels(other))
        self.background_lams_ = np.array([level.lam for level in terms.levels])
        return [*super().readings(backbone), terms]

    def ratio(self, z: np.ndarray) -> np.ndarray:
        """log p_background - log p in nats, mean over draws, (image,)."""
        own = self.likelihood(z)
        lams = self.background_lams_
        errors = np.asarray(z, dtype=np.float64)[..., -TERMS * len(lams) :: TERMS].mean(axis=0)
        return own - nll(errors, lams, self.dimensions_)

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn mean and standard deviation of the ratio; FeatureError where ID images do not differ."""
        ratio = varying(self.ratio(z_train))
        self.mean_, self.std_ = float(ratio.mean()), float(ratio.std())
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,)."""
        mean = self.fitted("mean_")
        return (self.ratio(z) - mean) / self.std_

    def notes(self, backbone: Backbone) -> list[str]:
        background = [f"Background: {note}" for note in self.background.out_of_reach(self.requested(backbone))]
        return [*super().notes(backbone), f"Two backbones: {self.background.name} is the background.", *background]
