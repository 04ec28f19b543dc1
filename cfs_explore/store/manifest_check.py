"""Whether every value of a manifest lies in its range, and the rows of all sets one behind the other."""

from __future__ import annotations

import datetime
import math
import re
import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cfs_explore.contracts import REGIONS, SET_GROUPS, Level, Tap
from cfs_explore.studies import DIAGNOSTICS

if TYPE_CHECKING:
    import pydantic

    from cfs_explore.store.manifest import Manifest

_MOST_LEVELS, _MOST_TAPS, _MOST_DRAWS, _MOST_SETS, _MOST_IMAGES = 1_000, 5_000, 100, 1_000, 5_000_000
_MOST_CHANNELS, _LONGEST_SIDE, _LONGEST_LINE, _LONGEST_TEXT = 100_000, 100_000, 200, 20_000
_SET_NAME = re.compile(r"\w[\w .+()-]{0,99}")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def wrong_field(manifest: Manifest, levels: Sequence[Level], taps: Sequence[Tap], *, texts: bool = True) -> str | None:
    """The first field out of its range, and what is allowed: "draws: allowed is 1 to 100"; None where all is well.

    Args:
        manifest: whose fields have their types.
        levels, taps: of it.
        texts: whether its texts must be short lines, too, as those of strangers must.
    """
    checks = (_check_facts, _check_levels, _check_taps, _check_sets, _check_choices)
    for check in (*checks, _check_texts) if texts else checks:
        for field, fine, allowed in check(manifest, levels, taps):
            if not fine:
                return f"{field}: allowed is {allowed}"
    return None


def first_mistake(error: pydantic.ValidationError) -> str:
    """The first field of a wrong type: its place, what is wrong, what is there."""
    item = error.errors(include_url=False)[0]
    field = ".".join(map(str, item["loc"]))
    given = reprlib.repr(item["input"])
    return f"{field}: {item['msg']}, got {given:.80}" if field else item["msg"]


#: What a check yields: the field, whether it is fine, what is allowed.
Findings = list[tuple[str, bool, str]]


def _check_facts(manifest: Manifest, _levels: Sequence[Level], _taps: Sequence[Tap]) -> Findings:
    backbone = manifest.backbone
    sides = [*backbone.image_shape, *(backbone.input_shape or ())]
    return [
        ("created", _is_date(manifest.created), "a date and time in ISO 8601"),
        ("draws", 1 <= manifest.draws <= _MOST_DRAWS, f"1 to {_MOST_DRAWS}"),
        ("precision", manifest.precision in ("fp32", "bf16"), "fp32 or bf16"),
        ("device", bool(_WORD.fullmatch(manifest.device)), "a device's name"),
        ("backbone.family", bool(_WORD.fullmatch(backbone.family)), "a family's name"),
        ("backbone.fingerprint", bool(_WORD.fullmatch(backbone.fingerprint)), "letters and digits"),
        ("backbone.parameters", 0 <= backbone.parameters <= 10**12, "0 to 10^12"),
        ("backbone.reach", all(map(math.isfinite, backbone.reach)), "two numbers"),
        ("backbone.image_shape", all(1 <= s <= _LONGEST_SIDE for s in sides), f"1 to {_LONGEST_SIDE:,}"),
        ("timings", all(map(math.isfinite, manifest.timings.values())), "numbers"),
        ("seconds_per_forward", 0 <= (manifest.seconds_per_forward or 0) < math.inf, "a number from 0 on"),
    ]


def _check_levels(manifest: Manifest, levels: Sequence[Level], _taps: Sequence[Tap]) -> Findings:
    numbers = [value for level in levels for value in level.to_dict().values()]
    exact = all(set(level) == set(Level.__dataclass_fields__) for level in manifest.levels)
    return [
        ("levels", 1 <= len(levels) <= _MOST_LEVELS, f"1 to {_MOST_LEVELS:,} levels"),
        ("levels", exact and all(map(math.isfinite, numbers)), "requested, lam, a, b and native, all numbers"),
        ("levels", all(level.a >= 0 and level.b >= 0 for level in levels), "amplitudes a and b from 0 on"),
    ]


def _check_taps(manifest: Manifest, _levels: Sequence[Level], taps: Sequence[Tap]) -> Findings:
    names = [tap.name for tap in taps]
    exact = all(set(tap) <= set(Tap.__dataclass_fields__) for tap in manifest.taps)
    return [
        ("taps", 1 <= len(taps) <= _MOST_TAPS, f"1 to {_MOST_TAPS:,} taps"),
        ("taps", exact and all(_WORD.fullmatch(t.name) and _WORD.fullmatch(t.kind) for t in taps), "modules' names"),
        ("taps", len(set(map(str.casefold, names))) == len(names), "each tap once"),
        ("taps.region", all(tap.region in REGIONS for tap in taps), ", ".join(REGIONS)),
        ("taps.depth", all(0 <= tap.depth <= 1 for tap in taps), "0 to 1"),
        ("taps.resolution", all(1 <= tap.resolution <= _LONGEST_SIDE for tap in taps), f"1 to {_LONGEST_SIDE:,}"),
        ("taps.channels", all(1 <= tap.channels <= _MOST_CHANNELS for tap in taps), f"1 to {_MOST_CHANNELS:,}"),
    ]


