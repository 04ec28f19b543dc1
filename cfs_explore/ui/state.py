"""The view that a URL restores: values move from the query into the session once, and back whenever they change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

Value = TypeVar("Value")


def figure_theme() -> str:
    """ "light" or "dark", as the visitor's browser shows the app."""
    return st.context.theme.type or "light"


def restore(key: str, default: Value, allowed: Sequence[Value] | None = None, parse: Callable[[str], Value] = str):
    """Set ``st.session_state[key]`` from the URL on the first visit; fall back to the default for what is unknown.

    Args:
        key: of the session, the widget and the query.
        default: used when the URL has nothing usable.
        allowed: the values that exist now; a stored value outside them is replaced by the default.
        parse: from the query's text; a ValueError means unusable.
    """
    if key not in st.session_state:
        st.session_state[key] = _parsed(key, default, parse)
    if allowed is not None and st.session_state[key] not in allowed:
        st.session_state[key] = default
    return st.session_state[key]


def remember(**values: object) -> None:
    """Write values into the URL, where they differ; None removes."""
    for key, value in values.items():
        if value is None or value == "":
            st.query_params.pop(key, None)
        elif st.query_params.get(key) != str(value):
            st.query_params[key] = str(value)


def _parsed(key: str, default: Value, parse: Callable[[str], Value]) -> Value:
    text = st.query_params.get(key)
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError:
        return default


def parse_cells(text: str) -> list[int]:
    """Cell indices of a query value such as '24.36', each once."""
    return list(dict.fromkeys(int(part) for part in text.split(".") if part))


def format_cells(cells: Sequence[int]) -> str:
    """The inverse of ``parse_cells``."""
    return ".".join(map(str, cells))
