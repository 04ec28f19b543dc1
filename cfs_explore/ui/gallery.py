"""Thumbnails with scores, as plain HTML: file names from users are escaped, pixels are not smoothed."""

from __future__ import annotations

import base64
import html

import numpy as np
import pandas as pd
import streamlit as st

_STYLE = """
<style>
.cfs-gallery {display: grid; grid-template-columns: repeat(6, minmax(0, 72px)); gap: 6px; margin: 2px 0 10px;}
.cfs-gallery figure {margin: 0; text-align: center;}
.cfs-gallery img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px;
  background: rgba(128, 128, 128, .15);}
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
        source = base64.b64encode(row["thumbnail"]).decode()
        about = html.escape(" - ".join(filter(None, [str(row["name"]), str(row["label"])])), quote=True)
        score = f"{scores[int(position)]:.3g}"
        figures.append(
            f'<figure title="{about}, score {score}"><img src="data:image/png;base64,{source}" alt="{about}">'
            f"<figcaption>{score}</figcaption></figure>"
        )
    st.html(f'{_STYLE}<div class="cfs-gallery">{"".join(figures)}</div>')
