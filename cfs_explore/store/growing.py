"""The maps so far of a run that is being measured: run directories below its work, the newest ones alone.

work/growing/000001, 000002, ...    each is written aside and renamed, so what a reader opened stays as it is
"""

from __future__ import annotations

from pathlib import Path

from cfs_explore.store.files import remove

#: Images of a set that such a map shows, about: more would only take longer.
MOST_IMAGES = 2_000


def growing_map(run: Path) -> Path | None:
    """The newest map so far of a run; None while there is none."""
    return next(reversed(_maps(run)), None)


def is_growing(path: Path) -> bool:
    """Whether a run directory is such a map so far."""
    return path.parent.name == "growing" and path.parent.parent.name == "work"


def next_growing_map(run: Path) -> Path:
    """Where the next one goes."""
    newest = growing_map(run)
    return _home(run) / f"{1 if newest is None else int(newest.name) + 1:06d}"


def forget_growing_maps(run: Path, *, but: int = 0) -> None:
    """Remove all but the newest ones."""
    for path in _maps(run)[: -but or None]:
        remove(path)


def _maps(run: Path) -> list[Path]:
    return sorted(path for path in _home(run).glob("[0-9]*") if path.name.isdigit())


def _home(run: Path) -> Path:
    return run / "work" / "growing"
