"""Any control on a page: what the address says, its widget, and the address again.

Streamlit's own ``bind="query-params"`` (1.67) is not used: it puts the widget's labels into the address instead of the
values, and drops what it cannot read, so that links of older versions would open another view.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from cfs_explore.figures.options import Control, Value
from cfs_explore.store import Run
from cfs_explore.ui import state


def restore(control: Control, run: Run | None = None) -> Value | list[Value]:
    """Bring what is chosen back from the address into ``st.session_state[control.name]``, before the widget.

    What the address says wrongly, and what the run does not have, becomes the default; of several, what is known stays.
    """

    def parse(text: str) -> Value | list[Value]:
        value, unknown = control.sort_out(text, run)
        if value is None:
            raise ValueError(unknown)
        return value

    def label(value: Value | list[Value]) -> str:
        return ", ".join(known.get(each, str(each)) for each in (value if several else [value])) or "none"

    lacking = f"{run.name} has no" if run and callable(control.values) else "There is no"
    known, default, several = control.labels(run), control.opening(run), control.drawn == "many"
    if several and not known.keys() >= set(st.session_state.get(control.name, ())):
        st.session_state[control.name] = default
    return state.restore(
        control.name,
        default,
        None if several else known or None,
        parse=parse,
        write=lambda value: control.write(value, run),
        lacking=f"{lacking} {control.noun}" if control.noun else f"{control.title}: {lacking}",
        label=label,
        missing=lambda text: control.sort_out(text, run)[1],
    )


def draw(control: Control, run: Run | None = None, **more: Any) -> Value | list[Value]:
    """The widget of a restored control; ``more`` goes to Streamlit's function. Gives what is chosen."""
    labels = control.labels(run)
    more = {"key": control.name, "help": control.help, "format_func": labels.get} | more
    if control.width is not None:
        more.setdefault("width", control.width)
    if control.drawn == "segmented":
        more.setdefault("required", True)
    widget = {
        "segmented": st.segmented_control,
        "select": st.selectbox,
        "radio": st.radio,
        "slider": st.select_slider,
        "many": st.multiselect,
    }[control.drawn]
    return widget(control.title, list(labels), **more)


def remember(run: Run | None, *controls: Control) -> None:
    """Write what is chosen into the address, as one step of its history."""
    state.remember(**{each.name: each.write(st.session_state[each.name], run) for each in controls})


def choose(control: Control, run: Run | None = None, **more: Any) -> Value | list[Value]:
    """Restore a control, draw it and remember what is chosen, which is given."""
    restore(control, run)
    chosen = draw(control, run, **more)
    remember(run, control)
    return chosen


def choose_all(run: Run | None, *controls: Control) -> list[Value | list[Value]]:
    """The same for several, whose changes are one step of the address's history."""
    for control in controls:
        restore(control, run)
    chosen = [draw(control, run) for control in controls]
    remember(run, *controls)
    return chosen
