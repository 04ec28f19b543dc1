"""The view that an address restores: values move from the query into the session, and back whenever they change.

Back and forward of the browser, and links, change the query behind the session's back: what the query says then wins.
So a value is written only when it changes, and what the address says or implies (an absent value is the default) is
left alone; otherwise every step back would at once be overwritten by a step forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

Value = TypeVar("Value")
#: Of the session: key -> what the page has to say of its value in the address (``notes``).
_NOTES = "address_notes"
#: Letters of a name from the address that a page repeats.
_LONGEST_NAME = 80


def figure_theme() -> str:
    """ "light" or "dark", as the visitor's browser shows the app."""
    return st.context.theme.type or "light"


def restore(
    key: str,
    default: Value,
    allowed: Sequence[Value] | None = None,
    *,
    parse: Callable[[str], Value] = str,
    write: Callable[[Value], str] = str,
    sticky: bool = False,
    lacking: str = "",
    label: Callable[[Value], str] = str,
    missing: Callable[[str], Sequence[str]] | None = None,
) -> Value:
    """Set ``st.session_state[key]`` from the address; call it in every run of a page, before the key's widget.

    Args:
        key: of the session, the widget and the query.
        default: used when nothing else is known or usable.
        allowed: the values that exist now; any other is replaced by the default, and the page says so (``notes``).
        parse, write: from and to the query's text; a ValueError of ``parse`` means unusable.
        sticky: an address without the key leaves the value as it is, instead of meaning the default.
        lacking: how a note begins, such as "Digits has no OOD set".
        label: what a note calls a value.
        missing: the names in a text that do not exist; without, the whole text if it is unusable.
    """
    known, view = _memory()
    text, arrived = st.query_params.get(key), st.session_state.get("arrived", False)
    named, new = text or (known.get(key) if arrived else None), text != known.get(key)
    left_open = text is None and not arrived and (sticky or known.get(key) is None)
    if text is not None and new:  # opened, linked, or gone back to
        value = _parsed(text, default, parse)
    elif text is None and not arrived and not left_open:  # gone back to an address without it
        value = default
    elif key in st.session_state:
        value = st.session_state[key]
    else:  # Streamlit forgets a widget while another page is shown
        value = _parsed(view.get(key), default, parse)
    if allowed is not None and value not in allowed:
        value = default
    if arrived or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value  # on arrival also what is there already: it is the former page's widget's
    said = text is not None and _parsed(text, None, parse) == value  # perhaps in the words of an older version
    if named is not None and (absent := missing(named) if missing else _unusable(named, parse, allowed)):
        since = "which the address names" if text and new else "which was asked for before"
        instead = "" if said else " instead"
        note(key, f"{lacking or f'There is no {key}'} {_quoted(absent)}, {since}; {label(value)} is shown{instead}.")
        said = False
    in_view = said or (text is None and value == default)
    known[key], view[key] = text, write(value) if in_view else view.get(key) if left_open else None
    return value


def follow(key: str, other: str, allowed: Sequence[str]) -> None:
    """Open with what ``other`` says, on this page's address or a former page, where nothing is known of ``key`` yet.

    Call it before ``restore`` of ``key``; the address has the value from then on.
    """
    _, view = _memory()
    text = st.query_params.get(other) or view.get(other)
    if text in allowed and key not in st.query_params and key not in st.session_state and view.get(key) is None:
        view[key] = text


def notes() -> list[str]:
    """What the address asked for, or was chosen before, and does not exist here, in plain text; each is said once."""
    return list(st.session_state.pop(_NOTES, {}).values())


def remember(**values: object) -> None:
    """Write the values that changed into the address, as one step of its history."""
    known, view = _memory()
    changed = {key: str(value) for key, value in values.items() if view.get(key) != str(value)}
    if changed:
        st.query_params.update(changed)
        known.update(changed)
        view.update(changed)


def imply(**values: str) -> None:
    """What the address means now by leaving these keys out; nothing is written into it."""
    _memory()[1].update(values)


def forget(*keys: str) -> None:
    """Drop values that belong to another exploration; what a link says of this one stays."""
    known, view = _memory()
    for key in keys:
        st.session_state.pop(key, None)
        view.pop(key, None)
        if st.query_params.get(key) == known.pop(key, None):
            st.query_params.pop(key, None)


def _memory() -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Key -> what the query was last seen to say; key -> the current value's text, None until the address has it."""
    return st.session_state.setdefault("known_query", {}), st.session_state.setdefault("view", {})


def note(key: str, text: str) -> None:
    """Say, once, what became of a value that the address asked for."""
    st.session_state.setdefault(_NOTES, {}).setdefault(key, text)


def _quoted(names: Sequence[str]) -> str:
    """'a' or 'b', in one line and not too long."""
    text = " or ".join(f"'{' '.join(name.split())}'" for name in names)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def _unusable(text: str, parse: Callable[[str], Value], allowed: Sequence[Value] | None) -> list[str]:
    """The text, unless it is a value that exists."""
    try:
        value = parse(text)
    except ValueError:
        return [text]
    return [] if allowed is None or value in allowed else [text]


def _parsed(text: str | None, default: Value | None, parse: Callable[[str], Value]) -> Value | None:
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError:
        return default
