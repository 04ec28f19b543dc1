"""How many processes measure a map fastest on this computer: a short trial of the run's own backbone.

The processes of the trial are the helpers that go on if they are worth it; helpers that joined by themselves take no
part. One process and several are tried in turns, so that whatever else the computer does meets both, and several are
chosen where they were faster in every turn. What is chosen stays with the run, so that it is measured with as many
threads when it goes on: numbers round by threads, and by nothing else of the trial.
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from cfs_explore.backbones import Backbone
from cfs_explore.engine import Leases
from cfs_explore.pipeline import board as boards
from cfs_explore.pipeline.board import PAUSE, Board, Lead, stop_if
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.threads import on_threads
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.store import WorkersEntry, write_json

#: A map that one process measures in less gains nothing from others, which take seconds to start.
LONG_SECONDS = 60.0
#: Turns of one process and then of several, and seconds of forwards on each side.
TURNS, SECONDS = 3, 0.8
#: Seconds for which helpers are waited for; that a first forward may take.
PATIENCE, SLOW_SECONDS = 30.0, 3.0
#: So much faster several processes must be, in each of the turns, to be worth their memory.
GAIN = 1.05
#: Cores that other processes use from which on it is told.
LOAD = 0.1


class Team(Protocol):
    """Helpers on this computer that can be started and let go."""

    def most(self) -> int:
        """Processes that this computer has cores and memory for, this one included."""

    def hire(self, workers: int, threads: int) -> None:
        """Start helpers, so that there are so many workers with this one, of so many threads each."""

    def has_cores(self, workers: int, threads: int) -> bool:
        """Whether this computer has a core for each thread of so many workers."""

    def strangers(self) -> float | None:
        """Cores that other processes have used since this was last asked; None where that is not known."""

    def dismiss(self) -> None:
        """Let them go."""

    def say(self, text: str) -> None:
        """Tell what was found."""


def settle(
    run: Path,
    lead: Lead,
    measurement: Measurement,
    forwards: int,
    team: Team,
    ask: Callable[[], None],
    *,
    whole: bool = True,
) -> WorkersEntry:
    """How many workers measure the map: as it was begun, or what a trial finds fastest; helpers are started.

    Args:
        run: the run directory.
        lead: of the run.
        measurement: about to begin.
        forwards: of it that are left.
        team: of helpers.
        ask: called while helpers are waited for; raises to stop.
        whole: whether no other forwards follow; if others do, what is too short for a trial settles nothing for them.
    """
    found = chosen(run)
    if found is None:
        found = _tried(lead, measurement, forwards, team, ask)
        if whole or found.alone is not None:
            note(run, found)
    elif found.count > 1:
        team.hire(found.count, found.threads)
    return found


def chosen(run: Path) -> WorkersEntry | None:
    """What was noted of an unfinished run."""
    try:
        return WorkersEntry(**json.loads(_path(run).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # pydantic's error is a ValueError
        return None


def note(run: Path, workers: WorkersEntry) -> None:
    """Keep it with an unfinished run."""
    write_json(_path(run), workers.model_dump())


def _path(run: Path) -> Path:
    return run / "work" / "workers.json"


def _tried(lead: Lead, measurement: Measurement, forwards: int, team: Team, ask: Callable[[], None]) -> WorkersEntry:
    cores = torch.get_num_threads()
    workers = min(cores, team.most())
    alone = WorkersEntry(count=1, threads=cores)
    if workers < 2 or measurement.reader.backbone.device.type != "cpu":
        return alone
    facts = boards.facts_of(measurement)
    reader = _reader(facts, measurement.reader.backbone)
    rows = _rows(reader, forwards)
    if rows is None:
        return alone
    single, threads = _speed(reader, rows, SECONDS), cores // workers
    if forwards < LONG_SECONDS * single:
        return alone
    team.hire(workers, threads)
    turns = _turns(lead, facts, reader, rows, (workers, threads), team, ask)
    load = team.strangers() if turns else None
    better = bool(turns) and min(each.gain for each in turns) > GAIN
    if not better:
        team.dismiss()
    counts = {
        "alone": round(statistics.median(each.alone for each in turns) if turns else single, 1),
        "together": round(statistics.median(each.together for each in turns), 1) if turns else None,
    }
    found = WorkersEntry(count=workers if better else 1, threads=threads if better else cores, **counts)
    team.say(_told(found, turns, workers, threads, cores) + _load_told(load, cores))
    return found


@dataclass(frozen=True)
class _Turn:
    """Forwards per second of one process, and right after it of several at the same time."""

    alone: float
    together: float

    @property
    def gain(self) -> float:
        return self.together / self.alone


def _told(found: WorkersEntry, turns: Sequence[_Turn], workers: int, threads: int, cores: int) -> str:
    if not turns:
        return f"One process measures: {workers} of them were not there within {PATIENCE:.0f} s."
    gains = sorted(each.gain for each in turns)
    return (
        f"{'One process measures' if found.count == 1 else f'{found.count} processes measure'}: in {len(turns)} short "
        f"turns, one with {cores} threads did {found.alone:,.0f} forwards/s, {workers} with {threads} each "
        f"{found.together:,.0f}, {gains[0]:.2f} to {gains[-1]:.2f} times as many; "
        f"{'not ' * (found.count == 1)}more than {GAIN:g} times in every turn."
    )


def _load_told(strangers: float | None, cores: int) -> str:
    """What else the computer did meanwhile: the same trial may end otherwise without it."""
    if strangers is None or strangers < LOAD:
        return ""
    return f" Other processes used {strangers:.1f} of its {cores} cores meanwhile."


def _turns(
    lead: Lead,
    facts: Mapping,
    reader: Reader,
    rows: int,
    several: tuple[int, int],
    team: Team,
    ask: Callable[[], None],
) -> list[_Turn]:
    """One process with all threads, and all workers at the same time, in turns; none where they did not come.

    Args:
        lead, facts: of the run; what helpers measure.
        reader: of the passes.
        rows: images of a pass of one process; several share them.
        several: workers, and the threads of each.
        team: asked what others do from the first turn on.
        ask: called while helpers are waited for.
    """
    workers, threads = several
    part, turns = max(1, rows // workers), []
    lead.begin()
    lead.tell(facts | {"trial": TURNS, "rows": part})

    def all_have(ending: str) -> bool:
        end = time.monotonic() + PATIENCE
        while not (there := len(list(lead.folder.glob(f"*.{ending}"))) >= workers - 1) and time.monotonic() < end:
            ask()
            time.sleep(PAUSE / 10)
        return there

    if not all_have("ready"):
        return []
    team.strangers()
    for turn in range(TURNS):
        alone = _speed(reader, rows, SECONDS)
        (lead.folder / f"go-{turn}").touch()
        with on_threads(threads):
            own = _speed(reader, part, SECONDS)
        if not all_have(f"speed-{turn}"):
            return []
        found = (path.read_text(encoding="ascii") for path in lead.folder.glob(f"*.speed-{turn}"))
        turns.append(_Turn(alone, own + sum(json.loads(each)["speed"] for each in found)))
    return turns


def take_part(board: Board, folder: Path, facts: Mapping, backbone: Backbone, cancelled: Callable[[], bool]) -> None:
    """The part of a helper that was hired for it in a trial, as long as it is on."""
    reader, name, leases = _reader(facts, backbone), uuid.uuid4().hex, Leases(folder)
    _speed(reader, facts["rows"], 0.0)
    (folder / f"{name}.ready").touch()
    for turn in range(facts["trial"]):
        while not (folder / f"go-{turn}").exists():
            if board.read() != facts:
                return
            stop_if(cancelled)
            board.check_leader(facts, leases)
            time.sleep(PAUSE / 25)
        speed = _speed(reader, facts["rows"], SECONDS)
        write_json(folder / f"{name}.speed-{turn}", {"speed": speed}, flush=False)
    board.stay(facts, cancelled)


def _reader(facts: Mapping, backbone: Backbone) -> Reader:
    """Of the run's taps at one of its levels, which tells nobody of its batches."""
    reader = boards.measurement_of(facts, backbone, lambda count: None).reader
    k = len(reader.levels) // 2
    return Reader(
        backbone,
        TapSnapshots(reader.levels[k : k + 1], reader.reading.taps),
        batch_size=reader.batch_size,
        precision=reader.precision,
        conditioning=reader.conditioning[k : k + 1],
    )


def _rows(reader: Reader, forwards: int) -> int | None:
    """Images of a pass: a batch, or fewer where that takes long; None where even one does, or the map is soon done."""
    rows, spent = 1, _pass(reader, 1)
    if spent > SLOW_SECONDS:
        return None
    while forwards * spent / rows > LONG_SECONDS:
        if rows == reader.batch_size or spent > SECONDS / 4:
            return rows
        rows = min(2 * rows, reader.batch_size)
        spent = _pass(reader, rows)
    return None


def _speed(reader: Reader, rows: int, seconds: float) -> float:
    """Forwards per second, of passes of so many images for about so long, at least one."""
    since, done = time.perf_counter(), 0
    while not done or time.perf_counter() - since < seconds:
        _pass(reader, rows)
        done += rows
    return done / (time.perf_counter() - since)


def _pass(reader: Reader, rows: int) -> float:
    """Seconds of a forward of so many images."""
    x0, noise = (
        np.zeros((*shape, rows, *size), dtype=np.float32)
        for shape, size in (((), reader.backbone.image_shape), ((1,), reader.backbone.input_shape))
    )
    since = time.perf_counter()
    reader(x0, noise)
    return time.perf_counter() - since
