"""The two parts of the images page that run in the browser: pictures to click, and the picture under the pointer.

A plotly hover label holds text alone, and Streamlit reports no click on a point while dragging selects a box. So a
small script, mounted in the page itself, reads which point plotly has under the pointer (``_hoverdata``), shows its
picture beside the pointer, and reports a click. Names and pictures reach the page as attributes and text, not as HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from cfs_explore.store import Run
from cfs_explore.ui import data, images_points
from cfs_explore.wording import format_digits

#: Takes an image's row, and the ranges of the chart's axes (None: all in view).
OnPick = Callable[[int, list[list[float]] | None], None]
#: Most bytes of thumbnails that are sent for pictures under the pointer; beyond, a click shows the picture.
MOST_BYTES = 4_000_000

_RANGES = """
const ranges = (chart) => {
  const layout = document.querySelector(`.st-key-${chart} .js-plotly-plot`)?._fullLayout;
  const axes = layout ? [layout.xaxis, layout.yaxis] : [];
  return axes.some((axis) => axis.autorange === false) ? axes.map((axis) => [...axis.range]) : null;
};
"""

_GRID = st.components.v2.component(
    "cfs_picture_grid",
    html='<div class="grid"></div>',
    css="""
.grid {display: grid; grid-template-columns: repeat(auto-fill, minmax(68px, 1fr)); gap: 6px; max-width: 100%;}
button {all: unset; cursor: pointer; text-align: center; border-radius: 6px; padding: 3px; box-sizing: border-box;}
button:hover {background: color-mix(in srgb, var(--st-text-color) 10%, transparent);}
button:focus-visible {outline: 2px solid var(--st-link-color);}
button[aria-pressed="true"] {outline: 3px solid var(--st-text-color);}
img, .absent {display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 4px;
  image-rendering: pixelated; background: rgba(128, 128, 128, .15); box-sizing: border-box;}
.absent {border: 1px dashed rgba(128, 128, 128, .6);}
span {display: block; font: 12px/1.35 var(--st-font); color: var(--st-text-color); opacity: .85;
  font-variant-numeric: tabular-nums;}
span.set {font-size: 11px; opacity: .7; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}
""",
    js=_RANGES
    + """
export default function ({ data, parentElement, setTriggerValue }) {
  const text = (className, textContent) => Object.assign(document.createElement('span'), { className, textContent });
  parentElement.querySelector('.grid').replaceChildren(...data.items.map((item) => {
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', title: item.about });
    Object.assign(button.dataset, { row: item.row, image: item.image_id });
    button.setAttribute('aria-pressed', item.row === data.picked);
    const picture = document.createElement(item.png ? 'img' : 'div');
    const source = { src: `data:image/png;base64,${item.png}`, alt: item.about };
    Object.assign(picture, item.png ? source : { className: 'absent' });
    button.append(picture, text('', item.score), text('set', item.set));
    button.onclick = () => setTriggerValue('picked', { row: item.row, ranges: ranges(data.chart) });
    return button;
  }));
}
""",
)

_POINTER = st.components.v2.component(
    "cfs_point_picture",
    js=_RANGES
    + """
