"""``severities: [1, 3, 5]`` of an OOD set: one set of each severity, written out before a spec is checked."""

from __future__ import annotations

from typing import Any

from cfs_explore.errors import SpecError

_REMEDY = "Give a list such as [1, 2, 3, 4, 5], beside a source such as {altered: noisy, of: SOURCE}."


def with_severities(content: dict[str, Any]) -> dict[str, Any]:
    """A run's fields with each OOD set that has ``severities`` as one set of each, called NAME 1, NAME 2, ...

    Args:
        content: as it was given; other fields and wrong types are left to the spec's own check.

    Raises:
        SpecError: ``severities`` of something else than a changed set, or no list of different whole numbers.
    """
    sets = content.get("ood")
    if not isinstance(sets, list) or not any(isinstance(each, dict) and "severities" in each for each in sets):
        return content
    return content | {"ood": [one for each in sets for one in _each(each)]}


def _each(given: Any) -> list[Any]:
    """The set, or those that it stands for."""
    if not isinstance(given, dict) or "severities" not in given:
        return [given]
    name, source, wanted = given.get("name"), given.get("source"), given["severities"]
    if not isinstance(source, dict) or "altered" not in source or "severity" in source:
        raise SpecError(f"ood, set {name!r:.80}: severities belong to a changed set that has none yet. {_REMEDY}")
    whole = isinstance(wanted, list) and all(type(each) is int for each in wanted)
    if not whole or not wanted or len(set(wanted)) < len(wanted):
        raise SpecError(f"ood, set {name!r:.80}: severities = {wanted!r:.80} is no list of severities. {_REMEDY}")
    rest = {key: value for key, value in given.items() if key != "severities"}
    return [rest | {"name": f"{name} {each}", "source": source | {"severity": each}} for each in wanted]
