"""The board of a run with many workers: what its leader has opened to others, and what decides a shard's numbers."""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level
from cfs_explore.errors import RunCancelled, RunError
from cfs_explore.pipeline.measure import Measurement, open_cache
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots, select_taps

#: Seconds between two looks of a helper at a run that has nothing to do; until it goes where nobody has begun to lead,
#: and where the leader has closed what it led, which it opens again only after a damaged file.
PAUSE, PATIENCE, CLOSED = 0.5, 30.0, 3.0
#: The board's name in ``home``.
FILE = "board.json"


def home(run: Path) -> Path:
    """Where the workers of a run meet."""
    return run / "work" / "crew"


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
        say("waiting for the run's first shards")
        while (facts := self.read()) is None:
            stop_if(cancelled)
            if (self._run / "manifest.json").is_file():
                raise RunError(f"{self._run} is measured already: there is nothing to help with.")
            if time.monotonic() - since > patience:
                raise RunError(
                    f"Nobody measures {self._run}, as seen from this computer. Start it with `cfs-explore run`, and "
                    "make sure that both computers see one and the same folder."
                )
            time.sleep(PAUSE)
        _check_versions(facts)
        return facts

    def next(self, cancelled: Callable[[], bool]) -> dict | None:
        """The facts of what is open now, once those before are not any more; None where nothing is.

        Raises:
            RunError: the versions differ, as of a leader that has taken the run over.
        """
        for _ in range(int(CLOSED / PAUSE)):
            stop_if(cancelled)
            found = self.read()
            if found is not None:  # the same again where a file system did not give the board for a moment
                _check_versions(found)
                return found
            if (self._run / "manifest.json").is_file():
                return None
            time.sleep(PAUSE)
        return None


def facts_of(measurement: Measurement) -> dict:
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
