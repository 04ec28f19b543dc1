"""Room on the disk: what runs take, and whether there is room for one more."""

from __future__ import annotations

from cfs_explore.errors import RunError
from cfs_explore.jobs.estimate import format_bytes
from cfs_explore.locations import disk_used, runs_root
from cfs_explore.settings import read_settings


def check_room(needed: int = 0) -> None:
    """Whether the administrator's limits allow one more run.

    Args:
        needed: bytes that the run is expected to take.

    Raises:
        RunError: naming the limit and what to do.
    """
    settings, root = read_settings(), runs_root()
    if settings.max_runs is not None:
        runs = sum(1 for _ in root.glob("*/spec.yaml"))
        if runs >= settings.max_runs:
            raise RunError(
                f"This server keeps at most {settings.max_runs:,} runs and has {runs:,}. Delete one on the page "
                "Explorations, or ask the administrator."
            )
    if settings.max_disk_bytes is not None:
        used = disk_used(root)
        if used + needed > settings.max_disk_bytes:
            raise RunError(
                f"This server's runs may take {format_bytes(settings.max_disk_bytes)}; they take {format_bytes(used)}, "
                f"and this one needs about {format_bytes(needed)} while it runs. Delete one on the page Explorations, "
                "or use fewer images, levels or taps."
            )
