"""A run whose spec says that its sets are severities of some changes, two by two."""

import copy

from cfs_explore.store import Run

CHANGES = ("noisy", "brightened", "compressed", "pixelated")


def severe(run: Run) -> Run:
    """The run with as many series as it has pairs of OOD sets: the first of a pair at severity 2, the other at 5."""
    sets = [
        each
        | {"description": ""}
        | {"source": {"altered": CHANGES[k // 2], "severity": 2 + 3 * (k % 2), "of": "x.zip"}}
        for k, each in enumerate(run.manifest.spec["ood"])
    ]
    other = copy.copy(run)
    other.manifest = run.manifest.model_copy(update={"spec": run.manifest.spec | {"ood": sets}})
    return other
