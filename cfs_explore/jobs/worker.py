"""What the worker process of a run does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock

from cfs_explore.errors import CFSError, RunCancelled, RunError
from cfs_explore.jobs import queue
from cfs_explore.jobs.helpers import helpers, ray_helpers, ray_threads, share
from cfs_explore.jobs.locks import starting
from cfs_explore.jobs.status import Status, birth, is_alive, read_status, stored_status, write_status
from cfs_explore.store.files import remove

#: A status is written about this often.
_WRITE_SECONDS = 0.5
#: Whoever asks whether a run is held holds it for a moment.
_PROBE_SECONDS = 0.5
#: What a map consists of.
_MEASURED = ("manifest.json", "work", "scores.zarr", "moments.zarr", "snapshots.zarr", "tables")


def work(
    run: Path,
    *,
    stages: Sequence[str] | None = None,
    fresh: bool = False,
    device: str | None = None,
    workers: int | None = None,
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
        workers, devices: how many processes measure the map, and on which devices, as of ``helpers.share``.
        address: of a Ray cluster whose actors help (``helpers.ray_helpers``); None: processes of this computer.
        keep: measure no more, and make an exploration of what is measured.
        report: also called with each ProgressEvent.
        on_map: called with the map so far, every few seconds (``pipeline.explore``).

    Raises:
        CFSError: after writing it to status.json.
        RunError: another worker has the run; its status is left alone.
    """
    if address is None:
        (first, *others), threads = share(workers or 1, devices)
    else:
        first, threads = None, ray_threads()

    def crew(device: str) -> contextlib.AbstractContextManager[Callable[[], None]]:
        if address is None:
            return helpers(run, others, threads)
        return ray_helpers(run, address, workers, device, threads)

    with _alone(run):
        if fresh and stages is None:
            for name in _MEASURED:
                remove(run / name)
        if keep:
            (run / "keep").touch()
        diary = _Diary(run, stages, report)
        diary.begin()
        _work(run, diary, stages, fresh, first or device, on_map, crew, threads)


def _work(
    run: Path,
    diary: _Diary,
    stages: Sequence[str] | None,
    fresh: bool,
    device: str | None,
    on_map: Callable | None,
    crew: Callable[[str], contextlib.AbstractContextManager[Callable[[], None]]],
    threads: int | None,
) -> None:
    from cfs_explore.pipeline import diagnose, explore
    from cfs_explore.pipeline.crew import forget
    from cfs_explore.pipeline.devices import usable_devices

    if stages is None:
        forget(run)
    cancelled, enough = (run / "cancel").exists, (run / "keep").exists
    try:
        with queue.turn(usable_devices(device), diary.wait, cancelled) as diary.device:
            options = {"device": diary.device, "report": diary.note, "fresh": fresh}
            if stages is None:
                with crew(diary.device) as check:

                    def stopped() -> bool:
                        check()
                        return cancelled()

                    options |= {"enough": enough, "on_map": on_map, "threads": threads, "cancelled": stopped}
                    explore(run / "spec.yaml", run, **options)
            else:
                diagnose(run, stages, cancelled=cancelled, **options)
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
