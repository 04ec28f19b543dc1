"""The lab's sliders, presets and seed: what they may be set to, and how they move to and from the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.lab_settings import SEEDS, Setting, Value, value_text
from cfs_explore.ui import state

_SEEDS = range(SEEDS)


@dataclass(frozen=True)
class Preset:
    """Settings that show one thing; those that it leaves out are at their defaults.

    Attributes:
        label: of its button.
        values: name of a setting -> value.
        along: the setting whose curve shows it.
        look: what to look at, as Markdown.
    """

    label: str
    values: Mapping[str, Value]
    along: str
    look: str


def restore(settings: Sequence[Setting], along_key: str, along: str) -> None:
    """Bring the sliders, the seed and the slider in hand back from the address."""
    for setting in settings:
        state.restore(setting.key, setting.default, setting.options, parse=setting.texts.get, write=value_text)
    state.restore(along_key, along, [setting.name for setting in settings if setting.curve])
    state.restore("lab_seed", 0, _SEEDS, parse=int)


def chosen(settings: Sequence[Setting], along_key: str) -> Choices:
    """Where sliders, seed and slider in hand stand, for the figures; the address learns it."""
    told = {setting.key: value_text(st.session_state[setting.key]) for setting in settings}
    told |= {key: str(st.session_state[key]) for key in (along_key, "lab_seed")}
    state.remember(**told)
    options = {key.removeprefix("lab_"): text for key, text in told.items()}
    return Choices(ood="", cell=0, level=0, pair=(0, 0), cells=(), options=options)


def values_of(settings: Sequence[Setting]) -> dict[str, Value]:
    """Name of each setting -> where it stands."""
    return {setting.name: st.session_state[setting.key] for setting in settings}


def sliders(settings: Sequence[Setting], along_key: str, more: Sequence[Setting] = ()) -> None:
    """The sliders in one row, those of ``more`` behind a button; the one moved last is the slider in hand."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for setting in settings:
            _slider(setting, along_key)
        with st.popover("More", icon=":material/tune:"):
            for setting in more:
                _slider(setting, along_key)


def _slider(setting: Setting, along_key: str) -> None:
    st.select_slider(
        setting.label,
        setting.options,
        key=setting.key,
        format_func=setting.write,
        help=setting.help,
        on_change=_take_in_hand if setting.curve else None,
        args=(along_key, setting.name),
        width=150,
    )


def _take_in_hand(along_key: str, name: str) -> None:
    st.session_state[along_key] = name


def draw_again() -> None:
    """A button that simulates other images."""
    st.button(
        "Draw again",
        icon=":material/casino:",
        on_click=_next_seed,
        help="Other simulated images at the same settings: what moves then is chance.",
    )


def _next_seed() -> None:
    st.session_state["lab_seed"] = (st.session_state["lab_seed"] + 1) % len(_SEEDS)


def presets(offered: Sequence[Preset], settings: Sequence[Setting], along_key: str) -> None:
    """A button for each preset, and what to look at while the sliders stand at one."""
    now, shown = values_of(settings), None
    with st.container(horizontal=True, gap="small"):
        for preset in offered:
            here = _filled(preset, settings) == now
            shown = preset if here else shown
            st.button(
                preset.label,
                key=f"lab_preset_{preset.label}",
                type="primary" if here else "secondary",
                on_click=_apply,
                args=(preset, settings, along_key),
            )
    if shown:
        st.info(shown.look, icon=":material/visibility:")


def _filled(preset: Preset, settings: Sequence[Setting]) -> dict[str, Value]:
    return {setting.name: preset.values.get(setting.name, setting.default) for setting in settings}


def _apply(preset: Preset, settings: Sequence[Setting], along_key: str) -> None:
    values = _filled(preset, settings)
    for setting in settings:
        st.session_state[setting.key] = values[setting.name]
    st.session_state[along_key] = preset.along
