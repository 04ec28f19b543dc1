"""Runs that are killed, run out of disk, or are started twice: parts of ``reliability.py``."""

from __future__ import annotations

import collections
import contextlib
import functools
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from reliability_common import (
    Check,
    differences,
    ended,
    environment,
    identical_files,
    kill,
    note,
    printed,
    small_spec,
    start_worker,
    state_of,
    wait_until,
    write_run,
)

from cfs_explore import jobs
from cfs_explore.store import SetWork

#: Seconds that a small run may take on a busy machine.
LONG = 600
#: Bytes of the small disk: the small run and its work take less.
DISK = 48_000_000

#: Runs the command line with a disk that is full when the ninth shard is written.
_FULL_DISK = """
import errno, sys, numpy
real, count = numpy.savez, 0
def savez(file, **arrays):
    global count
    count += "shards" in getattr(file, "name", "")
    if count == 9:
        raise OSError(errno.ENOSPC, "No space left on device")
    real(file, **arrays)
numpy.savez = savez
from cfs_explore.cli import main
main(["run", sys.argv[1]])
"""
#: Asks for a worker at a given time.
_START = """
import sys, time
from pathlib import Path
from cfs_explore import jobs
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
jobs.start(Path(sys.argv[1]))
"""


@functools.cache
def undisturbed(home: Path) -> tuple[Path, float, float]:
    """A run that nothing disturbs, without a cache; seconds from its start to its first stage and to its end."""
    note("an undisturbed run")
    run = write_run(home / "undisturbed" / "run", small_spec())
    since = time.monotonic()
    with ended([start_worker(run, CFS_EXPLORE_CACHE_GB="0")]) as (process,):
        wait_until(lambda: state_of(run)[0] == "running" or process.poll() is not None, LONG)
        begun = time.monotonic() - since
        if process.wait(LONG):
            raise SystemExit(f"The run fails without being disturbed:\n{printed(run)}")
    return run, begun, time.monotonic() - since


def killed(home: Path, count: int) -> list[Check]:
    """SIGKILL at random moments of a run, which is then resumed."""
    whole, begun, seconds = undisturbed(home)
    rng, stages, unequal, silent, left = random.Random(0), collections.Counter(), [], 0, 0
    for i in range(count):
        run, stage = _kill_once(home / f"kill-{i:02d}", rng, begun if i % 7 == 0 else 0.0, seconds - begun)
        stages[stage] += 1
        told = jobs.read_status(run)
        silent += told is not None and "Start it again" not in told.error
        with ended([start_worker(run)]) as (process,):
            code = process.wait(LONG)
        found = [f"exit {code}"] if code else differences(run, whole)
        note(f"killed {i + 1} of {count}, in {stage}: {', '.join(found) or 'equal'}")
        unequal += [f"{stage}: {', '.join(found)}"] if found else []
        left += len(list(run.rglob("*.partial"))) + (run / "work").exists()
        same, files = identical_files(run, whole) if not found else (0, 0)
        if not found and same < files:
            note(f"   {files - same} of {files} files differ in bytes, not in numbers")
    where = ", ".join(f"{stage} {n}" for stage, n in stages.most_common())
    return [
        Check("kill", f"SIGKILL at {count} random moments ({where}), then resumed", "all ended", True)
        if not any("exit" in text for text in unequal)
        else Check("kill", f"SIGKILL at {count} random moments ({where}), then resumed", "; ".join(unequal), False),
        Check(
            "kill",
            "tables, scores, moments and snapshots compared with an undisturbed run, bit by bit",
            "; ".join(unequal) or f"{count} of {count} equal",
            not unequal,
        ),
        Check("kill", "half-written files or work folders left after resuming", str(left), left == 0),
        Check("kill", "killed runs whose status does not say to start them again", str(silent), silent == 0),
    ]


def _kill_once(home: Path, rng: random.Random, startup: float, working: float) -> tuple[Path, str]:
    """Kill a run within its start-up, if that is to take ``startup`` seconds, or else while it works.

    Returns:
        The run, and the stage that it was in.
    """
    part = rng.random()
    for attempt in range(5):
        run = write_run(home / f"{attempt}" / "run", small_spec())
        with ended([start_worker(run)]) as (process,):
            if startup:
                time.sleep(part * startup)
            else:
                wait_until(
                    lambda run=run, process=process: state_of(run)[0] == "running" or process.poll() is not None, LONG
                )
                time.sleep(part * working)
            alive = process.poll() is None
            kill(process)
        if alive:
            state, stage = state_of(run)
            return run, stage if state == "running" else "start-up"
        part *= 0.8  # it was quicker than the undisturbed one
    raise SystemExit("The run ends before it can be killed.")


