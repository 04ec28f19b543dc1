"""What every page does in the browser by itself, where Streamlit does not.

An open popover stands behind the whole page, out of the Tab key's reach: one that a key opens takes the focus, and
Escape gives it back to its button. Figures are drawn in the colours of the theme that they were made for: when it
changes, the page is made again. A step of the visitor is one step of the browser's history. And it reports when a page
without timers is shown (``navigation.leave_for``).
"""

from __future__ import annotations

import streamlit as st

_SCRIPT = st.components.v2.component(
    "cfs_page_script",
    isolate_styles=False,
    js="""
const POPOVER = '[data-testid="stPopoverBody"]';
const CLOSED = '[data-testid="stPopoverButton"][aria-expanded="false"]';

function enterPopovers() {
  let frame = 0;
  const enter = (frames) => {
    const popover = [...document.querySelectorAll(POPOVER)].at(-1);
    if (!popover) {
      if (frames > 0) frame = requestAnimationFrame(() => enter(frames - 1));
      return;
    }
    popover.tabIndex = -1;
    popover.focus();
  };
  const onClick = (event) => {
    const byKey = event.detail === 0;
    if (!byKey || !event.target.closest?.(CLOSED)) return;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => enter(120));
  };
  document.addEventListener('click', onClick, true);  // before the button opens it
  return () => {
    cancelAnimationFrame(frame);
    document.removeEventListener('click', onClick, true);
  };
}

function followTheme(onChange) {
  const app = document.querySelector('[data-testid="stApp"]');
  const scheme = () => getComputedStyle(app).colorScheme;
  let known = scheme();
  const observer = new MutationObserver(() => {
    if (scheme() === known) return;
    known = scheme();
    onChange(known);
  });
  observer.observe(app, { attributes: true, attributeFilter: ['class', 'style'] });
  return () => observer.disconnect();
}

function mendNavigation() {
  // Groups of pages stand as div in a list, which no list may have: it is a group of links then.
  const navigation = document.querySelector('[data-testid="stSidebarNav"]');
  if (!navigation) return () => {};
  const mend = () => {
    for (const list of navigation.querySelectorAll('ul')) list.setAttribute('role', 'group');
    for (const item of navigation.querySelectorAll('li')) item.setAttribute('role', 'none');
  };
  mend();
  const observer = new MutationObserver(mend);
  observer.observe(navigation, { childList: true, subtree: true });
  return () => observer.disconnect();
}

let acted = false;  // since the last entry of the history

function keepSteps() {
  // A page that opens, or an exploration that is chosen, changes the address several times: what follows a step without
  // another act of the visitor belongs to it. A switch of the page writes the new page's query into the old one's
  // address first. Another page with another query is always a step, even when the act was taken for the one before.
  const acts = ['pointerdown', 'pointerup', 'click', 'keydown', 'input'];
  const onAct = () => { acted = true; };
  const onTravel = () => { acted = false; };
  const push = window.history.pushState;
  window.history.pushState = (state, title, url) => {
    const next = new URL(url, window.location.href), here = window.location;
    const step = acted || (next.pathname !== here.pathname && next.search !== here.search);
    acted = false;
    if (step) push.call(window.history, state, title, url);
    else window.history.replaceState(state, title, url);
  };
  for (const act of acts) document.addEventListener(act, onAct, true);
  window.addEventListener('popstate', onTravel);
  return () => {
    window.history.pushState = push;
    for (const act of acts) document.removeEventListener(act, onAct, true);
    window.removeEventListener('popstate', onTravel);
  };
}

export default function ({ data, setTriggerValue }) {
  if (data.leaving) setTriggerValue('ready', true);
  const onTheme = (theme) => setTriggerValue('theme', theme);
  const ends = [enterPopovers(), mendNavigation(), keepSteps(), followTheme(onTheme)];
  return () => ends.forEach((end) => end());
}
""",
)


def run(leaving: bool) -> bool:
    """Mount the script; it takes no room (``style``).

    Args:
        leaving: whether the page is made without its content, to switch to another one.

    Returns:
        Whether the browser has shown that.
    """
    shown = _SCRIPT(
        key="page_script", data={"leaving": leaving}, on_theme_change=lambda: None, on_ready_change=lambda: None
    )
    return leaving and bool(shown.ready)
