"""The little CSS that the theme cannot say: narrow pages, text on a dark page, chips that wrap."""

from __future__ import annotations

import streamlit as st

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
}
[data-testid="stElementContainer"]:is(.st-key-probe_a, .st-key-probe_b) {min-width: min(100%, 220px);}
.st-key-composer .st-key-cells {min-width: min(100%, 320px);}
/* Below this width tick labels and titles would run into each other: the figure scrolls instead. */
.st-key-map, .st-key-growing_map, .st-key-excess, .st-key-strip, .st-key-how_it_works, .st-key-protocol_pictures,
.st-key-protocol_loss, .st-key-strip_protocol, .st-key-protocol_sensitivity, .st-key-verdict,
[data-testid="stElementContainer"]:is([class*="st-key-map_of_"], [class*="st-key-difference_"]) {
  overflow-x: auto !important;}
:is(.st-key-map, .st-key-growing_map) [data-testid="stFullScreenFrame"] {min-width: 540px;}
.st-key-excess [data-testid="stFullScreenFrame"] {min-width: 520px;}
.st-key-strip [data-testid="stFullScreenFrame"] {min-width: 620px;}
.st-key-how_it_works [data-testid="stFullScreenFrame"] {min-width: 640px;}
.st-key-protocol_pictures [data-testid="stFullScreenFrame"] {min-width: 600px;}
.st-key-protocol_sensitivity [data-testid="stFullScreenFrame"],
.st-key-protocol_loss [data-testid="stFullScreenFrame"] {min-width: 520px;}
:is(.st-key-strip_protocol, [data-testid="stElementContainer"]:is(
  [class*="st-key-map_of_"], [class*="st-key-difference_"])) [data-testid="stFullScreenFrame"] {min-width: 600px;}
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
[data-testid="stMultiSelectTagsContainer"] {height: auto; flex-wrap: wrap; padding-block: 0.25rem;}
</style>
"""


def apply() -> None:
    """Add the style to the page; it takes no room."""
    st.html(_STYLE)
