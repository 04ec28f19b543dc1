"""The part of a spec that says what the stage of detectors reads."""

from __future__ import annotations

import pydantic

from cfs_explore.studies.detectors import IMAGES, TRAIN


class DetectorSettings(pydantic.BaseModel):
    """What the stage of detectors reads (theory 19, 20).

    Attributes:
        train, images: images at most, of ID-train and of each scored set.
        budget: forwards that it may take, as a multiple of the map's; spent from the cheapest detector on. None: 3, or
            what about a minute has room for, whichever is more (``studies.detectors.allowed_forwards``).
        copies: untrained copies of the network that the trained one is compared with; their spread is part of the
            interval (theory 29), which wants five. Each costs what the trained network costs.
        background: a bundle's name or a run directory whose backbone is the second one of ``likelihood_ratio``.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    train: int = pydantic.Field(default=TRAIN, ge=4)
    images: int = pydantic.Field(default=IMAGES, ge=4)
    budget: float | None = pydantic.Field(default=None, gt=0)
    copies: int = pydantic.Field(default=1, ge=1, le=20)
    background: str | None = None
