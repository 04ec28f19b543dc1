"""Explorations as files: export, import, rename. What was imported is marked, and names no places of this server unless
its owner imported it.

    export(run, Path("digits.zip"))
    run = import_zip(Path("digits.zip"), trusted=True)
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pydantic
import yaml

from cfs_explore import jobs
from cfs_explore.errors import RunError, SpecError
from cfs_explore.locations import runs_root
from cfs_explore.safe_io import plain_yaml
from cfs_explore.settings import read_settings
from cfs_explore.spec import LevelRange, RunSpec, SetName
from cfs_explore.spec.files import NAME_RULE, explain
from cfs_explore.store.bundle import MAX_BYTES, read_zip, write_zip
from cfs_explore.store.bundle_check import read_manifest
from cfs_explore.store.digests import check_files
from cfs_explore.store.files import write_aside, write_json
from cfs_explore.store.manifest import Manifest

#: Its presence says that a run was imported; it says whether the places in its spec were taken over.
MARK = "imported.json"
#: Takes the place of a path that a reader has no business to open.
NOT_HERE = "(not in the bundle)"
_LONGEST_SPEC = 2**20
_MOST_LEVELS = 100_000
_NAME = pydantic.TypeAdapter(SetName)


def export(run: Path, file: Path | BinaryIO, *, hide: bool = False) -> None:
    """Write a finished run as a zip that ``import_zip`` reads.

    Args:
        run: its directory.
        file: where to; written piece by piece.
        hide: leave out where images and backbone lie on this server.

    Raises:
        CFSError: the run is not finished or damaged, or the file cannot be written.
    """
    manifest = _full(Manifest.read(run))
    check_files(run, manifest)
    if hide:
        manifest = _without_places(manifest, run)
    texts = {
        "manifest.json": json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n",
        "spec.yaml": _validated(manifest.spec, "manifest.json, spec").to_yaml(),
    }
    try:
        write_zip(run, file, texts)
    except OSError as error:
        raise RunError(f"{run.name} could not be packed ({error.strerror or error}).") from error


def import_zip(path: Path, *, trusted: bool) -> Path:
    """Take over an exploration that ``export`` wrote, under a new id.

    Args:
        path: the zip.
        trusted: keep the places of images and backbone that its spec names, and the backbone that comes with it, so
            that diagnostics can be computed; only for the owner of this computer.

    Returns:
        The run directory.

    Raises:
        CFSError: naming the member or field; nothing is left behind.
    """
    jobs.check_room(path.stat().st_size if path.is_file() else 0)
    limit, root = read_settings().max_disk_bytes, runs_root()
    room = MAX_BYTES if limit is None else min(MAX_BYTES, limit - jobs.disk_used(root))
    return read_zip(path, root, backbone=trusted, finish=lambda run: _finish(run, trusted), max_bytes=room)


def _finish(run: Path, trusted: bool) -> None:
    """Check the spec of an unpacked run against its manifest; write both, and the mark."""
    manifest = read_manifest(run)
    spec = _validated(manifest.spec, "manifest.json, spec")
    if _read_spec(run / "spec.yaml", diagnostics=spec.diagnostics) != spec:
        raise RunError("spec.yaml and the spec in manifest.json differ: the zip was changed. Pack it again.")
    ranged = isinstance(spec.levels, LevelRange)
    numbers = [spec.levels.high, spec.levels.low] if ranged else spec.levels
    fields = {
        "name": manifest.name == spec.name,
        "draws": manifest.draws == spec.draws,
        "backbone.path": manifest.backbone.path == spec.backbone.path,
        "sets": [entry.name for entry in manifest.sets if entry.role == "ood"]
        == [image_set.name for image_set in spec.ood],
        "spec.levels": all(map(math.isfinite, numbers)) and not (ranged and spec.levels.grid > _MOST_LEVELS),
        "spec.keep_level": math.isfinite(spec.keep_level),
        "spec.conditioning_offset": math.isfinite(spec.conditioning_offset),
    }
    for field, fine in fields.items():
        if not fine:
            raise RunError(f"manifest.json, {field}: it is not what the spec says, or no usable number.")
    manifest = _full(manifest) if trusted else _without_places(_full(manifest))
    write_json(run / "manifest.json", manifest.model_dump(mode="json"))
    _write_spec(run, RunSpec(**manifest.spec).to_yaml())
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_json(run / MARK, {"imported": when, "places": trusted})


def names_places(run: Path) -> bool:
    """Whether the spec of a run names where its backbone and images are: not if a stranger imported it."""
    try:
        return json.loads((run / MARK).read_text(encoding="utf-8"))["places"] is True
    except FileNotFoundError:
        return True
    except (OSError, ValueError, TypeError, KeyError):
        return False


def spec_text(run: Path, *, hide: bool = False) -> str:
    """The YAML that describes a run, finished or not; with ``hide``, without the places that it names.

    Raises:
        CFSError: it cannot be read.
    """
    if not hide:
        return _read_text(run / "spec.yaml")
    spec = _read_spec(run / "spec.yaml").model_dump(mode="json")
    return RunSpec(**_hide_places(spec, NOT_HERE, builtin=True)).to_yaml()


def rename(run: Path, name: str) -> None:
    """Give a run another name, in its manifest and its spec.

    Raises:
        CFSError: the name is not allowed, the run is not a run of this server, or it is being worked on.
    """
    try:
        name = _NAME.validate_python(name)
    except pydantic.ValidationError as error:
        raise SpecError(f"{name!r:.80} cannot be a name; {NAME_RULE}.") from error
    if run.resolve().parent != runs_root().resolve():
        raise RunError(f"{run.name} is bundled with the project and keeps its name.")
    if jobs.is_alive(jobs.read_status(run)) or jobs.is_held(run):
        raise RunError("This exploration is being worked on. Rename it when that is done.")
    content = _read_yaml(run / "spec.yaml")
    if (run / "manifest.json").is_file():
        manifest = Manifest.read(run)
        renamed = manifest.model_copy(update={"name": name, "spec": {**manifest.spec, "name": name}})
        write_json(run / "manifest.json", renamed.model_dump(mode="json"))
    _write_spec(run, yaml.safe_dump({**content, "name": name}, sort_keys=False, allow_unicode=True))


def _full(manifest: Manifest) -> Manifest:
    """With every field in its spec, as runs of this version write it."""
    spec = _validated(manifest.spec, "manifest.json, spec")
    return manifest.model_copy(update={"spec": spec.model_dump(mode="json")})


def _without_places(manifest: Manifest, run: Path | None = None) -> Manifest:
    """Without the places that the spec names.

    Args:
        manifest: with its full spec.
        run: its directory, of which the folder ``backbone`` keeps its place, and which may name the sets that this
            project makes. None: nothing of that.
    """
    place = manifest.spec["backbone"]["path"]
    inside = run is not None and Path(place).parts[:1] == ("backbone",) and ".." not in Path(place).parts
    backbone = place if inside and (run / place).exists() else NOT_HERE
    changes = {"spec": _hide_places(manifest.spec, backbone, builtin=run is not None)}
    return manifest.model_copy(update=changes | {"backbone": manifest.backbone.model_copy(update={"path": backbone})})


def _hide_places(spec: dict[str, Any], backbone: str, *, builtin: bool) -> dict[str, Any]:
    """A full spec, as plain values, that names no images, but perhaps built-in ones, no other run, and this backbone.

    Args:
        spec: to change.
        backbone: its path.
        builtin: whether it may name the sets that this project makes.
    """

    def hide(image_set: dict[str, Any] | None) -> dict[str, Any] | None:
        if image_set is None:
            return None
        source = image_set["source"]
        made = builtin and isinstance(source, dict) and "builtin" in source
        if isinstance(source, dict) and "severity" in source:  # how strong it is changed is no place
            made, source = True, {key: source[key] for key in ("altered", "severity")} | {"of": NOT_HERE}
        return image_set | {"masks": None, "source": source if made else NOT_HERE}

    def nowhere(place: str | None) -> str | None:
        return place and NOT_HERE

    trained_on = spec["backbone"].get("trained_on")
    trained = {"trained_on": trained_on and hide({"source": trained_on})["source"]}
    trained |= {"milestones": nowhere(spec["backbone"].get("milestones"))}
    origin = spec["id"]
    images = {"run": nowhere(origin["run"]), "train": hide(origin["train"]), "test": hide(origin["test"])}
    return spec | {
        "backbone": spec["backbone"] | {"path": backbone, "vae": nowhere(spec["backbone"]["vae"])} | trained,
        "id": origin | images,
        "ood": [hide(image_set) for image_set in spec["ood"]],
        "reference": nowhere(spec["reference"]),
        "detectors": {**(settings := spec.get("detectors", {})), "background": nowhere(settings.get("background"))},
    }


def _read_spec(path: Path, **absent: Any) -> RunSpec:
    """The spec of the file: its paths are not looked up.

    Args:
        path: of its YAML.
        absent: values of fields that it leaves out, where an older version had another default.
    """
    return _validated(absent | _read_yaml(path), path.name)


def _read_yaml(path: Path) -> dict[str, Any]:
    """The fields of a YAML file that anybody may have written: no tags, and no aliases, which can grow without bound.

    Raises:
        SpecError: it is something else.
    """
    text = _read_text(path)
    if len(text) > _LONGEST_SPEC:
        raise SpecError(f"{path.name} is longer than {_LONGEST_SPEC:,} characters.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise SpecError(f"{path.name} has aliases (*name), which a spec may not have.")
        content = plain_yaml.load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"{path.name} is not readable YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SpecError(f"{path.name} must hold `field: value` lines.")
    return content


def _validated(content: Mapping[str, Any], where: str) -> RunSpec:
    """A spec that can be written again, made without looking up paths.

    Raises:
        SpecError: naming the field.
    """
    try:
        spec = RunSpec(**content)
        spec.to_yaml().encode()
    except pydantic.ValidationError as error:
        raise SpecError(f"{where}: {explain(error)[:500]}") from error
    except (TypeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SpecError(f"{where}: {str(error)[:300]}") from error
    return spec


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path.parent.name}/{path.name} cannot be read ({str(error)[:200]}).") from error


def _write_spec(run: Path, text: str) -> None:
    with write_aside(run / "spec.yaml") as partial:
        partial.write_text(text, encoding="utf-8")
