"""The look shared by every figure: colours with fixed roles, two templates, and one way to write numbers.

Figures set theme-dependent colours only from ``palette(theme)``; ``export`` relies on it to turn a dark
figure light.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import plotly.graph_objects as go

#: Okabe-Ito colours with one meaning each, in every figure and both themes (3:1 against both pages).
ROLE_COLOURS = {
    "id": "#0072B2",
    "ood": "#D55E00",
    "encoder": "#009E73",
    "decoder": "#CC79A7",
    "control": "#8A8F98",
}

#: Okabe-Ito colours without a role, for further series (dashes distinguish them, too).
CATEGORY_COLOURS = ("#E69F00", "#56B4E9")

REGION_COLOURS = {
    "input": ROLE_COLOURS["control"],
    "encoder": ROLE_COLOURS["encoder"],
    "middle": ROLE_COLOURS["control"],
    "decoder": ROLE_COLOURS["decoder"],
    "output": ROLE_COLOURS["control"],
}

#: The app's own font first (Streamlit bundles it), then what every system has; print uses the latter only.
APP_FONT = "'Source Sans', 'Source Sans Pro', Arial, Helvetica, 'Liberation Sans', sans-serif"
PRINT_FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"
BASE_FONT_PX = 13.0

CLEAR = "rgba(0,0,0,0)"

#: Tools of the bar above a figure that none of the figures needs; the camera stays.
_UNUSED_TOOLS = (
    "zoom2d",
    "pan2d",
    "select2d",
    "lasso2d",
    "zoomIn2d",
    "zoomOut2d",
    "autoScale2d",
    "resetScale2d",
)


@dataclass(frozen=True)
class Palette:
    """Colours that follow the page: text, quieter text, rules, and the page itself."""

    ink: str
    muted: str
    grid: str
    page: str


PALETTES = {
    "light": Palette(ink="#1D232E", muted="#5A6270", grid="#E2E5EA", page="#FFFFFF"),
    "dark": Palette(ink="#E9ECF1", muted="#A3ABB9", grid="#343B48", page="#10141B"),
}


def palette(theme: str) -> Palette:
    """Colours of 'light' or 'dark'."""
    if theme not in PALETTES:
        raise ValueError(f"The 'theme' of a figure must be one of {list(PALETTES)}. Got {theme!r} instead.")
    return PALETTES[theme]


@functools.lru_cache(maxsize=32)
def template(theme: str = "light", font_px: float = BASE_FONT_PX, font: str = APP_FONT) -> go.layout.Template:
    """Plotly template of the project, on a transparent page. Pass it explicitly to every figure, which copies it."""
    colours = palette(theme)
    small = font_px * 12 / 13
    axis = {
        "showgrid": False,
        "gridcolor": colours.grid,
        "zeroline": False,
        "showline": False,
        "linecolor": colours.muted,
        "tickcolor": colours.muted,
        "ticks": "",
        "tickfont": {"size": small, "color": colours.ink},
        "title": {"font": {"size": small, "color": colours.muted}, "standoff": 8},
    }
    layout = go.Layout(
        font={"family": font, "size": font_px, "color": colours.ink},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        colorway=list(CATEGORY_COLOURS),
        xaxis=axis,
        yaxis=axis,
        margin={"l": 56, "r": 16, "t": 16, "b": 48},
        legend={"bgcolor": CLEAR, "font": {"size": small}, "title": {"text": ""}},
        hoverlabel={
            "bgcolor": colours.page,
            "bordercolor": colours.muted,
            "align": "left",
            "font": {"size": small, "color": colours.ink, "family": font},
        },
        annotationdefaults={"font": {"size": small, "color": colours.ink}, "showarrow": False},
        modebar={
            "bgcolor": CLEAR,
            "color": colours.muted,
            "activecolor": colours.ink,
            "orientation": "h",
            "remove": list(_UNUSED_TOOLS),
        },
        coloraxis={
            "colorbar": {
                "outlinewidth": 0,
                "ticks": "",
                "tickfont": {"size": small},
                "title": {"font": {"size": small, "color": colours.muted}},
            }
        },
    )
    return go.layout.Template(layout=layout)


def new_chart(theme: str, **layout) -> go.Figure:
    """An empty figure with the project's template; ``layout`` adds to its layout."""
    return go.Figure(layout={"template": template(theme), **layout})


def unchecked_copy(chart: go.Figure) -> go.Figure:
    """An equal figure; its parts are not checked again, as ``go.Figure(chart)`` would, in ten times as long."""
    return go.Figure(chart.to_dict(), _validate=False)


def series_colour(name: str, position: int) -> str:
    """The role's colour when ``name`` is a role, else the category colour at ``position``."""
    return ROLE_COLOURS.get(name.lower(), CATEGORY_COLOURS[position % len(CATEGORY_COLOURS)])


def text_px(text: str, font_px: float) -> float:
    """Width to reserve for one line of ``text`` (a little generous: no browser is asked)."""
    return 0.56 * font_px * len(text)
