"""Whether an unpacked run is what it says, so that every page can read it: called before an import shows up.

What is accepted is written anew in this project's own words, so that nothing odd of a foreign file stays.
"""

from __future__ import annotations

import json
from pathlib import Path

import pydantic

from cfs_explore.contracts import Level, Tap
from cfs_explore.errors import RunError
from cfs_explore.store.bundle_arrays import check_arrays
from cfs_explore.store.bundle_numbers import check_numbers
from cfs_explore.store.bundle_tables import check_tables
from cfs_explore.store.digests import file_digests, first_difference
from cfs_explore.store.files import write_json
from cfs_explore.store.manifest import Manifest
from cfs_explore.store.manifest_check import first_mistake, wrong_field
from cfs_explore.store.seal import FILE as SEAL
from cfs_explore.store.seal import has_seal, read_seal


class _Listed(pydantic.BaseModel):
    """The lists of the manifest, read first so that an error names the list too."""

    levels: list[Level]
    taps: list[Tap]


def check_run(run: Path) -> Manifest:
    """Check every file of a run directory whose files came from elsewhere.

    Raises:
        RunError: naming the file and the field.
    """
    manifest = read_manifest(run)
    recorded, sent = manifest.files, file_digests(run)
    manifest = manifest.model_copy(update={"files": {}})  # what is checked is written anew
    check_arrays(run, manifest)
    check_tables(run, manifest)
    check_numbers(run, manifest)
    if has_seal(run):
        write_json(run / SEAL, read_seal(run).model_dump(mode="json"))
    changed = first_difference(recorded, sent) if recorded else None
    if changed is not None:
        raise RunError(f"{changed} is not the file that was packed: manifest.json gives another size or digest for it.")
    manifest = manifest.model_copy(update={"files": file_digests(run)})
    write_json(run / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


def read_manifest(run: Path) -> Manifest:
    """The manifest, with every value in its range and the rows of all sets one behind the other.

    Raises:
        RunError: naming the field.
    """
    try:
        content = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise RunError(f"manifest.json must hold an object; it holds a {type(content).__name__}.")
        listed = _Listed.model_validate(content)
        manifest = Manifest.model_validate(content)
        json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False).encode()  # else it could not be written
    except pydantic.ValidationError as error:
        raise RunError(f"manifest.json, {first_mistake(error)}.") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(f"manifest.json is not readable JSON of a run ({str(error)[:200]}).") from error
    levels, taps = listed.levels, listed.taps
    wrong = wrong_field(manifest, levels, taps)
    if wrong is not None:
        raise RunError(f"manifest.json, {wrong}.")
    fields = {"levels": [level.to_dict() for level in levels], "taps": [tap.to_dict() for tap in taps]}
    return manifest.model_copy(update=fields)
