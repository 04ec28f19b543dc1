"""Thumbnails with scores, as plain HTML: file names from users are escaped, pixels are not smoothed."""

from __future__ import annotations

import base64
import html

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.pictures import how_to_get
from cfs_explore.store import Run
from cfs_explore.ui.sidebar import escape

_STYLE = """
<style>
.cfs-gallery {display: grid; grid-template-columns: repeat(6, minmax(0, 72px)); gap: 6px; margin: 2px 0 10px;}
.cfs-gallery figure {margin: 0; text-align: center;}
.cfs-gallery img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px;
  background: rgba(128, 128, 128, .15);}
.cfs-absent {width: 100%; aspect-ratio: 1; border: 1px dashed rgba(128, 128, 128, .6); border-radius: 4px;}
.cfs-gallery figcaption {font-size: 12px; line-height: 1.35; opacity: .85; font-variant-numeric: tabular-nums;}
</style>
"""


def show_gallery(heading: str, rows: pd.DataFrame, scores: np.ndarray, order: np.ndarray, help_text: str) -> None:
    """Show images in the given order, each with its score.

    Args:
        heading: one line above.
        rows: of the whole set: name, label, thumbnail (PNG bytes).
        scores: of the whole set, (n,).
        order: positions to show.
        help_text: what the row tells.
    """
    st.caption(heading, help=help_text)
    figures = []
    for position in order:
        row = rows.iloc[int(position)]
        about = html.escape(" - ".join(filter(None, [str(row["name"]), str(row["label"])])), quote=True)
        score = f"{scores[int(position)]:.3g}"
        figures.append(
            f'<figure title="{about}, score {score}">{_image(row["thumbnail"], about)}'
            f"<figcaption>{score}</figcaption></figure>"
        )
    st.html(f'{_STYLE}<div class="cfs-gallery">{"".join(figures)}</div>')


def show_absence(run: Run, role: str, rows: pd.DataFrame, name: str | None = None) -> None:
    """Say where the images of a set are to be had, if neither the run nor this computer has them.

    Args:
        run: of the set.
        role, name: of the set.
        rows: as for ``show_gallery``.
    """
    if rows["thumbnail"].map(len).any():
        return
    entry = run.entry(role, name)
    place = how_to_get(run, entry)
    get = f" They are {place}; this gets them, once, and the page shows them then:" if place else ""
    absent = f"The images of {entry.name} are not part of this exploration.{get}"
    st.info(escape(absent), icon=":material/image:")
    if place:
        st.code(f"cfs-explore fetch {run.path.name}", language="bash")


def _image(png: bytes, about: str) -> str:
    """The picture, or an empty place for it; ``about`` is escaped."""
    if not png:
        return f'<div class="cfs-absent" role="img" aria-label="{about}, not shown"></div>'
    return f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{about}">'
