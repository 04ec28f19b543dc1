"""Workers of a run in processes of their own that take a moment for each shard and piece, so that they can be killed.

A fork server loads this file once: a worker that is started again is there at once.
"""

import contextlib
import functools
import multiprocessing
import os
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

import scipy.special
import scipy.stats  # noqa: F401 - and the next: what a worker would load later
import sklearn.neighbors  # noqa: F401
import torch

from cfs_explore import jobs
from cfs_explore.engine.leases import Leases
from cfs_explore.errors import CFSError
from cfs_explore.pipeline import claim
from cfs_explore.pipeline.crew import join
from cfs_explore.pipeline.shards import SetShards
from cfs_explore.pipeline.stages import controls, stability  # noqa: F401 - likewise
from cfs_explore.pipeline.stages.pieces import Pieces
from cfs_explore.spec import RunSpec

#: Seconds that each shard and piece takes, and after which a worker is lost.
SECONDS, LOST = 0.3, 1.5


def processes():
    """What starts workers from the fork server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["slow_workers"])
    # It does not search the path of the tests (Python before 3.13), and says nothing when it finds no such file.
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with mock.patch.dict(os.environ, PYTHONPATH=path):
        forkserver.ensure_running()
    return context


def lead(spec: Path, out: Path, log: Path) -> None:
    """The leader of a run, as ``cfs-explore run`` is."""
    with _slow(log):
        claim(RunSpec.parse(spec), out)
        jobs.work(out, device="cpu")


def help_out(out: Path, log: Path) -> None:
    """A helper, as ``cfs-explore work`` is."""
    with _slow(log):
        join(out, device="cpu", patience=float("inf"))


def help_and_count(out: Path, counts, slow: bool) -> None:
    """A helper; puts "ready", then its number of pieces, or the error's name, into a queue."""
    torch.set_num_threads(1)
    if slow:
        Pieces._compute = _slowly(Pieces._compute)
    counts.put("ready")
    try:
        counts.put(join(out, device="cpu", patience=float("inf")))
    except CFSError as error:
        counts.put(type(error).__name__)


@contextlib.contextmanager
def _slow(log: Path):
    """Slow shards and pieces, one thread, and what goes wrong in a file."""
    torch.set_num_threads(1)
    Leases.__init__.__kwdefaults__.update(lost=LOST, pulse=0.2)
    for owner, name in ((SetShards, "compute"), (Pieces, "_compute")):
        setattr(owner, name, _slowly(getattr(owner, name)))
    try:
        yield
    except CFSError as error:
        with log.open("a") as file:
            file.write(f"{error}\n")
        sys.exit(1)


def _slowly(function):
    @functools.wraps(function)
    def call(*arguments):
        time.sleep(SECONDS)
        return function(*arguments)

    return call
