"""How the lab draws what is computed, what is measured, and what is guaranteed: one look in all of its figures."""

from __future__ import annotations

from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, palette

#: kind -> (what it is, marker symbol, line dash); colours follow in ``mark_colour``.
MARKS = {
    "bound": ("bound: AUROC is at least this", "square", "dot"),
    "prediction": ("computed from means and variances", "diamond", "dash"),
    "exact": ("exact, from the settings", "diamond", "dash"),
    "measured": ("measured on the simulated images, 95 % interval", "circle", "solid"),
}
#: combination of two taps -> (name, line dash)
COMBINATIONS = {
    "encoder": ("Encoder alone", "dash"),
    "decoder": ("Decoder alone", "dot"),
    "average": ("Plain average", "solid"),
    "best": ("Best weighting", "dashdot"),
}


def mark_colour(kind: str, theme: str) -> str:
    """Colour of a kind or a combination: roles where there are any, ink for what the eye should follow."""
    ink = palette(theme).ink
    colours = {
        "bound": CATEGORY_COLOURS[1],
        "exact": CATEGORY_COLOURS[0],
        "prediction": CATEGORY_COLOURS[0],
        "measured": ink,
        "encoder": ROLE_COLOURS["encoder"],
        "decoder": ROLE_COLOURS["decoder"],
        "average": ink,
        "best": CATEGORY_COLOURS[0],
    }
    return colours[kind]
