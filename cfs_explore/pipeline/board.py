"""The board of a run with many workers: what its leader has opened to others, and what decides a shard's numbers.

The leader is there from its first moment to its end. What it has opened is one of three: shards of a map ("sets"),
stages of a finished one ("stages"), or nothing yet, so that helpers wait.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level
from cfs_explore.engine import Leases, clear
from cfs_explore.errors import FolderError, RunCancelled, RunError
from cfs_explore.pipeline.measure import Measurement, open_cache
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots, select_taps
from cfs_explore.store import write_json
from cfs_explore.store.files import remove

#: Seconds between two looks of a helper at a run that has nothing to do; until it goes where nobody has begun to lead,
#: and where the leader has closed what it led, which it opens again only after a damaged file.
PAUSE, PATIENCE, CLOSED = 0.5, 30.0, 3.0
#: The board's name in ``home``.
FILE = "board.json"


def home(run: Path) -> Path:
    """Where the workers of a run meet."""
    return run / "work" / "crew"


class Lead:
    """The worker that has a run: it says that it is there, and what others may do. A context.

    Args:
        run: the run directory.

    Attributes:
        folder: of the work that is open.
        leases: of this worker in it.
    """

    def __init__(self, run: Path):
        self._home = home(run)
        self.folder: Path | None = None
        self.leases: Leases | None = None
        self._before: tuple[Path, Leases] | None = None

    def __enter__(self) -> Lead:
        clear(self._home)  # of a leader that was killed
        self.begin()
        self.tell({})
        return self

    def __exit__(self, *exception) -> None:
        self.end()
        with contextlib.suppress(OSError):  # there is more in it
            self._home.parent.rmdir()

    def begin(self) -> None:
        """A folder of its own for the next work; that of the work before stays until others are told of this one."""
        self._before = None if self.leases is None else (self.folder, self.leases)
        self.folder = self._home / uuid.uuid4().hex[:12]
        try:
            self.leases = Leases(self.folder).__enter__()
        except OSError as error:
            raise FolderError(
                f"{self._home.parent} takes no files ({error.strerror}). Give this program the right to write there, "
                "and room, and start again."
            ) from error

    def tell(self, facts: Mapping) -> None:
        """What others may do in the folder; nothing, but to stay, without facts."""
        whose = {"versions": _versions(), "folder": self.folder.name, "leader": self.leases.worker}
        write_json(self._home / FILE, {**facts, **whose}, flush=False)
        if self._before is not None:
            folder, leases = self._before
            leases.__exit__()
            clear(folder)
            self._before = None

    def end(self) -> None:
        """Others may do nothing any more, and go."""
        with contextlib.suppress(OSError):
            remove(self._home / FILE)
        for _, leases in filter(None, (self._before, (self.folder, self.leases))):
            leases.__exit__()
        clear(self._home)


class Board:
    """What the leader lets others do, as a helper reads it.

    Args:
        run: the run directory.
    """

    def __init__(self, run: Path):
        self._run, self._home = run, home(run)

    def read(self) -> dict | None:
        """The facts of the work that is open now; None while there is none."""
        try:
            return json.loads((self._home / FILE).read_text(encoding="utf-8"))
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
            RunError: the folder holds no run, nobody leads it, or the leader's versions differ from this worker's.
        """
        if not (self._run / "spec.yaml").is_file():
            raise RunError(f"{self._run} holds no run (no spec.yaml). Give the folder of a run that is under way.")
        since = time.monotonic()
        say("waiting for the run's leader")
        while (facts := self.read()) is None:
            stop_if(cancelled)
            if time.monotonic() - since > patience:
                if (self._run / "manifest.json").is_file():
                    raise RunError(
                        f"{self._run} is measured already, and nobody computes its diagnostics: there is nothing to "
                        "help with."
                    )
                raise RunError(
                    f"Nobody measures {self._run}, as seen from this computer. Start it with `cfs-explore run`, and "
                    "make sure that both computers see one and the same folder."
                )
            time.sleep(PAUSE)
        _check_versions(facts)
        return facts

    def next(self, cancelled: Callable[[], bool]) -> dict | None:
        """The facts of what is open now; None where nothing is.

        Raises:
            RunError: the versions differ, as of a leader that has taken the run over.
        """
        for _ in range(int(CLOSED / PAUSE)):
            stop_if(cancelled)
            found = self.read()
            if found is not None:  # the same again where a file system did not give the board for a moment
                _check_versions(found)
                return found
            time.sleep(PAUSE)
        return None

    def check(self, facts: Mapping, cancelled: Callable[[], bool]) -> None:
        """Asked after each batch: raises where the run is cancelled, or ``Closed`` where that work is open no more."""
        stop_if(cancelled)
        if not (self._home / facts["folder"]).is_dir():
            raise Closed

    def check_leader(self, facts: Mapping, leases: Leases) -> None:
        """Raises RunError where the leader is gone, by these leases."""
        if not leases.is_there(facts["leader"]):
            raise RunError(f"The process that leads {self._run} is gone. Start the run again, then join it again.")

    def stay(self, facts: Mapping, cancelled: Callable[[], bool]) -> None:
        """Wait until something else is open. Raises RunError where the leader is gone."""
        leases = Leases(self._home / facts["folder"])
        while self.read() == facts:
            stop_if(cancelled)
            self.check_leader(facts, leases)
            time.sleep(PAUSE)


class Closed(Exception):  # noqa: N818 - control flow, not an error
    """Nobody wants what is under way any more."""


def facts_of(measurement: Measurement) -> dict:
    """All that decides the numbers of a shard, so that another process measures the same."""
    reader = measurement.reader
    return {
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


def measurement_of(facts: Mapping, backbone: Backbone, after_batch: Callable[[int], None]) -> Measurement:
    """The inverse of ``facts_of``."""
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


def stop_if(cancelled: Callable[[], bool]) -> None:
    """Raise RunCancelled where the run is to be cancelled."""
    if cancelled():
        raise RunCancelled("The run was cancelled.")
