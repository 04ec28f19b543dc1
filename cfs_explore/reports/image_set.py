"""What is in an image set, for the command line: the facts and warnings that the form of a new exploration shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from cfs_explore import images
from cfs_explore.diagnostics import difference_warning, set_differences
from cfs_explore.errors import SourceError
from cfs_explore.images.contact_sheet import contact_sheet
from cfs_explore.images.survey import Survey, survey
from cfs_explore.images.survey_overlap import compare, overlap_warning
from cfs_explore.images.survey_text import summary
from cfs_explore.images.survey_warnings import set_warnings
from cfs_explore.safe_io import plain_yaml

Steps = Callable[[int, int], None]


def facts(
    source: str | Mapping,
    against: str | Mapping | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Steps | None = None,
) -> dict:
    """What is in an image set, what would spoil its map, and what it shares with the in-distribution set or not.

    Args:
        source, against: what ``open_source`` takes: the set, and the ID set to compare it with.
        sample: look at that many images of each, drawn by ``seed``; None looks at all.
        progress: called with (done, total) after each image.

    Returns:
        Plain data: ``set`` and ``id`` (facts of each, None without ``against``), ``overlap`` [(name, ID name)],
        ``warnings`` [sentences].

    Raises:
        CFSError: a source cannot be opened.
    """
    found, other = (
        None if each is None else _survey(each, sample=sample, seed=seed, progress=progress)
        for each in (source, against)
    )
    overlap: list[tuple[str, str]] = []
    warnings = set_warnings(found, found.total)
    if other is not None and len(found) and len(other):
        overlap = compare(other, found)
        name = Path(found.location).name
        warnings.append(overlap_warning(name, overlap, len(found), sampled=found.is_sample))
        warnings.append(difference_warning(name, set_differences(other.images, found.images, seed=seed)))
    report = {"set": _facts(found), "id": other and _facts(other), "overlap": overlap}
    return report | {"warnings": list(filter(None, warnings))}


def as_text(found: dict) -> str:
    """``facts`` as a table, the names of what occurs twice or cannot be used, and the warnings."""
    columns = [part for part in (found["set"], found["id"]) if part is not None]
    heads = ["", Path(columns[0]["location"]).name, *(f"ID: {Path(c['location']).name}" for c in columns[1:])]
    lines = [[key, *(column["summary"][key] for column in columns)] for key in columns[0]["summary"]]
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in [heads, *lines]]
    text += [f"note: {note}" for column in columns for note in column["notes"]]
    text += [f"twice: {' = '.join(group)}" for group in found["set"]["duplicates"]]
    text += [f"unusable: {name}: {reason}" for name, reason in found["set"]["unusable"]]
    text += [f"also in the ID set: {ood} = {known}" for ood, known in found["overlap"]]
    text += [f"warning: {warning}" for warning in found["warnings"]]
    return "\n".join(text)


def write_sheet(source: str | Mapping, path: Path, seed: int = 0) -> None:
    """Write a contact sheet of 48 images drawn by ``seed`` as PNG.

    Raises:
        CFSError: the source cannot be opened, or no image of it can be read. OSError: the file cannot be written.
    """
    with images.open_source(source) as opened:
        sheet = contact_sheet(opened, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sheet)


def parse_source(text: str) -> str | dict:
    """A path, or a mapping in YAML such as '{builtin: letters}'.

    Raises:
        SourceError: it begins with a brace and is no YAML mapping.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        content = plain_yaml.load(text)
    except yaml.YAMLError as error:
        raise SourceError(f"{text} is no mapping in YAML ({' '.join(str(error).split())}).") from error
    return content


def _survey(source: str | Mapping, **options) -> Survey:
    with images.open_source(source) as opened:
        return survey(opened, **options)


def _facts(found: Survey) -> dict:
    """A survey as plain data."""
    return {
        "location": found.location,
        "total": found.total,
        "looked_at": len(found),
        "summary": summary(found),
        "labels": found.labels().to_dict("records"),
        "sizes": found.sizes().to_dict("records"),
        "storage": found.storage().to_dict("records"),
        "colours": found.colours().to_dict("records"),
        "statistics": found.statistics().to_dict("records"),
        "duplicates": found.duplicates(),
        "notes": list(found.notes),
        "unusable": list(found.unusable.itertuples(index=False, name=None)),
    }
