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
const EVERY_MS = 200, SCROLL_MS = 800, SETTLING_MS = 4000, GAP_PX = 16;

function isDone([key, want], opened) {
  const now = new URLSearchParams(location.search).get(key);
  if (now === null) return false;
  if (want === '') return now !== opened;
  return want.startsWith('>=') ? Number(now) >= Number(want.slice(2)) : now === want;
}

export default function ({ data }) {
  // Streamlit calls this again with every run of the page; what was done in this step is done.
  if (window.cfsTour?.step !== data.step) window.cfsTour = { step: data.step, scrolled: 0 };
  const tour = window.cfsTour;
  const card = () => document.querySelector('.st-key-tour_card');
  const target = () => document.querySelector(data.target);
  const isStill = () => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning';

  const covered = () => {
    const frame = card()?.closest('[data-testid=stLayoutWrapper]'), style = frame && getComputedStyle(frame);
    return style?.position === 'sticky' ? frame.offsetHeight + parseFloat(style.top) : 0;
  };
  const fits = (place) => place.offsetHeight <= window.innerHeight - covered() - 2 * GAP_PX;
  const goThere = () => {
    const place = target();
    if (!place) return;
    place.style.scrollMarginTop = `${covered() + GAP_PX}px`;
    place.style.scrollMarginBottom = `${GAP_PX}px`;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    place.scrollIntoView({ block: fits(place) ? 'nearest' : 'start', behavior: calm ? 'auto' : 'smooth' });
  };
  const isInView = (place) => {
    const box = place.getBoundingClientRect();
    return box.top >= covered() && (fits(place) ? box.bottom <= window.innerHeight : box.top < window.innerHeight / 2);
  };
  // Figures above the target may still grow: for some seconds it is kept in view, unless the visitor moves.
  const follow = (now) => {
    const place = target();
    if (!place || !isStill() || tour.moved || !covered()) return;
    tour.still ??= now;
    if (now - tour.still > SETTLING_MS || now - tour.scrolled < SCROLL_MS || isInView(place)) return;
    tour.scrolled = now;
    goThere();
  };
  const ring = () => {
    const place = target();
    document.querySelectorAll('[data-tour-target]').forEach(
      (other) => { if (other !== place) other.removeAttribute('data-tour-target'); });
    place?.setAttribute('data-tour-target', '');
  };
  const tick = () => {
    ring();
    follow(Date.now());
    // While the page changes, the card may still be, or already be, another step's.
    const see = document.querySelector(`.cfs-tour-${data.step} details`);
    if (see && data.act && !tour.done && isDone(data.act, data.opened)) {
      tour.done = true;
      see.open = true;
    }
  };
  const onMove = () => { tour.moved = true; };
  const onClick = (event) => { if (event.target.closest?.('.cfs-tour-where')) goThere(); };
  const moves = ['wheel', 'touchmove', 'pointerdown', 'keydown'];
  moves.forEach((move) => window.addEventListener(move, onMove, { passive: true, capture: true }));
  document.addEventListener('click', onClick);
  const timer = setInterval(tick, EVERY_MS);
  tick();
  return () => {
    clearInterval(timer);
    moves.forEach((move) => window.removeEventListener(move, onMove, { capture: true }));
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
        act: key of the address and its value when the step is done (``tour_step.Step``). opened: its value before.
    """
    data = {"step": step, "target": target, "act": list(act) if act else None, "opened": opened}
    _SCRIPT(key=f"tour_script_{step}", data=data)
