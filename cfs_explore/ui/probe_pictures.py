"""The probe page's pictures as HTML: names from users are escaped, pixels are not smoothed."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from cfs_explore.contracts import Level
from cfs_explore.figures.theme import ROLE_COLOURS, format_value
from cfs_explore.images import thumbnail
from cfs_explore.probe.seen import ChannelMaps, Seen, TapView
from cfs_explore.ui.probe_images import Shown

_SIDE = 256
CHANNELS = 8
_STYLE = """
<style>
[class*="st-key-probe_strip_"] {flex-wrap: nowrap !important; max-width: 640px;}
[class*="st-key-probe_strip_"] > :first-child {flex: 1 1 0 !important; min-width: 0 !important;}
[class*="st-key-probe_strip_"] > :last-child {flex: 2 1 1rem !important; min-width: 0 !important;}
.cfs-seen figure, .cfs-maps figure {margin: 0;}
.cfs-two {display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem;}
.cfs-seen img, .cfs-maps img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  border-radius: 4px; background: rgba(128, 128, 128, .15); display: block;}
.cfs-seen figcaption {font-size: 14px; line-height: 1.3; padding-top: 4px;}
.cfs-about {margin: 0; font-size: 15px; overflow-wrap: anywhere;}
.cfs-about b, .cfs-maps b {border-bottom: 3px solid; padding-bottom: 1px;}
.cfs-tap {margin: 0 0 10px; font-size: 14px; opacity: .75;}
.cfs-maps {display: grid; grid-template-columns: 18px repeat(8, minmax(0, 72px)); gap: 6px 5px; align-items: start;}
.cfs-maps span, .cfs-maps figcaption {font-size: 12px; line-height: 1.35; text-align: center;
  font-variant-numeric: tabular-nums;}
.cfs-maps b {align-self: center; justify-self: center; font-size: 14px;}
.cfs-marks {position: relative; height: 26px; margin: -14px 6px 0;}
/* Side by side only where there is room. */
[data-testid="stLayoutWrapper"]:has(> .st-key-probe_level) {min-width: min(100%, 420px);}
[data-testid="stElementContainer"]:is(.st-key-probe_a, .st-key-probe_b) {min-width: min(100%, 220px);}
.cfs-marks i {position: absolute; top: 0; width: 2px; height: 7px; margin-left: -1px; background: currentColor;
  opacity: .7;}
.cfs-marks span {position: absolute; top: 8px; transform: translateX(-50%); font-size: 12px; opacity: .85;
  font-variant-numeric: tabular-nums;}
</style>
"""


def style() -> None:
    """What the pictures look like; takes no room."""
    st.html(_STYLE)


def level_marks(lams: dict[float, Level | None]) -> None:
    """Ticks under the slider where the run has measured."""
    last = max(len(lams) - 1, 1)
    ticks = [
        f'<i style="left: {100 * i / last:.3f}%"></i><span style="left: {100 * i / last:.3f}%">{_number(lam)}</span>'
        for i, (lam, level) in enumerate(lams.items())
        if level is not None
    ]
    st.html(f'<div class="cfs-marks" aria-hidden="true">{"".join(ticks)}</div>')


def show_strip(shown: Shown, seen: Seen, index: int) -> None:
    """One image as it is, which is sent once, and as the network gets it and takes it to be."""
    image, letter = shown.image, shown.letter
    about = " · ".join(filter(None, [shown.set_name, image.label, image.name]))
    st.html(f'<p class="cfs-about">{_letter(shown)} <bdi>{html.escape(about)}</bdi></p>')
    original = _figure(image.pixels, "x₀, the image", f"{letter}: {image.name}, as the backbone takes it")
    noisy, guess = (
        _figure(pictures[index], caption, f"{letter}: {text}")
        for pictures, caption, text in (
            (seen.x_lam_picture, "x<sub>λ</sub>, with noise", f"with noise, λ = {format_value(seen.level.lam, 2)}"),
            (seen.x0_hat_picture, "x̂₀, the network’s guess", "the network's one-step estimate of the image"),
        )
    )
    with st.container(horizontal=True, gap="small", key=f"probe_strip_{letter}"):
        st.html(f'<div class="cfs-seen">{original}</div>')
        st.html(f'<div class="cfs-seen cfs-two">{noisy}{guess}</div>')


def show_maps(images: Sequence[Shown], view: TapView, about: str) -> None:
    """The maps of the channels that stand out most, a row per image, under a line about the tap."""
    found = view.strongest(CHANNELS)
    cells = ["<span></span>", *(f"<span>ch {channel}</span>" for channel in found.channels)]
    cells += ["<span></span>"] * (CHANNELS - len(found.channels))
    for i, shown in enumerate(images):
        cells.append(_letter(shown))
        cells += [_map(shown.letter, found, i, j) for j in range(len(found.channels))]
        cells += ["<span></span>"] * (CHANNELS - len(found.channels))
    st.html(f'<p class="cfs-tap">{html.escape(about)}</p><div class="cfs-maps">{"".join(cells)}</div>')


def _map(letter: str, found: ChannelMaps, image: int, position: int) -> str:
    z = f"{round(float(found.z[image, position]), 1) + 0.0:+.1f}".replace("-", "−")  # no minus before a zero
    alt = f"{letter}, channel {found.channels[position]}, z = {z}"
    pixels = np.rint(found.maps[image, position] * 255).astype(np.uint8)[:, :, None]
    return f"<figure>{_picture(pixels, alt)}<figcaption>{z}</figcaption></figure>"


def _letter(shown: Shown) -> str:
    """A or B, underlined in its colour."""
    return f'<b style="border-color: {ROLE_COLOURS[shown.role]}">{shown.letter}</b>'


def _figure(pixels: np.ndarray, caption: str, alt: str) -> str:
    """uint8 (C, H, W) with a line beneath."""
    return f"<figure>{_picture(pixels.transpose(1, 2, 0), alt)}<figcaption>{caption}</figcaption></figure>"


def _picture(pixels: np.ndarray, alt: str) -> str:
    """An image of uint8 (H, W, 1 | 3)."""
    png = base64.b64encode(thumbnail(np.ascontiguousarray(pixels), _SIDE)).decode()
    text = html.escape(alt, quote=True)
    return f'<img src="data:image/png;base64,{png}" alt="{text}" title="{text}">'


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
