"""Images and budget of the stage of detectors, written into a run's own spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from cfs_explore.spec import RunSpec
from cfs_explore.spec.files import read_yaml
from cfs_explore.store import write_aside


def set_detectors(run: Path, given: Mapping[str, float]) -> bool:
    """Write these of ``spec.DetectorSettings`` into the spec of a run; whether they are others than before.

    Raises:
        SpecError: naming the field, what it got and what is allowed.
    """
    path = run / "spec.yaml"
    before = RunSpec.parse(path)
    content = read_yaml(path)
    content["detectors"] = {**content.get("detectors", {}), **given}
    with write_aside(path) as partial:
        partial.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        after = RunSpec.parse(partial)
    return after.detectors != before.detectors
