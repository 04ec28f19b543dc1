"""The lab's sliders, presets and seed: what they may be set to, and how they move to and from the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.lab_settings import IMAGES, SEED, SEEDS, Setting
from cfs_explore.figures.options import Control, Value
from cfs_explore.ui import choosing
from cfs_explore.ui.figure import show_figure


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


def choose(presets: Sequence[Preset], sliders: Sequence[Setting], more: Setting, along: Control) -> Choices:
    """Presets and sliders, as the address says them; where sliders, seed and slider in hand stand, for the figures.

    Args:
        presets: a button each.
        sliders: in one row; the one moved last is the slider in hand.
        more: the slider behind a button.
        along: which slider is in hand.
    """
    settings = (*sliders, more)
    controls = (*settings, along, SEED)
    for control in controls:
        choosing.restore(control)
    _offer(presets, settings, along)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for setting in sliders:
            _slider(setting, along)
        with st.popover("More", icon=":material/tune:"):
            _slider(more, along)
    choosing.remember(None, *controls)
    options = {each.name: each.write(st.session_state[each.name]) for each in controls}
    return Choices(ood="", cell=0, level=0, pair=(0, 0), cells=(), options=options)


def show_curve(figure: str, key: str, along: Setting, view: Choices) -> None:
    """The figure of the AUROC along the slider in hand."""
    st.header(f"AUROC along the slider in hand: {along.title}", anchor=False)
    show_figure(figure, None, view, key=key, hint="Move another slider to see its curve.")


def comparison(rows: Iterable[tuple[str, str, str]]) -> str:
    """A Markdown table of quantities: what each is called, exactly, and in the sample."""
    lines = [f"| Quantity | exact | in the sample, n = {IMAGES:,} + {IMAGES:,} |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {exact} | {measured} |" for name, exact, measured in rows)])


def link(page: str, label: str) -> None:
    """A way to the page that shows the same of an exploration."""
    st.page_link(f"pages/{page}.py", label=label, icon=":material/query_stats:")


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


def _offer(presets: Sequence[Preset], settings: Sequence[Setting], along: Control) -> None:
    """A button for each preset, and what to look at while the sliders stand at one."""
    now, shown = {setting.field: st.session_state[setting.name] for setting in settings}, None
    with st.container(horizontal=True, gap="small"):
        for preset in presets:
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
