"""What a finished map lacks: diagnostics, and what they cost at the speed at which the map was measured; images."""

from __future__ import annotations

from collections.abc import Sequence

from cfs_explore.jobs.estimate import format_seconds
from cfs_explore.store import LEFT_OUT, Run
from cfs_explore.studies import DIAGNOSTICS


def missing_stages(run: Run) -> list[str]:
    """Names of the stages that this run can have and that were never tried on it, in their order."""
    counts = run.counts
    return [name for name, each in DIAGNOSTICS.items() if name not in run.manifest.stages and each.applies(counts)]


def count_forwards(run: Run, names: Sequence[str]) -> int:
    """Backbone forwards that these stages need."""
    return sum(DIAGNOSTICS[name].forwards(run.counts) for name in names)


def time_of(run: Run, names: Sequence[str], seconds_per_forward: float | None = None) -> str:
    """How long these stages take: "about 3 min", "a few seconds" without forwards, "" where no speed is known.

    Args:
        run: with its map.
        names: of the stages.
        seconds_per_forward: where the map's own speed is not known.
    """
    forwards, speed = count_forwards(run, names), run.manifest.seconds_per_forward or seconds_per_forward
    if not forwards:
        return "a few seconds"
    return "" if speed is None else f"about {format_seconds(forwards * speed)}"


def cost_of(run: Run, names: Sequence[str], seconds_per_forward: float | None = None) -> str:
    """Forwards and time of these stages in words: "12,300 forwards, about 3 min"; arguments as for ``time_of``."""
    forwards = count_forwards(run, names)
    parts = [f"{forwards:,} forwards" if forwards else "no forwards", time_of(run, names, seconds_per_forward)]
    return ", ".join(filter(None, parts))


def measured_of(run: Run) -> tuple[int, int] | None:
    """Images that were measured and scored, and those that there were; None where the run was not stopped early.

    Those of ID images whose scores another exploration had are not among them.
    """
    left = [LEFT_OUT.search(warning) for warning in run.manifest.warnings]
    left = [(int(n.replace(",", "")), int(total.replace(",", ""))) for n, total in (m.groups() for m in left if m)]
    if not left:
        return None
    roles = ("ood",) if run.manifest.spec["id"].get("run") else ("id_test", "ood")
    measured = sum(entry.count for entry in run.manifest.sets if entry.role in roles)
    return measured, measured + sum(total - n for n, total in left)