export default function ({ data, setTriggerValue }) {
  const preview = document.body.appendChild(document.createElement('img'));
  preview.className = 'cfs-point-picture';
  preview.alt = '';
  Object.assign(preview.style, { position: 'fixed', display: 'none', width: '96px', height: '96px', zIndex: 1000,
    objectFit: 'contain', imageRendering: 'pixelated', pointerEvents: 'none', borderRadius: '6px',
    background: 'rgb(128, 128, 128)', boxShadow: '0 1px 6px rgba(0, 0, 0, .5)' });
  const row = (event) => {
    const found = event.target.closest?.(`.st-key-${data.chart} .js-plotly-plot`)?._hoverdata?.[0]?.customdata;
    return Number.isInteger(found) ? found : null;
  };
  let waiting = 0;
  const show = (event) => {
    const png = data.pictures[row(event)];
    preview.style.display = png ? 'block' : 'none';
    if (!png) return;
    const source = `data:image/png;base64,${png}`;
    if (preview.src !== source) preview.src = source;
    preview.style.left = `${Math.max(4, event.clientX - 110)}px`;
    preview.style.top = `${Math.max(4, event.clientY - 110)}px`;
  };
  const onMove = (event) => {
    clearTimeout(waiting);
    show(event);
    waiting = setTimeout(() => show(event), 120);  // plotly looks for the point a little later
  };
  const onClick = (event) => {
    const found = row(event);
    if (found !== null) setTriggerValue('picked', { row: found, ranges: ranges(data.chart) });
  };
  const onLeave = () => { preview.style.display = 'none'; };
  document.addEventListener('mousemove', onMove);
  document.documentElement.addEventListener('mouseleave', onLeave);
  document.addEventListener('click', onClick);
  return () => {
    clearTimeout(waiting);
    document.removeEventListener('mousemove', onMove);
    document.documentElement.removeEventListener('mouseleave', onLeave);
    document.removeEventListener('click', onClick);
    preview.remove();
  };
}
""",
)


def picture_grid(
    run: Run, rows: pd.DataFrame, *, key: str, chart: str, picked: int | None, number: str, on_pick
) -> None:
    """Pictures to click, each with a number and its set.

    Args:
        run: the exploration.
        rows: in the order to show: row, image_id, dataset, name, label, and the column ``number``.
        key: of the component.
        chart: key of the chart whose zoom a click keeps.
        picked: row of the picture with a frame.
        number: column that is written below.
        on_pick: called with the row and the chart's ranges (None: all in view).
    """
    items = [
        {
            "row": int(row["row"]),
            "image_id": row["image_id"],
            "set": row["dataset"],
            "about": ", ".join(
                filter(None, [row["name"], row["label"], row["dataset"], f"{number} {format_digits(row[number], 4)}"])
            ),
            "score": format_digits(row[number], zeros=True),
            "png": base64.b64encode(images_points.thumbnail(run, int(row["row"]))).decode(),
        }
        for row in rows.to_dict("records")
    ]
    _GRID(
        key=key,
        data={"items": items, "picked": picked, "chart": chart},
        on_picked_change=lambda: _pass_on(key, on_pick),
    )


def point_pictures(run: Run, oods: Sequence[str], *, key: str, chart: str, on_pick: OnPick) -> bool:
    """Let the chart show the picture under the pointer, and report clicks; returns whether it has the pictures.

    Args:
        run: the exploration.
        oods: names of the OOD sets beside ID-test; points of the chart carry ``row`` as customdata.
        key: of the component.
        chart: key of the chart.
        on_pick: as for ``picture_grid``.
    """
    pictures = _pictures(run, tuple(oods))
    _POINTER(key=key, data={"pictures": pictures, "chart": chart}, on_picked_change=lambda: _pass_on(key, on_pick))
    return bool(pictures)


@data.kept(max_entries=8, ttl=600)
def _pictures(run: Run, oods: tuple[str, ...]) -> dict[int, str]:
    """Row -> PNG in base64, of the images that have one; empty where they are too many bytes."""
    pictures = images_points.thumbnails(run, oods)
    if sum(map(len, pictures.values())) > MOST_BYTES:
        return {}
    return {row: base64.b64encode(png).decode() for row, png in pictures.items() if png}


def _pass_on(key: str, on_pick: OnPick) -> None:
    """Hand a click on, as far as it is one: what a browser says is not trusted."""
    pick = st.session_state[key].get("picked")
    if isinstance(pick, dict) and isinstance(pick.get("row"), int):
        ranges = pick.get("ranges")
        numbers = [x for pair in ranges for x in pair] if _is_pairs(ranges) else []
        fine = len(numbers) == 4 and all(isinstance(x, int | float) for x in numbers)
        on_pick(pick["row"], ranges if fine else None)


def _is_pairs(ranges: object) -> bool:
    return isinstance(ranges, list) and all(isinstance(pair, list) for pair in ranges)
