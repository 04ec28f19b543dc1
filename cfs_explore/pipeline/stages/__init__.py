"""The diagnostic stages: each takes a ``Study`` and returns its tables; ``stages.STAGES`` says what they are."""

from collections.abc import Callable

import pandas as pd

from cfs_explore.pipeline.stages import (
    ablation,
    alignment,
    complementarity,
    conditioning,
    controls,
    levels,
    prediction,
    separation,
    stability,
)
from cfs_explore.pipeline.stages.study import Sample, Study

#: Stage name -> what computes its tables, by their names.
COMPUTE: dict[str, Callable[[Study], dict[str, pd.DataFrame]]] = {
    "complementarity": complementarity.compute,
    "separation": separation.compute,
    "stability": stability.compute,
    "prediction": prediction.compute,
    "controls": controls.compute,
    "ablation": ablation.compute,
    "levels": levels.compute,
    "alignment": alignment.compute,
    "conditioning": conditioning.compute,
}

__all__ = ["COMPUTE", "Sample", "Study"]
