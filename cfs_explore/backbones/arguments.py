"""A network's constructor arguments: those that its weights determine, and those that a user gives by their names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from cfs_explore.backbones.checkpoint import has_keys
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError


def constructor_arguments(
    request: Request,
    found: Mapping[str, Any],
    needed: tuple[str, ...],
    presets: Mapping[str, Mapping[str, Any]],
    *,
    ignored: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Arguments of a network: what its weights determine; the rest from the settings, or else the preset, of a request.

    Args:
        request: of the checkpoint.
        found: argument -> its value according to the weights.
        needed: arguments that leave no trace in the weights.
        presets: name -> arguments.
        ignored: arguments that the settings may hold and that have no effect.

    Raises:
        BackboneError: for an unknown preset or argument, one that contradicts the weights, and one that is missing.
    """
    settings: dict[str, Any] = {}
    from_file = {name: value for name, value in request.settings.items() if name not in ignored}
    _check_known(request, from_file, (*found, *needed))
    for given, where in (
        (_preset(request, presets), f"the preset {request.preset}"),
        (from_file, f"the settings beside {request.source.name}"),
    ):
        for name, value in given.items():
            if name in found and value != found[name]:
                raise BackboneError(
                    f"{name} is {value} in {where}, but the weights have {found[name]}. Correct it, or give the "
                    "weights that it belongs to."
                )
        settings |= given
    missing = [name for name in needed if name not in settings]
    if missing:
        raise BackboneError(
            f"The weights in {request.source} do not determine everything; missing: {', '.join(missing)}. Write them, "
            f"by these names, in {request.source.with_suffix('.yaml').name} beside the file (`name: value` lines), or "
            f"name the preset of a released checkpoint: {', '.join(presets)}."
        )
    return dict(found) | {name: settings[name] for name in needed}


def check_axes(request: Request, shapes: Mapping[str, tuple[int, ...]], axes: Mapping[str, int], hint: str) -> None:
    """Check that the parameters that determine a network's size are there, with so many axes, none of length zero.

    Args:
        request: of the checkpoint.
        shapes: parameter -> its shape.
        axes: parameter -> number of axes.
        hint: likely cause of a mismatch, a sentence.

    Raises:
        BackboneError: naming those that are missing, or the first of another shape.
    """
    if not has_keys(shapes, *axes):
        missing = [name for name in axes if name not in shapes]
        what = f"{len(missing)} missing: {', '.join(missing)}"
        raise BackboneError(f"{request.source} does not fit the network: {what}. {hint}")
    for name, count in axes.items():
        if len(shapes[name]) != count or 0 in shapes[name]:
            raise BackboneError(
                f"{request.source} does not fit the network: {name} has the shape {shapes[name]}, not {count} axes of "
                f"some length. {hint}"
            )


def count_blocks(shapes: Mapping[str, tuple[int, ...]], group: str) -> int:
    """Blocks of parameters named ``<group>.<number>.``; a number beyond that of all parameters is not a block's."""
    matches = (re.match(rf"{group}\.(\d{{1,6}})\.", name) for name in shapes)
    return 1 + max((number for m in matches if m and (number := int(m[1])) < len(shapes)), default=-1)


def check_heads(heads: Any, width: int) -> int:
    """A number of attention heads that divides the width; else a BackboneError."""
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise BackboneError(f"num_heads must be a whole number that divides the width {width}; got {heads!r}.")
    return heads


def chosen_class(request: Request, rows: int | None, null: int | None = None) -> tuple[int | None, list[str]]:
    """The class that every image is conditioned on, as a row of the table (None where there are no classes), and notes.

    Args:
        request: whose label is taken, if it has one.
        rows: classes, the null class included; None or 0 for a network without classes.
        null: the null class, taken when the request has no label; None where there is none.

    Raises:
        BackboneError: for a label outside the table, where one must be given, and where there are no classes.
    """
    if not rows:
        if request.label is not None:
            raise BackboneError(f"{request.source} knows no classes: leave `label` out (got {request.label!r}).")
        return None, []
    last = rows - 1 if null is None else rows - 2
    if request.label is None and null is not None:
        return null, [f"Conditioned on the null class ({null}); `label` gives one of 0 to {last}."]
    if isinstance(request.label, int) and 0 <= request.label < rows:
        return request.label, []
    if null is None:
        what = f"is class-conditional and has no null class: give `label`, the class of every image, 0 to {last}"
    else:
        what = f"has {last + 1} classes: label must be 0 to {last}, or {null}, or nothing, for the null class"
    raise BackboneError(f"{request.source} {what}; got {request.label!r}.")


def _check_known(request: Request, settings: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in settings:
        if name not in known:
            hint = difflib.get_close_matches(str(name), known, 1)
            raise BackboneError(
                f"Unknown setting {name!r} beside {request.source.name}."
                f"{f' Did you mean {hint[0]}?' if hint else ''} Known: {', '.join(known)}."
            )


def _preset(request: Request, presets: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if request.preset is None:
        return {}
    if request.preset not in presets:
        hint = difflib.get_close_matches(str(request.preset), presets, 1)
        raise BackboneError(
            f"There is no preset {request.preset!r}.{f' Did you mean {hint[0]}?' if hint else ''} "
            f"Known: {', '.join(presets)}."
        )
    return presets[request.preset]
