"""The little CSS that the theme cannot say: narrow pages, text on a dark page, chips that wrap."""

from __future__ import annotations

import re

import streamlit as st

#: Key of a figure that does not say so itself -> pixels below which its tick labels and titles would run into each
#: other: it scrolls sideways there, and says so.
_LEAST_PX = {
    "growing_map": 540,
    "strip": 620,
    "how_it_works": 640,
    "comp_pairs": 480,
    "protocol_pictures": 600,
    "protocol_sensitivity": 520,
    "strip_protocol": 600,
    "protocol_group_maps": 440,
}

#: What Streamlit replaces where it makes a class of a key.
_NO_CLASS = re.compile(r"[^a-zA-Z0-9_-]")

#: Of a narrow page, left and right of a figure.
_MARGINS_PX = 31


def _wide(key: str, least: int) -> str:
    """A figure that is never narrower than this; on narrower pages, a line above it says so while it is scrolled."""
    figure = f'[data-testid="stElementContainer"].st-key-{_NO_CLASS.sub("-", key)}'
    hint = "content: '\\2194\\FE0E  Scroll sideways: the figure is wider'; display: block; position: sticky; left: 0"
    look = "width: max-content; font-size: 0.8rem; color: light-dark(#5A6270, #A3ABB9)"
    return f"""
{figure} {{overflow-x: auto !important;}}
{figure} [data-testid="stFullScreenFrame"] {{min-width: {least}px;}}
@media (max-width: {least + _MARGINS_PX}px) {{
  {figure} {{box-sizing: content-box; padding-top: 1.4rem;}}
  {figure}::before {{{hint}; {look}; height: 1.4rem; margin-top: -1.4rem;}}
}}
"""


_STYLE = """
<style>
@media (max-width: 1500px) and (min-width: 700px) {
  [data-testid="stMainBlockContainer"] {padding-left: 2rem; padding-right: 2rem;}
}
/* The map and its cell stand beside each other only where both have room; so do columns in containers "beside_...". */
.st-key-map_and_cell, [class*="st-key-beside_"] {container-type: inline-size;}
@container (max-width: 1240px) {
  .st-key-beside_maps [data-testid="stColumn"] {min-width: calc(100% - 1.5rem);}
}
@container (max-width: 880px) {
  :is(.st-key-map_and_cell, [class*="st-key-beside_"]) [data-testid="stColumn"] {min-width: calc(100% - 1.5rem);}
  :is(.st-key-map_and_cell, [class*="st-key-beside_"]) [data-testid="stHorizontalBlock"] {row-gap: 1.5rem;}
}
[data-testid="stElementContainer"]:is(.st-key-probe_a, .st-key-probe_b) {min-width: min(100%, 220px);}
.st-key-composer .st-key-cells {min-width: min(100%, 320px);}
@@WIDE@@
/* Segments are as high as the lists beside them: so their labels stand in one line. */
[data-testid="stButtonGroup"] [data-variant="segmented_control"] {min-height: 2.5rem;}
/* Each has all its borders, which a neighbour in the next line would not lend it. */
[data-testid="stButtonGroup"] [data-variant="segmented_control"]:not([data-selected="true"]) {
  border-color: light-dark(#D9DEE5, #343B48);}
[data-testid="stButtonGroup"] [data-variant="segmented_control"][data-selected="true"] {position: relative; z-index: 1;}
/* A slider beside other controls goes to the next line before it is too short to set. */
[data-testid="stElementContainer"]:has([data-testid="stSlider"]) {min-width: min(100%, 200px);}
/* A wide table in a text scrolls by itself, and not the page. */
[data-testid="stMarkdownContainer"]:has(> table) {overflow-x: auto;}
/* A table's own download would write cells that a spreadsheet takes for formulas; the CSV button beside it does not.
   Streamlit's own option against it, client.disableDataExport, would take the copying of cells away as well. */
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) {display: none;}
/* A file is made when its button is clicked, while the page goes on: the greyed button says so. */
[data-testid="stDownloadButton"] button:disabled {height: auto; flex-wrap: wrap;}
[data-testid="stDownloadButton"] button:disabled::after {content: "is being made …"; margin-left: 0.4em;}
/* The primary colour suits text on it, not text of it on a dark page: there the link colour takes its place. */
[data-testid="stSliderThumbValue"],
[data-testid="stButtonGroup"] [data-variant="segmented_control"][data-selected="true"],
[data-testid="stPopoverButton"][kind="tertiary"]:is(
  :active, :hover, :focus-visible, [aria-expanded="true"]) {color: light-dark(#00629B, #56B4E9);}
/* A caption is quieter by its colour: faded, its text and its links would be too pale to read. */
div[data-testid="stCaptionContainer"] {opacity: 1; color: light-dark(#5A6270, #A3ABB9);}
/* A formula breaks behind a sign where its column is narrow, and has room for its overhang: a part that scrolls would
   be out of reach without a mouse. */
.stMarkdown .katex-display {padding: 2px 3px;}
.stMarkdown .katex-display > .katex {white-space: normal;}
.st-key-page_script {display: none;}
/* Pages in groups: close enough that the exploration below them is in view in a window of 900 pixels. */
[data-testid="stSidebarHeader"] {margin-bottom: 0;}
[data-testid="stSidebarNavItems"] > div {margin-top: 8px;}
[data-testid="stSidebarNavItems"] li, [data-testid="stSidebarNavLink"] {margin-block: 0;}
[data-testid="stNavSectionHeader"] {margin-block: 4px 2px;}
[data-testid="stSidebarUserContent"] {padding-top: 0.5rem;}
/* The way on, at the foot of every page. */
.st-key-way_on {border-top: 1px solid light-dark(#E2E5EA, #343B48); margin-top: 1rem; padding-top: 0.75rem;}
/* Chosen values wrap instead of running out of sight. */
[role="group"]:has(> [data-testid="stMultiSelectTagsContainer"]) {height: auto; max-height: none;}
[data-testid="stMultiSelectTagsContainer"] {height: auto; flex-wrap: wrap; padding-block: 0.15rem;}
</style>
"""


def keep_wide(key: str, least: int) -> None:
    """The same for a figure whose least width depends on what it shows; ``least`` in pixels."""
    st.html(f"<style>{_wide(key, least)}</style>")


def apply() -> None:
    """Add the style to the page; it takes no room."""
    st.html(_STYLE.replace("@@WIDE@@", "".join(_wide(*each) for each in _LEAST_PX.items())))
