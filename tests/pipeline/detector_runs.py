"""Copies of small runs in which the stage of detectors is measured."""

import shutil

import pytest

from cfs_explore import detectors
from cfs_explore.pipeline.detector_settings import set_detectors
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.store import open_run

#: Every detector that a run measures.
NAMES = [name for name in detectors.names() if name not in ("cfs", "head_diag")]


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of a run to measure in, with these settings in its spec."""

    def copy(run, **settings):
        path = tmp_path_factory.mktemp("detectors") / "run"
        shutil.copytree(run.path, path)
        set_detectors(path, settings)
        return open_run(path)

    return copy


def measure(run, backbone, **options):
    return run_stages(Study(run, Progress(**options), backbone=backbone), ["detectors"])
