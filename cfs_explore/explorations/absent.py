"""Sets whose images are not on this computer, which stages that leaves out, and how to get the images, in words.

absent = absent_sets(run)
open_to_all = computable(["controls", "separation"], absent)    # ["separation"] where no set can be fetched
message = explain(run, needed(["controls"], absent))                # "The images of ... are not on this machine. ..."
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cfs_explore.explorations.pictures import fetch_command, how_to_get, is_here, source_of
from cfs_explore.safe_io import fetching
from cfs_explore.store import Run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.wording import listed


@dataclass(frozen=True)
class Absent:
    """A set whose images are not on this computer.

    Attributes:
        role, name: of the set.
        shown: whether the run may hold pictures of it.
        origin: where to get it, in words; "" where the run does not say.
        fetched: whether this process may fetch it, and does so when a stage reads it.
    """

    role: str
    name: str
    shown: bool
    origin: str
    fetched: bool


def absent_sets(run: Run) -> list[Absent]:
    """The sets of a run whose images are not on this computer; nothing is fetched. Sources are looked up once each."""
    here: dict[str, bool] = {}
    found = []
    for entry in run.manifest.sets:
        source = source_of(run, entry)
        if isinstance(source, dict):
            source = source.get("of", source)
        key = repr(source)
        if key not in here:
            here[key] = source is not None and is_here(source)
        if not here[key]:
            facts = how_to_get(run, entry), _is_fetched(source)
            found.append(Absent(entry.role, entry.name, entry.thumbnails, *facts))
    return found


def needed(names: Sequence[str], absent: Sequence[Absent]) -> list[Absent]:
    """Those of the absent sets whose images these stages read."""
    stages = [DIAGNOSTICS[name] for name in names]
    return [
        image_set
        for image_set in absent
        if any(image_set.role in s.reads or (s.shows and image_set.shown) for s in stages)
    ]


def computable(names: Sequence[str], absent: Sequence[Absent]) -> list[str]:
    """Those of these stages whose images are here, or are fetched by this process."""
    return [name for name in names if all(image_set.fetched for image_set in needed([name], absent))]


def explain(run: Run, absent: Sequence[Absent]) -> str:
    """Which sets are not here and how to get them, in sentences; "" where there is none."""
    public = [image_set for image_set in absent if image_set.origin]
    sentences = []
    if public:
        origins: dict[str, list[str]] = {}
        for image_set in public:
            origins.setdefault(image_set.origin, []).append(image_set.name)
        places = "; ".join(f"{listed(names)} from {origin}" for origin, names in origins.items())
        sentences.append(f"Not on this machine: the images of {places}. {_way(run, public)}")
    lost = [image_set.name for image_set in absent if not image_set.origin]
    if lost:
        sentences.append(
            f"The images of {listed(lost)} are not on this machine any more. Put the files back at the place that the "
            "exploration's spec names, or make a new exploration with them."
        )
    return " ".join(sentences)


def _way(run: Run, public: Sequence[Absent]) -> str:
    """How public sets come to be here."""
    command = f"`{fetch_command(run)}`"
    if all(image_set.fetched for image_set in public):
        return f"They are fetched first, which needs the network; {command} fetches them, too."
    return (
        "This server does not fetch them for its visitors. Its administrator gets them by "
        f"{command}, or puts copies into the folder that CFS_EXPLORE_DATA names."
        if fetching.is_restricted()
        else f"Get them by {command}, or put copies into the folder that CFS_EXPLORE_DATA names."
    )


def _is_fetched(source: str | dict[str, Any] | None) -> bool:
    """Whether opening this source fetches it."""
    if not isinstance(source, dict) or source.get("download") is False:
        return False
    if "torchvision" in source:
        wanted = source.get("download") or source.get("root") is None
        return bool(wanted) and fetching.may_fetch("torchvision")
    return "hub" in source and fetching.reads_as_hub_id(source["hub"]) and fetching.may_fetch(source["hub"])
