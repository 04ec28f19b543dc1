"""What a Jacobian-vector product costs on a backbone, and the second backbone that some detectors compare with."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from cfs_explore import detectors
from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import BackboneError, CFSError
from cfs_explore.locations import locate_run
from cfs_explore.pipeline.match import as_conditioned
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.noise_estimate import NoiseEstimate
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run

#: What plans count a Jacobian-vector product as, in forwards; afterwards its measured cost counts.
PLANNED = 2.0
#: Images and repeats of its timing.
TIMED, _REPEATS = 16, 5


def product_cost(backbone: Backbone, x0: np.ndarray, ids: Sequence[str], precision: str) -> float:
    """What a Jacobian-vector product takes beyond its forward, in forwards (theory 19): medians of one batch's times.

    Args:
        x0: a batch of images, float32 (n, *image_shape). ids: of the images.

    Returns:
        ``PLANNED`` where the network has no derivative.
    """
    try:
        (product,) = detectors.create("scoped_single").readings(backbone)
    except CFSError:
        return PLANNED
    noise, medians = keyed_noise(ids, 1, backbone.input_shape), []
    for reading in (NoiseEstimate(product.levels), product):
        reader = Reader(backbone, reading, batch_size=len(x0), precision=precision)
        reader(x0, noise, ids)
        times = []
        for _ in range(_REPEATS):
            since = time.perf_counter()
            reader(x0, noise, ids)
            times.append(time.perf_counter() - since)
        medians.append(float(np.median(times)))
    return max(medians[1] / medians[0] - 1, 0.0)


def backbone_of(name: str, device: torch.device) -> Backbone:
    """The backbone of another run, as that was measured.

    Raises:
        RunError: there is no such run. BackboneError: its backbone is another one by now.
    """
    path = locate_run(name)
    run, spec = open_run(path), RunSpec.parse(path / "spec.yaml")
    found = as_conditioned(spec, load_backbone(spec.backbone.path, device=str(device), **spec.backbone.options()))
    if found.fingerprint != run.manifest.backbone.fingerprint:
        raise BackboneError(f"{spec.backbone.path} is not the backbone that {run.name} was measured with.")
    return found
