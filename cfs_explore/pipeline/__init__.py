"""From a spec to a finished run directory: prepare, measure, tabulate, assemble, diagnose."""

from cfs_explore.pipeline.diagnose import diagnose
from cfs_explore.pipeline.explore import claim, explore
from cfs_explore.pipeline.progress import Progress, ProgressEvent

__all__ = ["Progress", "ProgressEvent", "claim", "diagnose", "explore"]