def _check_sets(manifest: Manifest, _levels: Sequence[Level], _taps: Sequence[Tap]) -> Findings:
    sets = manifest.sets
    roles = [entry.role for entry in sets]
    ood = [entry.name for entry in sets if entry.role == "ood"]
    start, score_start, in_order = 0, 0, True
    for entry in sets:
        scored = entry.role != "id_train"
        in_order &= entry.start == start and entry.score_start == (score_start if scored else -1)
        start, score_start = start + entry.count, score_start + entry.count * scored
    most = _MOST_DRAWS * _MOST_IMAGES
    return [
        ("sets", len(sets) <= _MOST_SETS, f"at most {_MOST_SETS:,} sets"),
        ("sets.role", roles.count("id_train") == roles.count("id_test") == 1, "one id_train and one id_test"),
        ("sets.name", all(_SET_NAME.fullmatch(entry.name) for entry in sets), "letters, digits and .+()- and blanks"),
        ("sets.name", bool(ood) and len(set(ood)) == len(ood), "at least one OOD set, each with its own name"),
        ("sets.count", all(1 <= entry.count <= _MOST_IMAGES for entry in sets), f"1 to {_MOST_IMAGES:,}"),
        ("sets.count", start <= _MOST_IMAGES, f"at most {_MOST_IMAGES:,} together"),
        ("sets.start", in_order, "the sets' rows one behind the other"),
        ("sets.samples", all(entry.count <= entry.samples <= most for entry in sets), "count x draws"),
        ("sets.opened", all(entry.opened is None or _is_date(entry.opened) for entry in sets), "a date and time"),
        ("spec.ood", _are_sets(manifest.spec.get("ood", [])), f"sets with a name; set_group: {', '.join(SET_GROUPS)}"),
        ("sets.skipped", all(0 <= entry.skipped <= _MOST_IMAGES for entry in sets), "a number from 0 on"),
    ]


def _are_sets(given: object) -> bool:
    """Whether this part of the spec is of OOD sets, in groups that there are or in none."""
    return isinstance(given, list) and all(
        isinstance(each, dict) and isinstance(each.get("name"), str) and each.get("set_group") in (None, *SET_GROUPS)
        for each in given
    )


def _check_choices(manifest: Manifest, levels: Sequence[Level], taps: Sequence[Tap]) -> Findings:
    names = {tap.name for tap in taps}
    kept, level = manifest.kept.get("taps"), manifest.kept.get("level")
    valid = isinstance(kept, list) and all(isinstance(tap, str) for tap in kept) and set(kept) <= names
    whole = isinstance(level, int) and not isinstance(level, bool) and 0 <= level < len(levels)
    pairs = [tuple(found) for found in manifest.presets.values()]
    seconds = [entry.seconds for entry in manifest.stages.values()]
    given = [manifest.spec.get(f"conditioning_{kind}", []) for kind in ("labels", "prompts")]
    return [
        ("kept", {"level", "taps"} <= set(manifest.kept) <= {"level", "taps", "without"}, "level, taps and without"),
        ("kept.without", manifest.kept.get("without", []) in ([], ["id_train"]), "id_train"),
        ("kept.level", whole, f"0 to {len(levels) - 1}"),
        ("kept.taps", valid and len(set(kept)) == len(kept), "taps of the run, each once"),
        ("presets", set(manifest.presets) <= {"sparse_ed", "sparse_ed_id"}, "sparse_ed and sparse_ed_id"),
        ("presets", all(len(pair) == 2 and set(pair) <= names for pair in pairs), "an encoder and a decoder tap each"),
        ("spec.conditioning_labels and _prompts", all(isinstance(each, list) for each in given), "lists"),
        ("stages", set(manifest.stages) <= set(DIAGNOSTICS), ", ".join(DIAGNOSTICS)),
        ("stages.seconds", all(map(math.isfinite, seconds)), "numbers"),
    ]


def _check_texts(manifest: Manifest, _levels: Sequence[Level], _taps: Sequence[Tap]) -> Findings:
    backbone = manifest.backbone
    lines = {
        "name": [manifest.name],
        "backbone.name": [backbone.name],
        "backbone.schedule": [backbone.schedule or ""],
        "versions": [*manifest.versions, *manifest.versions.values()],
    }
    texts = {
        "description": [manifest.description, *(entry.description for entry in manifest.sets)],
        "backbone.path": [backbone.path],
        "backbone.notes": backbone.notes,
        "warnings": manifest.warnings,
        "stages.why": [entry.why for entry in manifest.stages.values()],
    }
    return [
        *((key, all(map(_is_line, found)), f"one line of {_LONGEST_LINE} characters") for key, found in lines.items()),
        *((key, all(map(_is_text, found)), f"{_LONGEST_TEXT:,} characters") for key, found in texts.items()),
        ("name", bool(manifest.name.strip()), "a name"),
        ("warnings", len(manifest.warnings) <= _LONGEST_TEXT, f"{_LONGEST_TEXT:,} warnings"),
    ]


def _is_line(text: str) -> bool:
    return len(text) <= _LONGEST_LINE and (not text or text.isprintable())


def _is_text(text: str) -> bool:
    """Whether it has a bounded length and can be written as UTF-8: JSON may hold half a character."""
    return len(text) <= _LONGEST_TEXT and not any("\ud800" <= c <= "\udfff" for c in text)


def _is_date(text: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
