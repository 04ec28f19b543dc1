"""Many workers on one run: the leader folds shards in order, helpers on any computer that sees the folder compute them.

Every number is that of a single worker with as many threads: a shard's arrays do not depend on who computes them, and
their moments are merged in the order of the shards.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.engine import Crew, Leases, clear
from cfs_explore.errors import RunError
from cfs_explore.pipeline import board as boards
from cfs_explore.pipeline import reuse
from cfs_explore.pipeline.board import PATIENCE, PAUSE, Board, Closed, Lead, stop_if
from cfs_explore.pipeline.match import as_conditioned
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.prepare import plan_sets
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.shards import SetShards, stored_moments
from cfs_explore.pipeline.stage_help import help_stages
from cfs_explore.pipeline.trial import take_part
from cfs_explore.spec import RunSpec
from cfs_explore.store import write_json

#: Shards that may be computed ahead of the one that is wanted, per worker and at least.
AHEAD, FEWEST_AHEAD = 3, 6
#: A helper whose shard takes this many times as long as any before, and this many seconds at least, hangs.
SLOW, LEAST_SECONDS = 20, 600.0


class Leader:
    """The leader's part in a map: it opens the shards to others, takes their results in order, and computes, too.

    Args:
        lead: of the run.
        measurement: under way.
        progress: advanced by what others have computed.
    """

    def __init__(self, lead: Lead, measurement: Measurement, progress: Progress):
        lead.begin()
        self._lead, self._measurement, self._progress = lead, measurement, progress
        self._sets: dict[str, SetShards] = {}
        self._wanted: dict[str, int] = {}
        self._own: set[str] = set()
        self._crew = Crew(lead.folder, lead.leases)

    def open(self, sets: Sequence[SetShards]) -> None:
        """Let others compute the shards of these sets, and of no others any more."""
        self._sets = {each.work.folder.name: each for each in sets}
        self._wanted = {key: len(each.done) for key, each in self._sets.items()}
        self._tell()
        self._lead.tell(boards.facts_of(self._measurement) | {"sets": list(self._sets)})

    def result(self, shards: SetShards, index: int) -> dict[str, np.ndarray]:
        """What ``shards.compute(index)`` gives, computed here or elsewhere."""
        key = shards.work.folder.name
        self._wanted[key] = index
        self._tell()
        names = [_name(key, index), *_upcoming(self._sets, self._wanted, _ahead(self._lead.leases))]
        arrays = self._crew.get(list(dict.fromkeys(names)), self._compute, self._wait)
        if names[0] not in self._own:
            self._progress.advance(shards.forwards(index), self._progress.doing)
        self._own.discard(names[0])
        self._wanted[key] = index + 1
        self._tell()
        self._crew.forget(names[0])
        return arrays

    def _compute(self, name: str) -> dict[str, np.ndarray]:
        self._own.add(name)
        key, index = _parsed(name)
        return self._sets[key].compute(index)

    def _wait(self) -> None:
        """Nothing is to be done but to wait for others; asks whether to stop."""
        self._progress.advance(0, self._progress.doing)

    def _tell(self) -> None:
        """Which shard of each set is wanted next."""
        write_json(self._lead.folder / "wanted.json", self._wanted, flush=False)


def forget(run: Path) -> None:
    """Take away what a leader that was killed left, before helpers take it for the run's work."""
    clear(boards.home(run))


