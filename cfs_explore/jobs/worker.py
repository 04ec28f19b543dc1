"""What the worker process of a run does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import filelock

from cfs_explore.errors import CFSError, RunCancelled, RunError
from cfs_explore.jobs import queue
from cfs_explore.jobs.helpers import AUTO, Helpers, helpers, on_gpus, ray_helpers, ray_threads, share
from cfs_explore.jobs.locks import starting
from cfs_explore.jobs.status import Status, birth, is_alive, read_status, stored_status, write_status
from cfs_explore.spec import RunSpec
from cfs_explore.store import Manifest, open_run
from cfs_explore.store.files import remove
from cfs_explore.studies import DIAGNOSTICS, with_forwards

#: A status is written about this often.
_WRITE_SECONDS = 0.5
#: Whoever asks whether a run is held holds it for a moment.
_PROBE_SECONDS = 0.5
#: What a map consists of.
_MEASURED = ("manifest.json", "work", "scores.zarr", "moments.zarr", "snapshots.zarr", "tables")

#: While it is on, helpers work; what it gives is called now and then, and raises where they cannot.
_Check = contextlib.AbstractContextManager[Callable[[], None]]


def work(
    run: Path,
    *,
    stages: Sequence[str] | None = None,
    fresh: bool = False,
    device: str | None = None,
    workers: int | Literal["auto"] | None = None,
    devices: Sequence[str] | None = None,
    address: str | None = None,
    keep: bool = False,
    report: Callable | None = None,
    on_map: Callable | None = None,
) -> None:
    """Wait for a device, do the work, keep status.json up to date.

    Args:
        run: a directory with spec.yaml.
        stages: diagnostics of a finished map to compute; None explores, as the spec says.
        fresh: compute stages again that are done; of a map, forget what was measured, also in the cache.
        device: torch device; None takes the first free one.
        workers, devices: how many processes share the work, and on which devices, as of ``helpers.share``. "auto": what
            a trial finds fastest for a map (``pipeline.trial``); for diagnostics, as many as measured their map.
        address: of a Ray cluster whose actors help (``helpers.ray_helpers``); None: processes of this computer.
        keep: measure no more, and make an exploration of what is measured.
        report: also called with each ProgressEvent.
        on_map: called with the map so far, every few seconds (``pipeline.explore``).

    Raises:
        CFSError: after writing it to status.json.
        RunError: another worker has the run; its status is left alone.
    """
    first, crew, how = _shared(run, stages, workers, devices, device, address)
    with _alone(run):
        if fresh and stages is None:
            for name in _MEASURED:
                remove(run / name)
        if keep:
            (run / "keep").touch()
        diary = _Diary(run, stages, report)
        diary.begin()
        _work(run, diary, stages, fresh, first or device, on_map, crew, how)


def _shared(
    run: Path,
    stages: Sequence[str] | None,
    workers: int | Literal["auto"] | None,
    devices: Sequence[str] | None,
    device: str | None,
    address: str | None,
) -> tuple[str | None, Callable[[str], _Check], dict[str, object]]:
    """How the work is shared, by arguments of ``work``.

    Returns:
        The leader's device; what starts helpers, given the device that it got; and options of whatever computes.
    """
    nobody = contextlib.nullcontext(lambda: None)
    if address is not None:
        threads = ray_threads()

        def actors(device: str) -> _Check:
            return ray_helpers(run, address, workers, device, threads) if _has_pieces(run, stages) else nobody

        return None, actors, {"threads": threads}
    if workers == AUTO and stages is None and devices is None:
        team = Helpers(run)
        return None, team.on, {"team": team}
    count = workers if isinstance(workers, int) else 1
    if workers == AUTO and devices is None:
        count = _of_the_map(run)
    (first, *others), threads = share(count, devices or on_gpus(count, device))

    def here(device: str) -> _Check:
        same = [device if each is None else each for each in others]  # numbers of another kind of device differ
        return helpers(run, same, threads) if _has_pieces(run, stages) else nobody

    return first, here, {"threads": threads} | ({"workers": 1 + len(others)} if stages is None else {})


def _of_the_map(run: Path) -> int:
    """How many workers measured a map; one, where nobody noted it, or this computer has fewer cores."""
    noted = Manifest.read(run).workers
    return noted.count if noted is not None and Helpers(run).has_cores(noted.count, noted.threads) else 1


def _has_pieces(run: Path, stages: Sequence[str] | None) -> bool:
    """Whether there is anything to share: a map to be measured, or diagnostics that need forwards."""
    if not (run / "manifest.json").is_file():
        return True
    found, spec = open_run(run), RunSpec.parse(run / "spec.yaml")
    names = spec.stages if stages is None else [name for name in stages if name in DIAGNOSTICS]
    return bool(with_forwards(found.counts, names))


def _work(
    run: Path,
    diary: _Diary,
    stages: Sequence[str] | None,
    fresh: bool,
    device: str | None,
    on_map: Callable | None,
    crew: Callable[[str], _Check],
    how: Mapping[str, object],
) -> None:
    from cfs_explore.pipeline import diagnose, explore
    from cfs_explore.pipeline.crew import forget
    from cfs_explore.pipeline.devices import usable_devices

    forget(run)
    cancelled, enough = (run / "cancel").exists, (run / "keep").exists
    try:
        with queue.turn(usable_devices(device), diary.wait, cancelled) as diary.device, crew(diary.device) as check:

            def stopped() -> bool:
                check()
                return cancelled()

            options = {"device": diary.device, "report": diary.note, "fresh": fresh, "cancelled": stopped, **how}
            if stages is None:
                explore(run / "spec.yaml", run, enough=enough, on_map=on_map, **options)
            else:
                diagnose(run, stages, **options)
        (run / "keep").unlink(missing_ok=True)
        diary.write("finished")
    except (RunCancelled, KeyboardInterrupt):
        (run / "keep").unlink(missing_ok=True)
        diary.write("cancelled")
        raise
    except CFSError as error:
        diary.write("failed", str(error))
        raise
    except Exception as error:
        diary.write("failed", f"An error of the program, not of your data: {error!r}. See {run / 'log.txt'}.")
        raise
    finally:  # the wish was for this worker alone
        (run / "cancel").unlink(missing_ok=True)


class _Diary:
    """The status of one worker, as events come."""

    def __init__(self, run: Path, stages: Sequence[str] | None, report: Callable | None):
        self._run, self._report = run, report
        self._stages = ",".join(stages or ())
        self._started, self._written = time.time(), 0.0
        self._born = birth(os.getpid())
        before = stored_status(run)
        self._restarts = before.restarts if before else 0
        self._latest = None
        self.device = ""

    def begin(self) -> None:
        """Tell that the process is there; what follows first are libraries, which take seconds to load."""
        self._write_facts("running", {"stage": "starting", "detail": "libraries"})

    def write(self, state: str, error: str = "", place: int = 0) -> None:
        """Write the status; ``restarts`` counts only as long as no worker reached an end."""
        self._write_facts(state, self._latest.to_dict() if self._latest else {}, error, place)

    def _write_facts(self, state: str, facts: dict, error: str = "", place: int = 0) -> None:
        whose = {"pid": os.getpid(), "started": self._started, "stages": self._stages, "device": self.device}
        whose["born"] = self._born
        restarts = self._restarts if state in ("waiting", "running") else 0
        write_status(self._run, Status(state, **facts, **whose, error=error, place=place, restarts=restarts))

    def note(self, event) -> None:
        """A ProgressEvent: keep it, now and then in the file."""
        self._latest = event
        if time.monotonic() - self._written >= _WRITE_SECONDS or event.done == event.total:
            self._written = time.monotonic()
            self.write("running")
        if self._report:
            with contextlib.suppress(OSError):  # a full disk takes no log
                self._report(event)

    def wait(self, place: int) -> None:
        """Tell the place in the queue."""
        from cfs_explore.pipeline import ProgressEvent

        self.write("waiting", place=place)
        if self._report:
            message = f"other runs are using the device, place {place} in the queue"
            self._report(ProgressEvent("waiting", message, 0, 0, "", None, None))


@contextlib.contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold the run, so that no second worker touches it.

    Whoever starts a worker holds start.lock until it has noted the number; a status without one then is left over.

    Raises:
        RunError: naming the process that has it; or it was deleted meanwhile.
    """
    lock = filelock.FileLock(run / "worker.lock")
    with starting(run):
        other = read_status(run)
        ours = (0, os.getpid(), os.getppid())  # the parent: a launcher on Windows
        taken = is_alive(other) and other.pid not in ours
        try:
            if not taken:
                lock.acquire(timeout=_PROBE_SECONDS)
        except filelock.Timeout:
            taken = True
    if taken:
        whose = f" process {other.pid}" if is_alive(other) and other.pid else " another process"
        raise RunError(f"{run} is being worked on by{whose}. Wait for it, or cancel it.")
    try:
        yield
    finally:
        lock.release()


def seal(run: Path, *, device: str | None = None, again: bool = False, report: Callable | None = None):
    """Seal what a run predicts (``pipeline.predict.predict``), alone at the run and in turn at the device.

    Raises:
        RunError: another worker has the run. CFSError: of the prediction.
    """
    from cfs_explore.pipeline.devices import usable_devices
    from cfs_explore.pipeline.predict import predict

    cancelled = (run / "cancel").exists
    with _alone(run), queue.turn(usable_devices(device), lambda place: None, cancelled) as chosen:
        return predict(run, device=chosen, again=again, report=report, cancelled=cancelled)
