"""The weights that a training kept on its way: folders beside a backbone, each called by its number of steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from cfs_explore.errors import SpecError

#: Folder beside a backbone's weights; what `cfs-explore train` writes beside them about itself, and its largest size.
FOLDER, RECORD, MOST_BYTES = "milestones", "training.json", 2**22
#: How weights come to be kept, for those who have none.
HOW_TO_KEEP = (
    "`cfs-explore train` with `milestones: true` keeps them; others name their folder, one of each number of steps, in "
    "the spec under `backbone: {milestones: FOLDER}`."
)


class Milestone(NamedTuple):
    """Kept weights: after how many steps, the folder that is called so, and what in it is loaded as a backbone."""

    step: int
    folder: Path
    place: Path


def find_milestones(path: str, given: str | None = None) -> Path | None:
    """The folder of a backbone's milestones; None where there is none.

    Args:
        path: of the backbone; ``milestones`` is looked for in it, where it is a folder, then beside it.
        given: the folder that a spec names instead, there or not.
    """
    if given is not None:
        return Path(given)
    place = Path(path)
    if not place.exists():  # a hub id
        return None
    homes = [place, place.parent] if place.is_dir() else [place.parent]
    return next((home / FOLDER for home in homes if (home / FOLDER).is_dir()), None)


def count_milestones(path: str, given: str | None = None) -> int:
    """How many kept weights there are, by the names of their folders; 0 where none are found."""
    home = find_milestones(path, given)
    try:
        return len(_folders(home)) if home is not None and home.is_dir() else 0
    except (SpecError, OSError):  # whoever reads them says why
        return 0


def read_milestones(path: str, given: str | None = None) -> tuple[list[Milestone], int]:
    """The kept weights, the first ones (step 0) first, and the number of steps of the backbone itself.

    That number is ``steps`` of ``training.json``, beside the milestones or the backbone. Nothing is loaded.

    Raises:
        SpecError: naming the folder and what is wrong with it.
    """
    home = find_milestones(path, given)
    if home is None:
        raise SpecError(f"{path} has no milestones, the weights that a training keeps on its way. {HOW_TO_KEEP}")
    if not home.is_dir():
        raise SpecError(
            f"backbone.milestones: there is no folder {str(home)!r} (a relative path starts at the spec). {HOW_TO_KEEP}"
        )
    kept: dict[int, Path] = {}
    for folder in _folders(home):
        if not (folder.name.isascii() and folder.name.isdigit()):
            raise SpecError(
                f"backbone.milestones: {folder} is not called by a number of steps, such as 000064. Rename it, or put "
                "it elsewhere."
            )
        step = int(folder.name)
        if step in kept:
            raise SpecError(f"backbone.milestones: {kept[step]} and {folder} are both of step {step:,}. Remove one.")
        kept[step] = folder
    if 0 not in kept:
        raise SpecError(
            f"backbone.milestones: {home} has no folder 000000 with the first weights, which all others are compared "
            "with. Put them there."
        )
    last = _last_step(path, home)
    beyond = [kept[step] for step in sorted(kept) if step >= last]
    if beyond:
        raise SpecError(
            f"backbone.milestones: {beyond[0]} is no earlier than the backbone itself, of {last:,} steps. It may be "
            "left from another training: remove it."
        )
    return [Milestone(step, kept[step], _place(path, home, kept[step])) for step in sorted(kept)], last


def _folders(home: Path) -> list[Path]:
    try:
        return sorted(each for each in home.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise SpecError(
            f"backbone.milestones: {home} cannot be read ({error.strerror}). Make it readable, or name another folder."
        ) from error


def _place(path: str, home: Path, folder: Path) -> Path:
    """What is loaded of a milestone's folder: what is called as the backbone in it, else the folder."""
    inside = folder / Path(path).name
    return inside if home.parent != Path(path) and inside.exists() else folder


def _last_step(path: str, home: Path) -> int:
    """Steps of the backbone itself."""
    backbone = Path(path)
    beside = [home.parent, backbone if backbone.is_dir() else backbone.parent]
    record = next((each / RECORD for each in beside if (each / RECORD).is_file()), home.parent / RECORD)
    try:
        if record.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        steps = json.loads(record.read_text(encoding="utf-8"))["steps"]
        if type(steps) is not int or steps < 1:
            raise ValueError("no whole number")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SpecError(
            f"backbone.milestones: {record} does not say after how many steps the backbone itself was taken. Put a "
            'file there that holds {"steps": 2500}, with its number.'
        ) from error
    return steps
