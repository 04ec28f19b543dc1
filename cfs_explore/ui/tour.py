"""The tour: a card at the top of every page: predict, do, see. What to see opens when it is done, or on demand.

Where a visitor is in it stands in the address as ``tour``, so that a link or a bookmark goes on from there.
"""

from __future__ import annotations

import html
import re

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.locations import PROJECT
from cfs_explore.store import Run
from cfs_explore.ui import data, state, tour_script
from cfs_explore.ui.tour_step import Step
from cfs_explore.ui.tour_steps import MINUTES, RUN, STEPS
from cfs_explore.ui.tour_words import mark, show_words

KEY = "tour"
LESSON = PROJECT / "docs" / "lesson.md"
#: Step at which the tour was left in this session.
_LEFT = "tour_left"
_STYLE = """
<style>
.st-key-tour_card {position: relative; padding: 0.7rem 1rem 0.6rem; border-radius: 0.4rem;
  border: 1px solid light-dark(#B9D6EA, #2B4A61); background: light-dark(#F0F7FC, #14222E);}
.cfs-tour h2 {font-size: 1.05rem; font-weight: 600; line-height: 1.4; margin: 0 0 0.3rem; padding: 0;}
.cfs-tour h2 span {font-weight: 400; opacity: .8; font-variant-numeric: tabular-nums;}
.cfs-tour p {margin: 0; font-size: 0.92rem; line-height: 1.5;}
.cfs-tour-two {display: grid; grid-template-columns: 1fr 1fr; gap: 0.2rem 2rem;}
.cfs-tour fieldset {border: 0; margin: 0; padding: 0; font-size: 0.92rem; line-height: 1.5;}
.cfs-tour legend {padding: 0;}
.cfs-tour label {white-space: nowrap; margin-right: 0.9rem; cursor: pointer;}
.cfs-tour input {margin: 0 0.15rem 0 0; vertical-align: -1px; accent-color: light-dark(#00629B, #56B4E9);}
.cfs-tour details {margin-top: 0.35rem; font-size: 0.92rem; line-height: 1.5;}
.cfs-tour summary, .cfs-tour-where {cursor: pointer; font: inherit; font-weight: 600; border: 0; padding: 0;
  background: none; color: light-dark(#00629B, #56B4E9); text-decoration: underline; text-underline-offset: 3px;}
.cfs-tour summary {width: fit-content;}
.cfs-tour details[open] summary {display: none;}
.cfs-said {display: none;}
.cfs-tour:has(.cfs-guess-0:checked) .cfs-said-0,
.cfs-tour:has(.cfs-guess-1:checked) .cfs-said-1,
.cfs-tour:has(.cfs-guess-2:checked) .cfs-said-2 {display: inline;}
[data-tour-target] {outline: 3px solid #E69F00; outline-offset: 3px; border-radius: 0.3rem;}
[class*="st-key-tour_script"] {display: none;}
.cfs-tour i {font-style: normal; font-weight: 600; color: light-dark(#00629B, #56B4E9);}
.cfs-tour abbr {text-decoration: underline dotted; text-underline-offset: 3px; cursor: help;}
@media (min-width: 1200px) {
  .cfs-tour h2 {padding-right: 32rem; min-height: 2.2rem;}
  [data-testid="stLayoutWrapper"]:has(> .st-key-tour_buttons) {
    position: absolute; top: 0.4rem; right: 0.6rem; width: auto;}
}
@media (min-width: 641px) and (min-height: 800px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-tour_card) {position: sticky; top: 0.5rem; z-index: 90;}
}
/* Below the bar that holds the way to the pages. */
@media (min-width: 641px) and (max-width: 900px) and (min-height: 800px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-tour_card) {top: 3.9rem;}
}
@media (max-width: 640px) {
  .cfs-tour-two {grid-template-columns: 1fr;}
  .cfs-tour p {font-size: 0.85rem; line-height: 1.4;}
  .st-key-tour_buttons {gap: 0.3rem;}
  .st-key-tour_buttons button {padding-inline: 0.6rem;}
  .st-key-tour_buttons [data-testid="stButton"] span:has(> [data-testid="stIconMaterial"]) {display: none;}
}
</style>
"""


def show(page: str) -> None:
    """The card, while the tour is under way; nothing on the start page, which has its own way into it.

    Args:
        page: the address of the page, such as "map"; "" for the start page.
    """
    number = state.restore(
        KEY,
        None,
        [None, *range(1, len(STEPS) + 1)],
        parse=int,
        sticky=True,
        lacking="The tour has no step",
        label=lambda number: f"step {number}" if number else "none",
    )
    run = _run()
    if number is None or run is None or not page:
        return
    step = STEPS[number - 1]
    st.html(_STYLE)
    with st.container(key="tour_card", gap="small"):
        if page != step.page:
            _elsewhere(run, number, f"This step is on the page {step.place}.")
        elif st.session_state.get("run") != RUN:
            _elsewhere(run, number, f"This step is about the exploration {run.name}.")
        else:
            _here(run, number)


