"""Levels, taps and cells by name: 'up1.res1@5' is the tap up_blocks.1.resnets.1 at log-SNR 5."""

from __future__ import annotations

from collections.abc import Sequence

from cfs_explore.contracts import Level
from cfs_explore.errors import RunError
from cfs_explore.store.run import Run
from cfs_explore.wording import short_tap_name

#: Decimals that names of levels have at most.
_MOST_DECIMALS = 6


def cell_names(run: Run) -> list[str]:
    """The names of all cells, by their numbers in the map."""
    taps = [short_tap_name(tap.name) for tap in run.taps]
    return [f"{tap}@{lam}" for lam in level_names(run.levels) for tap in taps]


def level_names(levels: Sequence[Level]) -> list[str]:
    """Log-SNRs to one decimal, or to as many as tell all levels apart: '5', '-1.3'."""
    decimals = 1
    while decimals < _MOST_DECIMALS and len({round(level.lam, decimals) for level in levels}) < len(levels):
        decimals += 1
    return [f"{round(level.lam, decimals) + 0.0:g}" for level in levels]


def find_cell(run: Run, name: str) -> int:
    """The number of a cell: of its name, or as links that older versions wrote give it.

    Raises:
        RunError: it is no cell's name, or naming the levels or taps that there are instead.
    """
    count = len(run.levels) * len(run.taps)
    if name.isascii() and name.isdigit():
        if int(name) < count:
            return int(name)
        raise RunError(f"{run.name} has {count} cells, and none with the number {name}.")
    tap, at, lam = name.strip().rpartition("@")
    try:
        number = float(lam)
    except ValueError:
        at = ""
    if not at:
        raise RunError(f"{name!r} is no cell. Cells are called as in {cell_names(run)[0]}: a tap and a log-SNR.")
    return run.cell_number(find_level(run, number), find_tap(run, tap.strip()))


def find_level(run: Run, lam: float) -> int:
    """The position of the level with a log-SNR: as in its name, to one decimal, or as it was asked for.

    Raises:
        RunError: naming those that there are.
    """
    names = level_names(run.levels)
    named = [float(name) for name in names]
    to_one_decimal = (
        [round(level.lam, 1) for level in run.levels],
        [round(level.requested, 1) for level in run.levels],
    )
    for value, known in ((lam, named), *((round(lam, 1), each) for each in to_one_decimal)):
        if value in known:
            return known.index(value)
    raise RunError(f"{run.name} has no level with log-SNR {lam:g}. It has: {', '.join(names)}.")


def find_tap(run: Run, name: str) -> int:
    """The position of a tap, by its full or its short name.

    Raises:
        RunError: naming those that there are.
    """
    for position, tap in enumerate(run.taps):
        if name in (tap.name, short_tap_name(tap.name)):
            return position
    known = ", ".join(short_tap_name(tap.name) for tap in run.taps)
    raise RunError(f"{run.name} has no tap {name}. It has: {known}.")
