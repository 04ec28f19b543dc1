"""The options of commands whose work several processes share."""

from __future__ import annotations

import argparse

from cfs_explore.errors import SpecError

_AUTO = "auto"


def add(command: argparse.ArgumentParser, default: str) -> None:
    """Add the options to a command.

    Args:
        command: its parser.
        default: what ``--workers auto`` means here.
    """
    command.add_argument(
        "--workers",
        type=_count,
        help=f"processes that share the work, or auto: {default} (default: auto; ray: all it has)",
    )
    command.add_argument("--devices", help="a torch device for each of them, comma-separated, such as cuda:0,cuda:1")
    command.add_argument("--engine", choices=("local", "ray"), default="local", help="where: here, or on a Ray cluster")
    command.add_argument("--address", help="of the Ray cluster, such as 10.0.0.1:6379 (default: auto, this computer's)")


def chosen(options: argparse.Namespace) -> dict[str, object]:
    """What ``jobs.work`` takes of them.

    Raises:
        SpecError: options that do not go together.
    """
    address, asked = _ray_address(options), _AUTO if options.workers is None else options.workers
    return {
        "workers": None if address is not None and asked == _AUTO else asked,
        "devices": options.devices.split(",") if options.devices else None,
        "address": address,
    }


def _count(text: str) -> int | str:
    if text == _AUTO:
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a whole number or {_AUTO}, not {text!r}") from None


def _ray_address(options: argparse.Namespace) -> str | None:
    """Of the cluster that shares the work; None: this computer alone."""
    if options.engine != "ray":
        if options.address:
            raise SpecError("--address is of a Ray cluster: add --engine ray.")
        return None
    if options.devices:
        raise SpecError(
            "--devices names those of this computer: leave it out with --engine ray, which finds GPUs itself."
        )
    return options.address or "auto"
