"""How many processes measure a map fastest on this computer: a short trial of the run's own backbone.

The processes of the trial are the helpers that go on if they are worth it. What is chosen stays with the run, so that
it is measured with as many threads when it goes on: numbers round by threads, and by nothing else of the trial.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
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
#: Seconds of forwards on each side; for which helpers are waited for; that a first forward may take.
SECONDS, PATIENCE, SLOW_SECONDS = 1.5, 30.0, 3.0
#: So much faster several processes must be to be worth their memory.
GAIN = 1.05


class Team(Protocol):
    """Helpers on this computer that can be started and let go."""

    def most(self) -> int:
        """Processes that this computer has cores and memory for, this one included."""

    def hire(self, workers: int, threads: int) -> None:
        """Start helpers, so that there are so many workers with this one, of so many threads each."""

    def dismiss(self) -> None:
        """Let them go."""

    def say(self, text: str) -> None:
        """Tell what was found."""


def settle(
    run: Path, lead: Lead, measurement: Measurement, forwards: int, team: Team, ask: Callable[[], None]
) -> WorkersEntry:
    """How many workers measure the map: as it was begun, or what a trial finds fastest; helpers are started.

    Args:
        run: the run directory.
        lead: of the run.
        measurement: about to begin.
        forwards: of it that are left.
        team: of helpers.
        ask: called while helpers are waited for; raises to stop.
    """
    found = chosen(run)
    if found is None:
        found = _tried(lead, measurement, forwards, team, ask)
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
    several = _together(lead, facts | {"rows": max(1, rows // workers)}, reader, workers, threads, ask)
    counts = {"alone": round(single, 1), "together": None if several is None else round(several, 1)}
    better = several is not None and several > GAIN * single
    if not better:
        team.dismiss()
    found = WorkersEntry(count=workers if better else 1, threads=threads if better else cores, **counts)
    team.say(_told(found, workers, threads, cores))
    return found


def _told(found: WorkersEntry, workers: int, threads: int, cores: int) -> str:
    if found.together is None:
        return f"One process measures: {workers} of them had not started within {PATIENCE:.0f} s."
    return (
        f"{'One process measures' if found.count == 1 else f'{found.count} processes measure'}: in a short trial, one "
        f"with {cores} threads did {found.alone:,.0f} forwards/s, {workers} with {threads} each "
        f"{found.together:,.0f} forwards/s."
    )


def _together(
    lead: Lead, facts: Mapping, reader: Reader, workers: int, threads: int, ask: Callable[[], None]
) -> float | None:
    """Forwards per second of all workers at the same time; None where they did not come."""
    lead.begin()
    lead.tell(facts | {"trial": True})

    def count(kind: str) -> bool:
        return len(list(lead.folder.glob(f"*.{kind}"))) >= workers - 1

    def until(kind: str) -> bool:
        end = time.monotonic() + PATIENCE
        while not count(kind) and time.monotonic() < end:
            ask()
            time.sleep(PAUSE / 5)
        return count(kind)

    if not until("ready"):
        return None
    (lead.folder / "go").touch()
    with on_threads(threads):
        own = _speed(reader, facts["rows"], SECONDS)
    if not until("speed"):
        return None
    return own + sum(json.loads(path.read_text(encoding="ascii"))["speed"] for path in lead.folder.glob("*.speed"))


def take_part(board: Board, folder: Path, facts: Mapping, backbone: Backbone, cancelled: Callable[[], bool]) -> None:
    """A helper's part in a trial, as long as it is on."""
    reader, name, leases = _reader(facts, backbone), uuid.uuid4().hex, Leases(folder)
    _speed(reader, facts["rows"], 0.0)
    (folder / f"{name}.ready").touch()
    while not (folder / "go").exists():
        if board.read() != facts:
            return
        stop_if(cancelled)
        board.check_leader(facts, leases)
        time.sleep(PAUSE / 50)
    write_json(folder / f"{name}.speed", {"speed": _speed(reader, facts["rows"], SECONDS)}, flush=False)
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
