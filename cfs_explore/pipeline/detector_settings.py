"""Images and budget of the stage of detectors, written into a run's own spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pydantic
import yaml

from cfs_explore.errors import SpecError
from cfs_explore.spec import DetectorSettings
from cfs_explore.spec.files import explain, read_yaml
from cfs_explore.store import open_run, write_aside


def set_detectors(run: Path, given: Mapping[str, float | str]) -> bool:
    """Write these of ``spec.DetectorSettings`` into the spec of a finished run.

    Returns:
        Whether its tables of detectors, if there are any, were made with others.

    Raises:
        SpecError: naming the field, what it got and what is allowed; the file is then as before.
    """
    path = run / "spec.yaml"
    content = read_yaml(path)
    wanted = {**content.get("detectors", {}), **given}
    try:
        settings = DetectorSettings(**wanted)
    except pydantic.ValidationError as error:
        raise SpecError(f"The detectors of {run.name}: {explain(error)}") from error
    if wanted != content.get("detectors", {}):
        with write_aside(path) as partial:
            text = yaml.safe_dump({**content, "detectors": wanted}, sort_keys=False, allow_unicode=True)
            partial.write_text(text, encoding="utf-8")
    return settings != DetectorSettings(**open_run(run).manifest.spec.get("detectors", {}))
