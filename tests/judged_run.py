"""A run as if its seal had been older than the measurement: bundles were sealed after theirs."""

import copy

from cfs_explore.pipeline.stages.sealed import verify
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run
from cfs_explore.store.seal import read_seal


def judged(run: Run, without: int = 0) -> Run:
    """The run with the tables that its seal would give, had it been made in 2020.

    Args:
        without: as many of its last sets are refused.
    """
    seal = read_seal(run.path).model_copy(update={"created": "2020-01-01T00:00:00+00:00"}).with_digest()
    tables = verify(run, seal, RunSpec.parse(run.path / "spec.yaml"))
    late = run.ood_names[len(run.ood_names) - without :]
    other = copy.copy(run)

    def table(name):
        if name not in tables:
            return run.table(name)
        rows = tables[name].assign(refused=["too late" if ood in late else "" for ood in tables[name]["ood"]])
        return rows.assign(seal=read_seal(run.path).digest) if "seal" in rows else rows

    other.table = table
    return other
