"""The complementarity stage."""

from __future__ import annotations

import pandas as pd

from cfs_explore.pipeline.stages.study import Study


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """Tables of the stage."""
    raise NotImplementedError
