"""The lab's sliders, presets and seed: what they may be set to, and how they move to and from the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.lab_settings import SEED, SEEDS, Setting
from cfs_explore.figures.options import Control, Value
from cfs_explore.ui import choosing


@dataclass(frozen=True)
class Preset:
    """Settings that show one thing; those that it leaves out are at their defaults.

    Attributes:
        label: of its button.
        values: field of a setting -> value.
        along: the setting whose curve shows it.
        look: what to look at, as Markdown.
    """

    label: str
    values: Mapping[str, Value]
    along: str
    look: str


def restore(settings: Sequence[Setting], along: Control) -> None:
    """Bring the sliders, the seed and the slider in hand back from the address."""
    for control in (*settings, along, SEED):
        choosing.restore(control)


def chosen(settings: Sequence[Setting], along: Control) -> Choices:
    """Where sliders, seed and slider in hand stand, for the figures; the address learns it."""
    controls = (*settings, along, SEED)
    choosing.remember(None, *controls)
    options = {each.name: each.write(st.session_state[each.name]) for each in controls}
    return Choices(ood="", cell=0, level=0, pair=(0, 0), cells=(), options=options)


def values_of(settings: Sequence[Setting]) -> dict[str, Value]:
    """Field of each setting -> where it stands."""
    return {setting.field: st.session_state[setting.name] for setting in settings}


def sliders(settings: Sequence[Setting], along: Control, more: Sequence[Setting] = ()) -> None:
    """The sliders in one row, those of ``more`` behind a button; the one moved last is the slider in hand."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for setting in settings:
            _slider(setting, along)
        with st.popover("More", icon=":material/tune:"):
            for setting in more:
                _slider(setting, along)


def _slider(setting: Setting, along: Control) -> None:
    on_change = _take_in_hand if setting.curve else None
    choosing.draw(setting, on_change=on_change, args=(along, setting.field))


def _take_in_hand(along: Control, field: str) -> None:
    st.session_state[along.name] = field


def draw_again() -> None:
    """A button that simulates other images."""
    st.button(
        "Draw again",
        icon=":material/casino:",
        on_click=_next_seed,
        help="Other simulated images at the same settings: what moves then is chance.",
    )


def _next_seed() -> None:
    st.session_state[SEED.name] = (st.session_state[SEED.name] + 1) % SEEDS


def presets(offered: Sequence[Preset], settings: Sequence[Setting], along: Control) -> None:
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
                args=(preset, settings, along),
            )
    if shown:
        st.info(shown.look, icon=":material/visibility:")


def _filled(preset: Preset, settings: Sequence[Setting]) -> dict[str, Value]:
    return {setting.field: preset.values.get(setting.field, setting.default) for setting in settings}


def _apply(preset: Preset, settings: Sequence[Setting], along: Control) -> None:
    values = _filled(preset, settings)
    for setting in settings:
        st.session_state[setting.name] = values[setting.field]
    st.session_state[along.name] = preset.along
