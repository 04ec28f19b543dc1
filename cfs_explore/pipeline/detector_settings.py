"""Images and budget of the stage of detectors, written into a run's own spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pydantic
import yaml

from cfs_explore.errors import SpecError
from cfs_explore.locations import locate_run
from cfs_explore.spec import DetectorSettings
from cfs_explore.spec.files import explain, read_yaml
from cfs_explore.store import open_run, write_aside


def set_detectors(run: Path, given: Mapping[str, float | str | None]) -> None:
    """Write these of ``spec.DetectorSettings`` into the spec of a finished run; its stage is then measured with them.

    Raises:
        SpecError: naming the field, what it got and what is allowed; the file is then as before. RunError: there is no
            such run to take the background from.
    """
    path = run / "spec.yaml"
    content = read_yaml(path)
    wanted = {**content.get("detectors", {}), **given}
    try:
        settings = DetectorSettings(**wanted)
    except pydantic.ValidationError as error:
        raise SpecError(f"The detectors of {run.name}: {explain(error)}") from error
    if "background" in given and settings.background is not None:
        open_run(locate_run(settings.background))
    if wanted != content.get("detectors", {}):
        with write_aside(path) as partial:
            text = yaml.safe_dump({**content, "detectors": wanted}, sort_keys=False, allow_unicode=True)
            partial.write_text(text, encoding="utf-8")