def join(
    run: Path,
    *,
    device: str | None = None,
    threads: int | None = None,
    patience: float = PATIENCE,
    hired: bool = False,
    say: Callable[[str], None] = lambda text: None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Compute shards and pieces of diagnostics of a run that another process leads, until there are no more.

    Args:
        run: its directory, on any computer.
        device: torch device; CUDA where there is one, else the CPU.
        threads: of this process; None leaves them as they are. Numbers round by them.
        patience: seconds to wait for somebody who leads the run.
        hired: whether the leader has started this worker, and tries how fast it is; others stay out of a trial.
        say: told what goes on, a sentence at a time.
        cancelled: asked between batches; by default whether the run is to be cancelled.

    Returns:
        How many.

    Raises:
        RunError: nobody leads it, or the versions of the two workers differ. BackboneError: its backbone is not here.
    """
    cancelled = cancelled or (run / "cancel").exists
    if threads is not None:
        torch.set_num_threads(threads)
    board = Board(run)
    facts = board.wait(patience, say, cancelled)
    spec = RunSpec.parse(run / "spec.yaml")
    say("loading the backbone")
    loaded = load_backbone(spec.backbone.path, device=device, **spec.backbone.options())
    backbone, done = as_conditioned(spec, loaded), 0
    while facts is not None:
        if facts.get("fingerprint", loaded.fingerprint) != loaded.fingerprint:
            raise RunError(
                f"{spec.backbone.path} is here another backbone than where the run is led. Copy that one here."
            )
        if "sets" in facts:
            done += _help(run, board, facts, backbone, say, cancelled)
        elif "trial" in facts and hired:
            take_part(board, boards.home(run) / facts["folder"], facts, backbone, cancelled)
        elif "stages" in facts:
            return done + help_stages(run, board, facts, backbone, say, cancelled)
        else:
            board.stay(facts, cancelled)
        facts = board.next(cancelled)
    say("nothing is left to do")
    return done


def _with_images(spec: RunSpec, run: Path) -> RunSpec:
    """The spec with the ID images of another run where they are read from their source."""
    read = any((run / "work").glob("id-*/reading.json"))
    return reuse.with_images(spec, reuse.base_run(spec)) if read else spec


def _help(
    run: Path,
    board: Board,
    facts: Mapping,
    backbone: Backbone,
    say: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> int:
    """Compute shards as long as the board stays as it is; gives how many."""
    folder = boards.home(run) / facts["folder"]
    spec = _with_images(RunSpec.parse(run / "spec.yaml"), run)
    sets = {planned.work.folder.name: planned for planned in plan_sets(spec, run)}
    measurement = boards.measurement_of(facts, backbone, lambda count: board.check(facts, cancelled))
    train = sets["id-train"].work
    reference = None if facts["sets"] == [train.folder.name] else stored_moments(train)
    shards = {key: SetShards(sets[key], measurement, reference) for key in facts["sets"]}
    done, seconds = 0, [0.0]  # that shards took

    def compute(name: str) -> dict[str, np.ndarray]:
        (key, index), start = _parsed(name), time.monotonic()
        found = shards[key].compute(index)
        seconds.append(time.monotonic() - start)
        return found

    def wanted(name: str) -> bool:
        key, index = _parsed(name)
        return index >= board.wanted(facts).get(key, 0)

    patience = {"patience": lambda: max(LEAST_SECONDS, SLOW * max(seconds))}
    with contextlib.ExitStack() as stack:
        leases = stack.enter_context(Leases(folder, **patience))
        for each in shards.values():
            stack.callback(each.close)
        crew = Crew(folder, leases)
        say(f"helping with {', '.join(shards)}")
        while board.read() == facts:
            names = list(_upcoming(shards, board.wanted(facts), _ahead(leases)))
            try:
                helped = crew.help(names, compute, wanted)
            except (Closed, RunError) as error:
                if isinstance(error, RunError) and board.read() == facts:
                    raise
                break  # the leader closed it meanwhile, and its folder is gone
            done += helped
            if not helped:
                stop_if(cancelled)
                board.check_leader(facts, leases)
                time.sleep(PAUSE / 5)
    return done


def _ahead(leases: Leases) -> int:
    """How many shards may wait for the leader: the more workers, the more, so that the disk stays flat."""
    return max(FEWEST_AHEAD, AHEAD * (1 + len(leases.others())))


def _name(key: str, index: int) -> str:
    return f"{key}-{index:06d}"


def _parsed(name: str) -> tuple[str, int]:
    key, _, index = name.rpartition("-")
    return key, int(index)


def _upcoming(sets: Mapping[str, SetShards], wanted: Mapping[str, int], most: int) -> Iterator[str]:
    """The next shards, in the order in which they are wanted: of each set in turn."""
    count, turn = 0, 0
    while count < most:
        left = [key for key, each in sets.items() if wanted.get(key, 0) + turn < each.count]
        if not left:
            return
        yield from (_name(key, wanted.get(key, 0) + turn) for key in left)
        count, turn = count + len(left), turn + 1
