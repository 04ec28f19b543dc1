"""A figure as a page sends it: the same drawing, in fewer bytes, and drawn once instead of twice.

Streamlit hands a new chart to plotly.js and, a moment later, an equal copy of it. plotly.js draws all of it again
unless it can tell that nothing changed: ``datarevision`` says so of lists, while a template, a ``meta`` and typed
arrays count as new whenever they are other objects. So none of these is sent.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import numpy as np
import plotly.graph_objects as go

#: Significant digits of a number that is drawn: a ten-thousandth of a pixel.
_DIGITS = 7


def sent(figure: go.Figure) -> dict[str, Any]:
    """The figure as a dict for JSON, its template written out; for the browser only, since export needs the template.

    Args:
        figure: of cartesian traces, whose template has a layout and no traces.
    """
    spec = figure.to_dict()
    traces, layout = spec["data"], spec["layout"]
    default = dict(layout.pop("template", {}).get("layout", {}))
    layout.pop("meta", None)
    notes, axes = default.pop("annotationdefaults", None), {axis: default.pop(f"{axis}axis", None) for axis in "xy"}
    colours = default.pop("coloraxis", None)
    for name in {_layout_name(trace.get(f"{axis}axis") or axis) for trace in traces or [{}] for axis in "xy"}:
        layout.setdefault(name, {})
    for name, given in layout.items():
        if re.fullmatch(r"[xy]axis\d*", name) and axes[name[0]]:
            layout[name] = _merged(axes[name[0]], given)
        elif re.fullmatch(r"coloraxis\d*", name) and colours:
            layout[name] = _merged(colours, given)
    if notes and layout.get("annotations"):
        layout["annotations"] = [_merged(notes, note) for note in layout["annotations"]]
    spec["data"] = [{name: _plain(value) for name, value in trace.items()} for trace in traces]
    spec["layout"] = _merged(default, layout) | {"datarevision": 0}
    return spec


def _layout_name(axis: str) -> str:
    """'x2' -> 'xaxis2'."""
    return f"{axis[0]}axis{axis[1:]}"


def _merged(default: Any, given: Any) -> Any:
    """``given``, and what it does not say from ``default``."""
    if not (isinstance(default, dict) and isinstance(given, dict)):
        return given
    return {**default, **{name: _merged(default.get(name), value) for name, value in given.items()}}


def _plain(value: Any) -> Any:
    """Numbers no longer than what is seen of them, None for those that are missing; typed arrays as lists."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        if "bdata" in value:
            return _plain(decoded(value).tolist())
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def decoded(value: dict[str, Any]) -> np.ndarray:
    """The array of plotly's typed array."""
    array = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
    shape = str(value.get("shape") or "")
    return array.reshape([int(side) for side in shape.split(",")]) if shape else array