def invite() -> None:
    """The start page's way into the tour, or back to the step at which it was left: buttons for a row."""
    run = _run()
    left = st.session_state.get(KEY) or st.session_state.get(_LEFT)
    if run is not None:
        label = f"Resume the tour at step {left}" if left else f"Take the tour ({MINUTES} minutes)"
        if st.button(label, key="tour_start", type="primary", icon=":material/tour:"):
            _open(run, left or 1)
        if left and st.button("From the beginning", key="tour_again", type="tertiary", icon=":material/replay:"):
            _open(run, 1)
    show_words("start_words")
    _for_teachers("start_lesson")


def _for_teachers(key: str) -> None:
    """A button that opens the lesson, where it is installed."""
    if LESSON.is_file() and st.button("For teachers", key=key, type="tertiary", icon=":material/school:"):
        _lesson()


@st.dialog("For teachers", width="large")
def _lesson() -> None:
    """The lesson as a page of its own; links to other files of the folder would lead nowhere here."""
    text = LESSON.read_text(encoding="utf-8")
    st.markdown(re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", text))


def _run() -> Run | None:
    """The exploration of the tour; None where it did not come with this installation."""
    path = data.explorations().get(RUN)
    if path is None or path not in data.bundles():
        return None
    try:
        return data.load_run(path)
    except CFSError:
        return None


def _here(run: Run, number: int) -> None:
    """What to do and what to see, and the ways on."""
    step = STEPS[number - 1]
    known = _facts(run, number)
    do, see = (mark(text.format(**known), step.words) for text in (step.do, step.see))
    where = '<button type="button" class="cfs-tour-where">Where?</button>'
    _text(
        number,
        f'<div class="cfs-tour-two">{_question(step, known)}<p><i>Do</i> {do} {where}</p></div>'
        f"<details><summary>Show me</summary><p><i>See</i> {_said(step, known)}{see}</p></details>",
    )
    act = step.act and (step.act[0], step.act[1].format(**known))
    opened = step.query.get(act[0], "").format(**known) if act else ""
    tour_script.run(number, step.target, act, opened)
    with st.container(key="tour_buttons", horizontal=True, vertical_alignment="center", gap="small"):
        show_words("tour_words", list(dict.fromkeys(step.words.values())))
        _for_teachers("tour_lesson")
        st.button("Leave", key="tour_leave", type="tertiary", icon=":material/close:", on_click=_leave)
        if number > 1 and st.button("Back", key="tour_back", icon=":material/arrow_back:"):
            _open(run, number - 1)
        _on(run, number)


def _question(step: Step, known: dict[str, str]) -> str:
    """What to predict, and the answers; which one is chosen stays in the browser."""
    answers = "".join(
        f'<label><input type="radio" name="cfs-guess" class="cfs-guess-{k}"> {html.escape(answer)}</label>'
        for k, answer in enumerate(each.format(**known) for each in step.answers)
    )
    question = html.escape(step.predict.format(**known))
    return f"<fieldset><legend><i>Predict</i> {question}</legend>{answers}</fieldset>"


def _said(step: Step, known: dict[str, str]) -> str:
    """For each answer whether it is right; the style shows the chosen one's."""
    right = step.right.format(**known)
    parts = []
    for k, answer in enumerate(each.format(**known) for each in step.answers):
        text = f"✓ {answer}, as you predicted." if answer == right else f"You predicted {answer}; it is {right}."
        parts.append(f'<span class="cfs-said cfs-said-{k}"><b>{html.escape(text)}</b> </span>')
    return "".join(parts)


def _on(run: Run, number: int) -> None:
    """The button to the next step, or to the start page after the last one."""
    last = number == len(STEPS)
    label = "Finish" if last else "Next step"
    icon = ":material/check:" if last else ":material/arrow_forward:"
    if not st.button(label, key="tour_next", type="primary", icon=icon, icon_position="left" if last else "right"):
        return
    if not last:
        _open(run, number + 1)
    _leave()
    st.session_state.pop(_LEFT)
    st.switch_page("pages/start.py", query_params={"run": RUN})


def _elsewhere(run: Run, number: int, why: str) -> None:
    """On another page, or with another exploration: the way back to the step."""
    _text(number, f"<p>{html.escape(why)}</p>")
    with st.container(key="tour_buttons", horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Leave", key="tour_leave", type="tertiary", icon=":material/close:", on_click=_leave)
        if st.button("Go to this step", key="tour_go", type="primary", icon=":material/arrow_forward:"):
            _open(run, number)


def _text(number: int, body: str) -> None:
    """The region that a screen reader finds; ``body`` is HTML."""
    title = html.escape(STEPS[number - 1].title)
    heading = f'<h2 id="cfs-tour-title">{title} <span>· step {number} of {len(STEPS)}</span></h2>'
    names = f"cfs-tour cfs-tour-{number}"
    st.html(f'<section class="{names}" role="region" aria-labelledby="cfs-tour-title">{heading}{body}</section>')


def _leave() -> None:
    st.session_state[_LEFT] = st.session_state[KEY]
    state.forget(KEY)


def _open(run: Run, number: int) -> None:
    """Go to a step's page, as the step wants it."""
    step: Step = STEPS[number - 1]
    known = _facts(run, number)
    query = {key: text.format(**known) for key, text in step.query.items()}
    st.switch_page(f"pages/{step.page}.py", query_params={"run": RUN, **query, KEY: str(number)})


@data.kept(max_entries=64)
def _facts(run: Run, number: int) -> dict[str, str]:
    return STEPS[number - 1].facts(run)
