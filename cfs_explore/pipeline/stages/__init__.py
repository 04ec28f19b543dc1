"""What computes each diagnostic of ``studies.DIAGNOSTICS``: ``compute`` takes a ``Study`` and returns its tables."""

from cfs_explore.pipeline.stages.pieces import Left
from cfs_explore.pipeline.stages.study import Sample, Study

__all__ = ["Left", "Sample", "Study"]
