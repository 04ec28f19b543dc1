"""Facts about a backbone, asked of a subprocess so that torch never loads in the app's process."""

from __future__ import annotations

import json
import subprocess
import sys

from cfs_explore.errors import BackboneError
from cfs_explore.spec import BackboneSpec
from cfs_explore.ui import background

_PATIENCE_SECONDS = 300


#: What takes the time; callers show it.
LOADING = "Loading the backbone and timing it on this machine"


def inspect_backbone(spec: BackboneSpec) -> dict:
    """What ``cfs-explore inspect --json`` says, when it has said it.

    Raises:
        BackboneError: with the message of the command.
    """
    task = inspecting(spec)
    task.wait()
    return task.result()


def facts_by_now(spec: BackboneSpec) -> dict | None:
    """The same; None while the command is at work, which ``inspecting`` shows.

    Raises:
        BackboneError: with the message of the command.
    """
    return inspecting(spec).result()


def inspecting(spec: BackboneSpec) -> background.Task[dict]:
    """The command at work; it starts when it is asked for first."""
    return background.task(("inspect", spec.model_dump_json()), lambda steps: _inspect(spec))


def _inspect(spec: BackboneSpec) -> dict:
    command = [sys.executable, "-m", "cfs_explore", "inspect", "--json"]
    command += [f"--{name}={value}" for name, value in spec.options().items() if value is not None]
    command += ["--", spec.path]  # a path may begin with a dash
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BackboneError(f"{spec.path} did not load within {_PATIENCE_SECONDS} s.") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BackboneError(last[0].removeprefix("cfs-explore: "))
    return json.loads(done.stdout.strip().splitlines()[-1])
