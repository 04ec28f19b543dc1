"""Step 1 of the form: the visitor gives the range, axes and pages that a file leaves open."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import Found, SourceFacts, facts_of

#: How an array says that its range must be given, and the ranges that arrays are often saved in.
_OPEN_RANGE = re.compile(r"the values run from (\S+) to (\S+?)\.?\s")
_RANGES = {
    "0 to 255": (0.0, 255.0),
    "0 to 4,095 (12 bit)": (0.0, 4095.0),
    "0 to 65,535 (16 bit)": (0.0, 65535.0),
    "-128 to 127": (-128.0, 127.0),
}
#: The ends in a message are rounded to six digits.
_ROUNDING = 1e-5
#: How an array says that its axes can be read in several ways, and each of them: "HWN (40 images of 16 x 16, grey)".
_OPEN_AXES = re.compile(r"the array's shape is (\([\d, ]+\));.* It may be (.*): say which")
_AXES = re.compile(r"([NHWC]{2,4}) \(([^)]*)\)")


_AXES_QUESTION = "Choose how the array is to be read"
_RANGE_QUESTION = "Choose what is black and what is white"


def with_reading(item: Found, facts: SourceFacts, key: str) -> tuple[str | dict, SourceFacts]:
    """A source with the axes or the range that the visitor chose, where its error asks for them; any other as it is."""
    source = item.source
    for question, ask in ((_AXES_QUESTION, _ask_axes), (_RANGE_QUESTION, _ask_range)):
        options = ask(item, facts.error, key) if isinstance(item.source, str) else None
        if options is None:
            continue
        if not options:
            return source, replace(facts, asks=question)
        source = options | (source if isinstance(source, dict) else {"path": source})
        facts = facts_of(source)
    return source, facts


def with_pages(source: str | dict, facts: SourceFacts, key: str) -> tuple[str | dict, SourceFacts]:
    """A source that holds TIFF files, each page an image if the visitor says so; any other as it is."""
    plain = isinstance(source, str) or "path" in source
    what = "A TIFF may hold several pages. Without this, the first of each file is read."
    if not (facts.paged and plain and st.toggle("Each page of a file is an image", key=f"pages_{key}", help=what)):
        return source, facts
    source = {**({"path": source} if isinstance(source, str) else source), "pages": "all"}
    return source, facts_of(source)


def _ask_axes(item: Found, error: str, key: str) -> dict | None:
    """What the visitor chose, {} before that; None where the error is about something else."""
    found = _OPEN_AXES.search(error)
    readings = dict(_AXES.findall(found[2])) if found else {}
    if not readings:
        return None
    layout = _choose(
        f"{escape(item.label)}: its shape is {found[1]}; its axes are ...",
        list(readings),
        f"axes_{key}",
        _AXES_QUESTION,
        "N images, H rows, W columns, C channels, in the order of the array's axes. Where none of these is right, "
        "save it as (N, H, W) or (N, H, W, C).",
        lambda layout: f"{' × '.join(layout)}: {readings[layout]}",
    )
    return {"layout": layout} if layout else {}


def _ask_range(item: Found, error: str, key: str) -> dict | None:
    """As ``_ask_axes``."""
    found = _OPEN_RANGE.search(error)
    if found is None:
        return None
    low, high = float(found[1]), float(found[2])
    ranges = {label: ends for label, ends in _RANGES.items() if ends[0] <= low and high <= ends[1]}
    own = (low - _ROUNDING * abs(low), high + _ROUNDING * abs(high))
    ranges |= {f"{low:g} to {high:g}, the array's own": own}
    chosen = _choose(
        f"{escape(item.label)}: values run from ... to ...",
        list(ranges),
        f"range_{key}",
        _RANGE_QUESTION,
        "This array does not hold bytes from 0 to 255, nor floats in [0, 1] or [-1, 1]. The ends that you choose "
        "become black and white.",
    )
    return {"range": list(ranges[chosen])} if chosen else {}


def _choose(
    label: str, options: list[str], key: str, placeholder: str, help: str, shown: Callable[[str], str] = str
) -> str | None:
    return st.selectbox(label, options, None, shown, key=key, placeholder=placeholder, help=help)
