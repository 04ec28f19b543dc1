"""YAML that people wrote: read within bounds, its paths found, its mistakes named."""

from __future__ import annotations

import json
import os
import re
import reprlib
from pathlib import Path
from typing import Any

import pydantic
import yaml

from cfs_explore.errors import SpecError
from cfs_explore.safe_io import plain_yaml

NAME_RULE = "allowed are 1 to 64 letters, digits, spaces and . + - ( ) _, with a letter or digit first"
#: A spec with more values than this is a bomb.
MAX_VALUES = 100_000

#: Keys of an image source that hold a path; a local data set folder stands for a hub id.
_SOURCE_PATHS = ("path", "imglist", "root", "hub")
#: Those that hold a pattern of paths, or an address.
_SOURCE_PATTERNS = ("tars", "parquet")
_IN_PATTERNS = re.compile(r"[{*?]")


def explain(error: pydantic.ValidationError, content: dict | None = None) -> str:
    """One clause per wrong field: its path, what is wrong, what was given; of a run's ``content``, which image set."""
    clauses = []
    for item in error.errors(include_url=False):
        field = ".".join(str(part) for part in item["loc"]) or "spec"
        if item["type"] == "extra_forbidden":
            clauses.append(f"{field}: unknown field; check its spelling")
        elif item["type"] == "missing":
            clauses.append(f"{field}: missing, and has no default")
        elif item["type"] == "string_pattern_mismatch":  # the only pattern is that of names
            clauses.append(f"{field}: {reprlib.repr(item['input'])} is not a name; {NAME_RULE}")
        else:
            given = reprlib.repr(item["input"])
            clauses.append(f"{field}: {item['msg'].removeprefix('Value error, ')}, got {given:.80}")
        name = _set_name(content, item["loc"])
        clauses[-1] += f" (set {name:.80})" if name else ""
    return "; ".join(clauses)


def _set_name(content: dict | None, place: tuple[int | str, ...]) -> str:
    """The name of the image set that a field belongs to, as it was given; "" where it is no set's."""
    if len(place) < 3 or place[0] not in ("id", "ood"):
        return ""
    try:
        name = content[place[0]][place[1]]["name"]
    except (TypeError, LookupError):
        return ""
    return reprlib.repr(name) if isinstance(name, str) and place[2] != "name" else ""


def read_yaml(path: Path) -> dict:
    """The fields of a YAML file.

    Raises:
        SpecError: when it is not there, not YAML, or holds something else.
    """
    try:
        content = plain_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SpecError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SpecError(f"{path} must hold `field: value` lines; it holds a {type(content).__name__}.")
    if not _is_small(content):
        raise SpecError(f"{path} holds more than {MAX_VALUES:,} values once its references are resolved.")
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # YAML may escape half a character
        raise SpecError(f"{path} holds a text that cannot be written again ({error}).") from error
    return content


def _is_small(content: Any) -> bool:
    """Whether nested lists and dicts hold at most ``MAX_VALUES`` values: references can make billions."""
    waiting, seen = [content], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen + len(waiting) > MAX_VALUES:
            return False
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return True


def resolve_paths(content: dict, base: Path) -> dict:
    """Make relative paths that exist under ``base`` absolute; leave hub ids and bundle names alone."""

    def absolute(value: Any) -> Any:
        if isinstance(value, str) and value and os.path.exists(base / value):  # False for what is no path at all
            return str(base / value)
        return value

    def pattern(value: Any) -> Any:
        """A pattern by the folder in front of what it leaves open."""
        fixed = os.path.dirname(_IN_PATTERNS.split(value)[0]) if isinstance(value, str) else ""
        there = isinstance(value, str) and "://" not in value and os.path.isdir(base / fixed)
        return str(base / value) if there and not value.startswith("~") else value

    def run_directory(value: Any) -> Any:
        """A run by its path; a bundle's name stays a name."""
        there = isinstance(value, str) and os.path.exists(base / value / "manifest.json")
        return str(base / value) if there else value

    def image_set(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        masks = {"masks": absolute(value["masks"])} if "masks" in value else {}
        return {**value, "source": source(value.get("source")), **masks}

    def source(value: Any) -> Any:
        if not isinstance(value, dict):
            return absolute(value)
        changed = {key: absolute(value[key]) for key in _SOURCE_PATHS if key in value}
        changed |= {key: pattern(value[key]) for key in _SOURCE_PATTERNS if key in value}
        if isinstance(value.get("files"), list):
            changed["files"] = [absolute(path) for path in value["files"]]
        if "altered" in value and "of" in value:
            inner = value["of"]
            changed["of"] = inner if isinstance(inner, dict) and "of" in inner else source(inner)
        return value | changed

    out = dict(content)
    if isinstance(out.get("backbone"), str):
        out["backbone"] = {"path": out["backbone"]}
    if isinstance(out.get("backbone"), dict):
        named = [key for key in ("path", "vae", "milestones") if key in out["backbone"]]
        out["backbone"] = out["backbone"] | {key: absolute(out["backbone"][key]) for key in named}
    if isinstance(out.get("id"), dict):
        out["id"] = {k: image_set(v) if k in ("train", "test") else v for k, v in out["id"].items()}
        if "run" in out["id"]:
            out["id"]["run"] = run_directory(out["id"]["run"])
    if "reference" in out:
        out["reference"] = run_directory(out["reference"])
    if isinstance(out.get("detectors"), dict) and "background" in out["detectors"]:
        out["detectors"] = out["detectors"] | {"background": run_directory(out["detectors"]["background"])}
    if isinstance(out.get("ood"), list):
        out["ood"] = [image_set(v) for v in out["ood"]]
    return out
