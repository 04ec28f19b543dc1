"""Many workers on one run: the leader folds shards in order, helpers on any computer that sees the folder compute them.

Every number is that of a single worker with as many threads: a shard's arrays do not depend on who computes them, and
their moments are merged in the order of the shards.
"""

from __future__ import annotations

import importlib.metadata
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.contracts import Level
from cfs_explore.engine import Crew, Leases, clear
from cfs_explore.errors import RunCancelled, RunError
from cfs_explore.pipeline.match import as_conditioned
from cfs_explore.pipeline.measure import Measurement, open_cache
from cfs_explore.pipeline.prepare import PlannedSet, plan_sets
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.shards import SetShards, stored_moments
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots, select_taps
from cfs_explore.spec import RunSpec
from cfs_explore.store import write_json
from cfs_explore.store.files import remove

#: Shards that may be computed ahead of the one that is wanted, per worker and at least.
AHEAD, FEWEST_AHEAD = 3, 6
#: Seconds between two looks of a helper at a run that has nothing to do, and without a leader until it goes.
PAUSE, PATIENCE = 0.5, 30.0
_BOARD = "board.json"


class Leader:
    """The worker that has the run: it opens the work to others, and takes part in it.

    Args:
        out: the run directory.
        measurement: under way.
        progress: advanced by what others have computed.
    """

    def __init__(self, out: Path, measurement: Measurement, progress: Progress):
        self._home, self._measurement, self._progress = out / "work" / "crew", measurement, progress
        self._sets: dict[str, SetShards] = {}
        self._wanted: dict[str, int] = {}
        self._own: set[str] = set()

    def __enter__(self) -> Leader:
        clear(self._home)
        self._folder = self._home / uuid.uuid4().hex[:12]
        self._folder.mkdir(parents=True)
        self._leases = Leases(self._folder).__enter__()
        self._crew = Crew(self._folder, self._leases)
        return self

    def __exit__(self, *exception) -> None:
        remove(self._home / _BOARD)
        self._leases.__exit__(*exception)
        clear(self._home)

    def open(self, sets: Sequence[SetShards]) -> None:
        """Let others compute the shards of these sets, and of no others any more."""
        self._sets = {each.work.folder.name: each for each in sets}
        self._wanted = {key: len(each.done) for key, each in self._sets.items()}
        self._tell()
        facts = _facts(self._measurement) | {"folder": self._folder.name, "leader": self._leases.worker}
        write_json(self._home / _BOARD, facts | {"sets": list(self._sets)}, flush=False)

    def result(self, shards: SetShards, index: int) -> dict[str, np.ndarray]:
        """What ``shards.compute(index)`` gives, computed here or elsewhere."""
        key = shards.work.folder.name
        self._wanted[key] = index
        self._tell()
        ahead = max(FEWEST_AHEAD, AHEAD * (1 + len(self._leases.others())))
        names = [_name(key, index), *_upcoming(self._sets, self._wanted, ahead)]
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
        write_json(self._folder / "wanted.json", self._wanted, flush=False)


