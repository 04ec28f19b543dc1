"""Detectors: readings of a backbone and a head on them, under one name.

    d = cfs.detectors.create("cfs_1x2", draws=5)          # or "cfs" with cells=[("up_blocks.1.resnets.1", 5.0)]
    d.fit(d.read(backbone, id_train, seed=0))             # readings: float32 (draw, image, feature)
    d.score(d.read(backbone, images, seed=0))             # (image,), higher = more OOD
    d.cost(backbone)                                      # forwards, jvps, effective, per image

A new detector is one file here that implements ``protocol.Detector``, and a line in ``_FACTORIES``. Importing this
room is light: torch loads when a backbone is read.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from numbers import Real

from cfs_explore.detectors.cells import CFS, HeadOnCells, composed
from cfs_explore.detectors.ddpm_ood import DDPMOOD, OneStep, SharedNoiseDDPMOOD
from cfs_explore.detectors.diffpath import DiffPath1D, DiffPath6D
from cfs_explore.detectors.diffpath_mbe import NoisedDiffPath1D, NoisedDiffPath6D
from cfs_explore.detectors.dose import DoSE
from cfs_explore.detectors.eigenscore import EigenScore
from cfs_explore.detectors.gepc import GEPC, ThreePartGEPC
from cfs_explore.detectors.layer_consistency import LayerConsistencyDetector
from cfs_explore.detectors.likelihood import NLL, BandRatio, InputComplexity, Typicality
from cfs_explore.detectors.likelihood_ratio import LikelihoodRatio
from cfs_explore.detectors.lmd import LMD
from cfs_explore.detectors.msma import MSMA, NoisyMSMA
from cfs_explore.detectors.protocol import Detector
from cfs_explore.detectors.scoped import SCOPED, SCOPEDSingle
from cfs_explore.errors import CFSError
from cfs_explore.heads import REGISTRY

#: Every detector by name; options are keywords.
_FACTORIES: dict[str, Callable[..., Detector]] = {
    "cfs": composed,
    "cfs_1x2": CFS,
    "cfs_dec_1x1": functools.partial(CFS, sides=("decoder",)),
    "cfs_enc_1x1": functools.partial(CFS, sides=("encoder",)),
    "cfs_2x2": functools.partial(CFS, lam=(7.0, 3.0)),
    **{f"head_{head}": functools.partial(HeadOnCells, head) for head in REGISTRY},
    "msma": MSMA,
    "msma_mbe": NoisyMSMA,
    "diffpath_1d": DiffPath1D,
    "diffpath_6d": DiffPath6D,
    "diffpath_1d_mbe": NoisedDiffPath1D,
    "diffpath_6d_mbe": NoisedDiffPath6D,
    "ddpm_ood": DDPMOOD,
    "ddpm_ood_mbe": SharedNoiseDDPMOOD,
    "one_step_mbe": OneStep,
    "gepc": GEPC,
    "gepc_mbe": ThreePartGEPC,
    "scoped": SCOPED,
    "scoped_signed": functools.partial(SCOPED, sign="sum"),
    "scoped_single": SCOPEDSingle,
    "eigenscore": EigenScore,
    "nll": NLL,
    "typicality": Typicality,
    "input_complexity": InputComplexity,
    "likelihood_ratio": LikelihoodRatio,
    "band_ratio": BandRatio,
    "dose": DoSE,
    "lmd_mse": LMD,
    "layer_consistency": LayerConsistencyDetector,
}

__all__ = ["Detector", "create", "described", "names"]


def names() -> tuple[str, ...]:
    """The names of all detectors."""
    return tuple(_FACTORIES)


def described(name: str) -> Detector:
    """A detector for what it says of itself, with no more options than it cannot do without."""
    return create(name, **({"cells": [("mid_block", 5.0)]} if name == "cfs" else {}))


def create(name: str, **options) -> Detector:
    """A detector that is not fitted yet.

    Args:
        name: one of ``names()``.
        options: of this detector, such as draws, lam, cells.

    Raises:
        CFSError: an unknown name or option, or one that is missing.
    """
    if name not in _FACTORIES:
        raise CFSError(f"A detector must be one of {', '.join(_FACTORIES)}. Got {name!r} instead.")
    signature = inspect.signature(_FACTORIES[name])
    try:
        signature.bind(**options)
    except TypeError as error:
        raise CFSError(f"{name}: {error}. Its options are: {', '.join(signature.parameters)}.") from error
    for option in ("lams", "components"):
        if options.get(option) is not None and not _are_numbers(options[option]):
            raise CFSError(
                f"{name}: {option} must be one or more numbers, such as [5, 3]. Got {options[option]!r} instead."
            )
    detector = _FACTORIES[name](**options)
    detector.name = name
    return detector


def _are_numbers(values: object) -> bool:
    given = list(values) if isinstance(values, Iterable) else []
    return bool(given) and all(isinstance(each, Real) for each in given)
