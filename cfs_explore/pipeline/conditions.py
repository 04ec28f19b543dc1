"""The labels or prompts of a spec, as conditioned copies of the run's network (theory 1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cfs_explore.backbones import Backbone
from cfs_explore.spec import OWN_FIELDS, RunSpec
from cfs_explore.spec.files import read_yaml
from cfs_explore.store import Manifest, write_aside, write_json
from cfs_explore.studies.conditioning import condition_name

_FIELDS = OWN_FIELDS["conditioning"]


def conditioned(spec: RunSpec, backbone: Backbone) -> dict[str, Backbone]:
    """Variant -> the network conditioned on its label or prompt; empty where the spec names none.

    Raises:
        BackboneError: naming the field, the label or prompt that this network cannot be conditioned on, and the remedy.
    """
    wanted = spec.conditions
    return dict(zip(map(condition_name, wanted), backbone.given(wanted), strict=True)) if wanted else {}


def is_outdated(spec: RunSpec, made: Mapping[str, Any]) -> bool:
    """Whether a stage that was made with the fields of ``made`` compared others than ``spec`` names."""
    return any(made.get(field, []) != getattr(spec, field) for field in _FIELDS)


def write_conditions(run: Path, spec: RunSpec) -> None:
    """Put the labels or prompts of ``spec`` into the spec of a run, whose stage is then measured with them.

    What is counted beforehand follows the manifest: it has them where the stage was not made with others.
    """
    path = run / "spec.yaml"
    given = {field: list(getattr(spec, field)) for field in _FIELDS}
    content = {**read_yaml(path), **given}
    with write_aside(path) as partial:
        kept = {key: value for key, value in content.items() if key not in _FIELDS or value}
        partial.write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not (run / "manifest.json").is_file():
        return
    manifest = Manifest.read(run)
    if "conditioning" not in manifest.stages:
        changed = manifest.model_copy(update={"spec": {**manifest.spec, **given}})
        write_json(run / "manifest.json", changed.model_dump(mode="json"))
