"""The command line: ``cfs-explore`` and its commands, each a few lines around a function of the core."""

from __future__ import annotations

import argparse
import os
import sys

from cfs_explore.cli import keeping, looking, measuring, presetting, publishing, reading, rivals, sealing, triaging
from cfs_explore.cli.outputs import written
from cfs_explore.errors import CFSError, RunCancelled


def main(arguments: list[str] | None = None) -> None:
    """Parse and run; a user's mistake ends with one clear line and exit code 2."""
    # Threads that wait for each other sleep: where cores are shared, spinning makes small networks ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options = _parser().parse_args(arguments)
    try:
        with written(options.writes(options)):
            options.command(options)
    except RunCancelled as stopped:
        _tell(str(stopped))
        raise SystemExit(130) from None
    except KeyboardInterrupt:
        _tell("Stopped. Whatever a run has finished is kept; start it again to go on.")
        raise SystemExit(130) from None
    except CFSError as error:
        _tell(f"cfs-explore: {error}")
        raise SystemExit(2) from None


def _tell(text: str) -> None:
    """A line on the error output, unless that is a file on a full disk."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - what it still holds must not fail at the exit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfs-explore", description="Where in a diffusion model does the out-of-distribution signal live?"
    )
    parser.set_defaults(writes=lambda _options: None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (measuring, presetting, sealing, rivals, reading, publishing, triaging, keeping, looking):
        group.add(commands)
    return parser