def join(
    run: Path,
    *,
    device: str | None = None,
    threads: int | None = None,
    patience: float = PATIENCE,
    say: Callable[[str], None] = lambda text: None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Compute shards of a run that another process leads, until it has no more; gives how many.

    Args:
        run: its directory, on any computer.
        device: torch device; CUDA where there is one, else the CPU.
        threads: of this process; None leaves them as they are. Numbers round by them.
        patience: seconds to wait for the run's first shards.
        say: told what goes on, a sentence at a time.
        cancelled: asked between batches; by default whether the run is to be cancelled.

    Raises:
        RunError: nobody leads it, or the versions of the two workers differ. BackboneError: its backbone is not here.
    """
    cancelled = cancelled or (run / "cancel").exists
    if threads is not None:
        torch.set_num_threads(threads)
    board = _Board(run)
    facts = board.wait(patience, say, cancelled)
    spec = RunSpec.parse(run / "spec.yaml")
    _check_versions(facts)
    say("loading the backbone")
    loaded = load_backbone(spec.backbone.path, device=device, **spec.backbone.options())
    if loaded.fingerprint != facts["fingerprint"]:
        raise RunError(f"{spec.backbone.path} is here another backbone than where the run is led. Copy that one here.")
    backbone, done = as_conditioned(spec, loaded), 0

    def after_batch(count: int) -> None:
        _stop_if(cancelled)

    sets = {planned.work.folder.name: planned for planned in plan_sets(spec, run)}
    while facts is not None:
        measurement = _measurement(facts, backbone, after_batch)
        done += _help(run, board, facts, sets, measurement, say, cancelled)
        facts = board.next(facts, cancelled)
    say("nothing is left to do")
    return done


def _help(
    run: Path,
    board: _Board,
    facts: Mapping,
    sets: Mapping[str, PlannedSet],
    measurement: Measurement,
    say: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> int:
    """Compute shards as long as the board stays as it is; gives how many."""
    folder = run / "work" / "crew" / facts["folder"]
    train = sets["id-train"].work
    reference = None if facts["sets"] == [train.folder.name] else stored_moments(train)
    shards = {key: SetShards(sets[key], measurement, reference) for key in facts["sets"]}
    done = 0
    with Leases(folder) as leases:
        crew = Crew(folder, leases)
        say(f"helping with {', '.join(shards)}")
        while board.read() == facts:
            wanted = board.wanted(facts)
            ahead = max(FEWEST_AHEAD, AHEAD * (1 + len(leases.others())))
            helped = crew.help(
                list(_upcoming(shards, wanted, ahead)),
                lambda name: shards[_parsed(name)[0]].compute(_parsed(name)[1]),
                lambda name: _parsed(name)[1] >= board.wanted(facts).get(_parsed(name)[0], 0),
            )
            done += helped
            if not helped:
                _stop_if(cancelled)
                if not leases.is_there(facts["leader"]):
                    raise RunError(f"The process that leads {run} is gone. Start the run again, then join it again.")
                time.sleep(PAUSE / 5)
    return done


class _Board:
    """What the leader lets others do, as a helper reads it."""

    def __init__(self, run: Path):
        self._run, self._home = run, run / "work" / "crew"

    def read(self) -> dict | None:
        """The facts of the work that is open now; None while there is none."""
        try:
            return json.loads((self._home / _BOARD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def wanted(self, facts: Mapping) -> dict[str, int]:
        """Set -> the shard that the leader wants next."""
        try:
            return json.loads((self._home / facts["folder"] / "wanted.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def wait(self, patience: float, say: Callable[[str], None], cancelled: Callable[[], bool]) -> dict:
        """The facts, as soon as there are some.

        Raises:
            RunError: the folder holds no run, or nobody leads it.
        """
        if not (self._run / "spec.yaml").is_file():
            raise RunError(f"{self._run} holds no run (no spec.yaml). Give the folder of a run that is under way.")
        since = time.monotonic()
        say("waiting for the run's first shards")
        while (facts := self.read()) is None:
            _stop_if(cancelled)
            if (self._run / "manifest.json").is_file():
                raise RunError(f"{self._run} is measured already: there is nothing to help with.")
            if time.monotonic() - since > patience:
                raise RunError(
                    f"Nobody measures {self._run}, as seen from this computer. Start it with `cfs-explore run`, and "
                    "make sure that both computers see one and the same folder."
                )
            time.sleep(PAUSE)
        return facts

    def next(self, facts: Mapping, cancelled: Callable[[], bool]) -> dict | None:
        """The facts of what comes after these; None where nothing does."""
        for _ in range(int(PATIENCE / PAUSE)):
            _stop_if(cancelled)
            found = self.read()
            if found is not None and found != facts:
                return found
            if found is None and (self._run / "manifest.json").is_file():
                return None
            time.sleep(PAUSE)
        return None


def _stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise RunCancelled("The run was cancelled.")


def _facts(measurement: Measurement) -> dict:
    """All that decides the numbers of a shard, so that another process measures the same."""
    reader = measurement.reader
    return {
        "versions": _versions(),
        "fingerprint": reader.backbone.fingerprint,
        "levels": [level.to_dict() for level in reader.levels],
        "conditioning": [level.to_dict() for level in reader.conditioning],
        "taps": [tap.name for tap in reader.reading.taps],
        "precision": reader.precision,
        "batch_size": reader.batch_size,
        "draws": measurement.draws,
        "seed": measurement.seed,
        "shard_size": measurement.shard_size,
        "kept_level": measurement.kept_level,
        "kept": list(measurement.kept),
        "fresh": measurement.fresh,
    }


def _measurement(facts: Mapping, backbone: Backbone, after_batch: Callable[[int], None]) -> Measurement:
    """The inverse of ``_facts``."""
    levels, conditioning = ([Level(**each) for each in facts[name]] for name in ("levels", "conditioning"))
    reader = Reader(
        backbone,
        TapSnapshots(levels, select_taps(backbone.taps(), facts["taps"])),
        batch_size=facts["batch_size"],
        precision=facts["precision"],
        after_batch=after_batch,
        conditioning=conditioning,
    )
    kept = {tap: reader.columns[tap] for tap in facts["kept"]}
    return Measurement(
        reader,
        facts["draws"],
        facts["seed"],
        facts["shard_size"],
        facts["kept_level"],
        kept,
        cache=open_cache(),
        fresh=facts["fresh"],
    )


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("cfs-explore", "numpy")} | {"torch": torch.__version__}


def _check_versions(facts: Mapping) -> None:
    """Refuse what would round otherwise."""
    other = [f"{name} {facts['versions'].get(name)} there, {own} here"
             for name, own in _versions().items() if facts["versions"].get(name) != own]  # fmt: skip
    if other:
        raise RunError(f"Workers of one run need the same versions: {'; '.join(other)}. Install the same ones here.")


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
