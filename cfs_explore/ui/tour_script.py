"""What the tour does in the browser: rings the target of a step, scrolls to it, and opens "See" when the act is done.

What is done shows in the address, which every control of a page writes; so a part of a page that is made again by
itself is noticed, too.
"""

from __future__ import annotations

import streamlit as st

_SCRIPT = st.components.v2.component(
    "cfs_tour_script",
    isolate_styles=False,
    js="""
const EVERY_MS = 200, LONGEST_MS = 8000, GAP_PX = 16;

function isDone([key, want], opened) {
  const now = new URLSearchParams(location.search).get(key);
  if (now === null) return false;
  if (want === '') return now !== opened;
  return want.startsWith('>=') ? Number(now) >= Number(want.slice(2)) : now === want;
}

export default function ({ data }) {
  // Streamlit calls this again with every run of the page; what was done in this step is done.
  if (window.cfsTour?.step !== data.step) window.cfsTour = { step: data.step, began: Date.now() };
  const tour = window.cfsTour;
  const card = () => document.querySelector('.st-key-tour_card');
  const target = () => document.querySelector(data.target);
  const isStill = () => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning';

  const goThere = () => {
    const place = target();
    if (!place) return;
    const frame = card()?.closest('[data-testid=stLayoutWrapper]') ?? card();
    const style = frame && getComputedStyle(frame);
    const above = style?.position === 'sticky' ? frame.offsetHeight + parseFloat(style.top) : 0;
    const room = window.innerHeight - above - 2 * GAP_PX;
    place.style.scrollMarginTop = `${above + GAP_PX}px`;
    place.style.scrollMarginBottom = `${GAP_PX}px`;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const block = place.offsetHeight <= room ? 'nearest' : 'start';
    place.scrollIntoView({ block, behavior: calm ? 'auto' : 'smooth' });
  };
  const ring = () => {
    const place = target();
    document.querySelectorAll('[data-tour-target]').forEach(
      (other) => { if (other !== place) other.removeAttribute('data-tour-target'); });
    place?.setAttribute('data-tour-target', '');
  };
  const tick = () => {
    ring();
    if (!tour.scrolled && target() && isStill()) {
      tour.scrolled = true;
      const frame = card()?.closest('[data-testid=stLayoutWrapper]');
      const stays = frame && getComputedStyle(frame).position === 'sticky';
      if (stays && !tour.moved && Date.now() - tour.began < LONGEST_MS) goThere();
    }
    const see = document.querySelector('.cfs-tour details');
    if (see && data.act && !tour.done && isDone(data.act, data.opened)) {
      tour.done = true;
      see.open = true;
    }
  };
  const onMove = () => { tour.moved = true; };
  const onClick = (event) => { if (event.target.closest?.('.cfs-tour-where')) goThere(); };
  window.addEventListener('wheel', onMove, { passive: true });
  window.addEventListener('touchmove', onMove, { passive: true });
  document.addEventListener('click', onClick);
  const timer = setInterval(tick, EVERY_MS);
  tick();
  return () => {
    clearInterval(timer);
    window.removeEventListener('wheel', onMove);
    window.removeEventListener('touchmove', onMove);
    document.removeEventListener('click', onClick);
    document.querySelectorAll('[data-tour-target]').forEach((other) => other.removeAttribute('data-tour-target'));
  };
}
""",
)


def run(step: int, target: str, act: tuple[str, str] | None, opened: str) -> None:
    """Mount the script of a step; it takes no room (``style``).

    Args:
        step: number of the step. target: what is ringed, as a CSS selector.
        act: key of the address and its value when the step is done (``tour_steps.Step``). opened: its value before.
    """
    data = {"step": step, "target": target, "act": list(act) if act else None, "opened": opened}
    _SCRIPT(key=f"tour_script_{step}", data=data)
