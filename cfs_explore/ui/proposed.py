"""Widgets whose default may change until the visitor has chosen: then what was chosen stays.

Who presses Start takes what is shown: the button carries those defaults, and they are held while it is dealt with.

The default is part of the widget's key. Setting the value of one widget again and again would not do: what the browser
sends while a new value is on its way to it looks like a choice of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import streamlit as st

from cfs_explore.ui.source_facts import digest_of

Value = TypeVar("Value")
#: Name -> key and value of the defaults that the page shows; and of those that are held.
_SHOWN, _HELD = "proposed_shown", "proposed_held"


@dataclass(frozen=True)
class Proposed(Generic[Value]):
    """What a widget is made with.

    Attributes:
        key: of the widget.
        value: that it begins with.
        is_choice: whether the visitor chose it.
        note: its ``on_change``.
    """

    key: str
    value: Value
    is_choice: bool
    note: Callable[[], None]


def propose(name: str, default: Value, allowed: Sequence[Value]) -> Proposed[Value]:
    """The visitor's choice where there is one that is allowed, else what is held, else the default.

    Args:
        name: of the widget.
        default: as matters stand.
        allowed: values.
    """
    chosen = st.session_state.get(f"{name}_chosen")
    is_choice = chosen is not None and chosen[1] in allowed
    held = st.session_state.get(_HELD, {}).get(name)
    is_held = held is not None and held[1] in allowed
    key, value = chosen if is_choice else held if is_held else (_key(name, default), default)
    shown = st.session_state.setdefault(_SHOWN, {})
    shown.pop(name, None)
    if not is_choice:
        shown[name] = key, value

    def note() -> None:
        """A widget that is made in a run that is broken off tells its first value as if it were new: no choice."""
        if is_choice or st.session_state[key] != value:
            st.session_state[f"{name}_chosen"] = key, st.session_state[key]

    return Proposed(key, value, is_choice, note)


def shown_defaults() -> dict[str, tuple]:
    """The defaults that this run of the page shows, where the visitor chose nothing: for ``hold``."""
    return dict(st.session_state.get(_SHOWN, {}))


def hold(defaults: dict[str, tuple]) -> None:
    """Keep these defaults, whatever is best by now, until ``let_go``."""
    st.session_state[_HELD] = defaults


def let_go() -> None:
    """Defaults follow what is best again."""
    st.session_state.pop(_HELD, None)


def withdraw(name: str) -> None:
    """Forget what the visitor chose; the widgets are new ones."""
    st.session_state.pop(f"{name}_chosen", None)
    st.session_state[f"{name}_round"] = st.session_state.get(f"{name}_round", 0) + 1


def _key(name: str, default: object) -> str:
    return f"{name}_{digest_of([str(default), st.session_state.get(f'{name}_round', 0)])}"
