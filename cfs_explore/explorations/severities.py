"""Which OOD sets of a run are one change of one source at several severities, by the run's own spec."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cfs_explore.store import Run

#: Fields of a set that may differ between the severities of one series.
_OWN = ("name", "description")


@dataclass(frozen=True)
class Series:
    """One change of one source.

    Attributes:
        name: of the change; with the weakest set's name where the run has several series of that change.
        sets: severity -> name of the OOD set, weak to strong; two or more.
    """

    name: str
    sets: dict[int, str]


def series_of(run: Run) -> list[Series]:
    """The series of a run in the order of its sets; empty where there is none, or the spec names no sources."""
    found: dict[str, tuple[str, dict[int, str]]] = {}
    measured = set(run.ood_names)
    for each in run.manifest.spec.get("ood", []):
        source = each.get("source")
        if each["name"] not in measured or not isinstance(source, dict) or "severity" not in source:
            continue
        alike = {key: value for key, value in each.items() if key not in _OWN}
        alike["source"] = {key: value for key, value in source.items() if key != "severity"}
        _, sets = found.setdefault(json.dumps(alike, sort_keys=True), (str(source.get("altered")), {}))
        sets.setdefault(int(source["severity"]), each["name"])
    several = [(change, dict(sorted(sets.items()))) for change, sets in found.values() if len(sets) > 1]
    changes = [change for change, _ in several]
    return [
        Series(change if changes.count(change) == 1 else f"{change} ({next(iter(sets.values()))})", sets)
        for change, sets in several
    ]