def disk_full(home: Path) -> list[Check]:
    """The disk is full while shards are written; then there is room again."""
    whole, _, _ = undisturbed(home)
    with _small_disk(home / "disk") as real:
        run = write_run(home / "disk" / "run", small_spec())
        ballast = home / "disk" / "ballast"
        work = SetWork(run / "work" / "id-test")
        if real:
            with ended([start_worker(run, runs=home)]) as (process,):
                wait_until(lambda: work.shards_done() >= 1 or process.poll() is not None, LONG, 0.005)
                _fill(ballast)
                code = process.wait(LONG)
            output = printed(run)
        else:
            done = subprocess.run(
                [sys.executable, "-c", _FULL_DISK, str(run)],
                env=environment(home),
                capture_output=True,
                text=True,
                timeout=LONG,
            )
            code, output = done.returncode, done.stderr
        before = work.shards_done()
        told = jobs.read_status(run)
        ballast.unlink(missing_ok=True)
        line = next((text for text in output.splitlines() if "cfs-explore:" in text), output[-300:])
        with ended([start_worker(run, runs=home)]) as (process,):
            again = process.wait(LONG)
        unequal = [f"exit {again}"] if again else differences(run, whole)
    how = f"a file system of {DISK // 10**6} MB filled to the last byte" if real else "simulated: every write refused"
    clear = code == 2 and "Traceback" not in output
    if not real:  # a log on a full disk takes no line; then the status tells
        clear = clear and "disk is full" in line and "start the run again" in line
    status = "" if told is None else told.error
    return [
        Check("disk", f"disk full after shard {before} of ID-test ({how})", f"exit {code}, {_short(line)}", clear),
        Check("disk", "what the app tells of the run", _short(status), "disk is full" in status),
        Check("disk", "room again, resumed: compared bit by bit", ", ".join(unequal) or "equal", not unequal),
    ]


def _short(text: str) -> str:
    text = " ".join(text.split()).replace("|", "/")
    return f'"{text[:90]} ... {text[-60:]}"' if len(text) > 160 else f'"{text}"'


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A small file system at a folder; False where this user may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield bool(mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(path: Path) -> None:
    """Write until nothing more goes onto the disk."""
    with path.open("wb", buffering=0) as file:
        for size in (1_000_000, 10_000, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def raced(home: Path, count: int) -> list[Check]:
    """Two workers for one run at once; four requests for a worker at once; a fresh start while another works."""
    return [_two_workers(home, count), _four_requests(home, max(1, count // 2)), _fresh_start(home)]


def _two_workers(home: Path, count: int) -> Check:
    whole, _, _ = undisturbed(home)
    bad, endings = [], collections.Counter()
    for i in range(count):
        run = write_run(home / f"race-{i}" / "run", small_spec())
        with ended([start_worker(run), start_worker(run)]) as processes:
            codes = sorted(process.wait(LONG) for process in processes)
        refused = printed(run).count("is being worked on")
        endings["one refused" if refused else "one waited"] += 1
        found = differences(run, whole) if (run / "manifest.json").is_file() else ["no result"]
        if codes not in ([0, 0], [0, 2]) or "Traceback" in printed(run):
            found.append(f"exit codes {codes}")
        bad += [f"{i}: {', '.join(found)}"] if found else []
        note(f"race {i + 1} of {count}: exit codes {codes}, {', '.join(found) or 'equal'}")
    how = ", ".join(f"{name} {n}" for name, n in endings.items())
    return Check("race", f"two workers at once for one run, {count} times ({how})", "; ".join(bad) or "equal", not bad)


def _four_requests(home: Path, count: int) -> Check:
    whole, _, _ = undisturbed(home)
    bad = []
    for i in range(count):
        run = write_run(home / f"requests-{i}" / "run", small_spec())
        when = str(time.time() + 6.0)
        starters = [
            subprocess.Popen([sys.executable, "-c", _START, str(run), when], env=environment(run.parent), stderr=-1)
            for _ in range(4)
        ]
        with ended(starters):
            errors = [process.communicate(timeout=LONG)[1].decode() for process in starters]
        over = wait_until(lambda run=run: (s := jobs.read_status(run)) is not None and s.state in jobs.FINAL, LONG, 0.2)
        log = jobs.log_tail(run, 1000)
        found = [text.strip().splitlines()[-1] for text in errors if text.strip()]
        found += differences(run, whole) if over and (run / "manifest.json").is_file() else ["no result"]
        if log.count("Finished:") != 1 or "being worked on" in log or "Traceback" in log:
            found.append(f"more than one worker: {_short(log)}")
        bad += [f"{i}: {', '.join(found)}"] if found else []
        note(f"four requests {i + 1} of {count}: {', '.join(found) or 'one worker, equal'}")
    return Check(
        "race", f"four requests to start a run at once, {count} times", "; ".join(bad) or "one worker, equal", not bad
    )


def _fresh_start(home: Path) -> Check:
    whole, _, _ = undisturbed(home)
    run = write_run(home / "fresh" / "run", small_spec())
    with ended([start_worker(run)]) as processes:
        wait_until(lambda: SetWork(run / "work" / "id-test").shards_done() >= 1, LONG)
        processes.append(start_worker(run, "--fresh"))
        codes = [process.wait(LONG) for process in processes]
    found = [f"exit codes {codes}"] if codes != [0, 2] else []
    found += differences(run, whole) if (run / "manifest.json").is_file() else ["no result"]
    note(f"--fresh while another works: {', '.join(found) or 'refused, equal'}")
    return Check("race", "run --fresh while a worker is at it", ", ".join(found) or "refused, equal", not found)
