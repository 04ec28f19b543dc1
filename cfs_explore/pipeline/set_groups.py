"""Groups of OOD sets, written into a run: they decide no measured number, so they may change when all is measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from cfs_explore.contracts import SET_GROUPS
from cfs_explore.errors import SpecError
from cfs_explore.spec.files import read_yaml
from cfs_explore.store import Manifest, write_aside, write_json


def write_set_groups(run: Path, groups: Mapping[str, str]) -> None:
    """Put OOD sets of a run into groups (theory 36), in its spec and, where it is finished, its manifest.

    Args:
        run: its directory.
        groups: set -> "near", "far", "covariate"; a set that is not named is then in none.

    Raises:
        SpecError: the run has no such set, or there is no such group. Nothing is changed then.
    """
    path = run / "spec.yaml"
    content = read_yaml(path)
    known = [each["name"] for each in content["ood"]]
    for name, group in groups.items():
        if name not in known:
            raise SpecError(f"{run.name} has no OOD set called {name}. It has: {', '.join(known)}.")
        if group not in SET_GROUPS:
            raise SpecError(f"{name}: the group of a set is one of {', '.join(SET_GROUPS)}. Got {group!r} instead.")
    if (run / "manifest.json").is_file():
        manifest = Manifest.read(run)
        spec = {**manifest.spec, "ood": _grouped(manifest.spec["ood"], groups)}
        if spec != manifest.spec:
            write_json(run / "manifest.json", manifest.model_copy(update={"spec": spec}).model_dump(mode="json"))
    grouped = {**content, "ood": _grouped(content["ood"], groups)}
    if grouped != content:
        with write_aside(path) as partial:
            text = yaml.safe_dump(grouped, sort_keys=False, allow_unicode=True)
            partial.write_text(text, encoding="utf-8")


def _grouped(sets: list[dict], groups: Mapping[str, str]) -> list[dict]:
    """The sets of a spec in these groups; of a set in none the field goes, if it says anything."""
    plain = ({key: value for key, value in each.items() if key != "set_group" or value is None} for each in sets)
    return [each | ({"set_group": groups[each["name"]]} if each["name"] in groups else {}) for each in plain]
