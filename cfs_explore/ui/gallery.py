"""Thumbnails with scores, as plain HTML: file names from users are escaped, pixels are not smoothed."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.explorations.pictures import fetch_command, how_to_get
from cfs_explore.store import Run
from cfs_explore.ui import data
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_digits

_STYLE = """
<style>
.cfs-gallery {display: grid; grid-template-columns: repeat(6, minmax(0, 72px)); gap: 6px; margin: 2px 0 10px;}
.cfs-gallery figure {margin: 0; text-align: center;}
.cfs-gallery.cfs-large {grid-template-columns: repeat(4, minmax(0, 110px));}
.cfs-picture {width: 200px; max-width: 100%;}
.cfs-gallery a {display: block;}
:is(.cfs-gallery, .cfs-picture) img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  border-radius: 4px; background: rgba(128, 128, 128, .15);}
/* A map over a picture is finer than its place. */
.cfs-gallery.cfs-large img:first-child {image-rendering: auto;}
/* What the network saw; under the mouse or the keyboard's focus, the image as it was given. */
.cfs-two {display: block; position: relative;}
.cfs-two img + img {position: absolute; inset: 0; height: 100%; opacity: 0; background: Canvas;}
:is(.cfs-two:hover, a:focus-visible .cfs-two, .cfs-two:focus-visible) img + img {opacity: 1;}
.cfs-absent {width: 100%; aspect-ratio: 1; border: 1px dashed rgba(128, 128, 128, .6); border-radius: 4px;}
.cfs-gallery figcaption {font-size: 12px; line-height: 1.35; opacity: .85; font-variant-numeric: tabular-nums;}
</style>
"""


def show_gallery(
    heading: str,
    rows: pd.DataFrame,
    scores: np.ndarray,
    order: np.ndarray,
    help_text: str,
    link: Callable[[str], str] | None = None,
    seen: Callable[[bytes], bytes] | None = None,
    over: Mapping[str, bytes] | None = None,
) -> None:
    """Show images in the given order, each with its score; nothing where no image of the set can be shown.

    Args:
        heading: one line above.
        rows: of the whole set: name, label, thumbnail (PNG bytes).
        scores: of the whole set, (n,).
        order: positions to show.
        help_text: what the row shows.
        link: image_id -> address that a click on the image opens.
        seen: shows the images as the backbone took them (``as_seen``), and as they were given on hover or focus.
        over: image_id -> PNG with something laid over the image, which then shows without it on hover or focus.
    """
    if not has_pictures(rows):
        return
    st.caption(heading, help=help_text)
    figures = []
    for position in order:
        row = rows.iloc[int(position)]
        about = html.escape(" - ".join(filter(None, [str(row["name"]), str(row["label"])])), quote=True)
        score = format_digits(scores[int(position)], zeros=True)
        image = _image(row["thumbnail"], about, seen, (over or {}).get(row.get("image_id")))
        if link is not None:
            image = f'<a href="{html.escape(link(str(row["image_id"])), quote=True)}">{image}</a>'
        figures.append(f'<figure title="{about}, score {score}">{image}<figcaption>{score}</figcaption></figure>')
    st.html(f'{_STYLE}<div class="cfs-gallery{" cfs-large" if over else ""}">{"".join(figures)}</div>')


def show_picture(png: bytes, name: str, seen: Callable[[bytes], bytes] | None = None) -> None:
    """One image, large; an empty place where there is no picture.

    Args:
        png: the bytes, or b"".
        name: what it is, for those who cannot see it.
        seen: as of ``show_gallery``.
    """
    st.html(f'{_STYLE}<div class="cfs-picture">{_image(png, html.escape(name, quote=True), seen)}</div>')


def show_absence(run: Run, *sets: tuple[str, str | None]) -> None:
    """Say which of these sets' images neither the run nor this computer has, and how they are to be had.

    Args:
        run: of the sets.
        sets: role and name of each.
    """
    absent = [run.entry(*each) for each in sets if not has_pictures(data.images(run, *each))]
    if not absent:
        return
    command = fetch_command(run)
    places = [f"{escape(entry.name)} ({escape(place)})" for entry in absent if (place := how_to_get(run, entry))]
    names = " and ".join(escape(entry.name) for entry in absent)
    get = f" This gets {' and '.join(places)} once; then the page shows them:" if places and command else ""
    st.info(f"The images of {names} are not part of this exploration.{get}", icon=":material/image:")
    if get:
        st.code(command, language="bash", wrap_lines=True)


def has_pictures(rows: pd.DataFrame) -> bool:
    """Whether any image of a set can be shown."""
    return bool(rows["thumbnail"].map(len).any())


def shows_both(seen: Callable[[bytes], bytes], pictures: Iterable[bytes]) -> bool:
    """Whether the backbone took any of these images otherwise than it was given."""
    return any(seen(png) != png for png in pictures)


def _image(png: bytes, about: str, seen: Callable[[bytes], bytes] | None = None, over: bytes | None = None) -> str:
    """The picture, or an empty place for it; ``about`` is escaped."""
    if not png:
        return f'<div class="cfs-absent" role="img" aria-label="{about}, not shown"></div>'
    taken = png if seen is None else seen(png)
    if over:
        return f'<span class="cfs-two">{tag(over, f"{about}, with its score map")}{tag(taken, "")}</span>'
    shown = tag(taken, about)
    return shown if taken == png else f'<span class="cfs-two">{shown}{tag(png, "")}</span>'


def tag(png: bytes, about: str) -> str:
    """A picture as HTML; ``about`` is escaped."""
    return f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{about}">'
