"""Make a figure by its name, and look into it."""

import re

from cfs_explore.figures import Figure
from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import Choices
from cfs_explore.store import Run


def make(kind: str, run: Run, choices: Choices, theme: str = "light") -> Figure:
    """A figure of the catalogue."""
    return KINDS[kind].make(run, choices, theme)


def trace(figure: Figure, name: str):
    """The trace with this name."""
    return next(each for each in figure.chart.data if each.name == name)


def assert_whole(figure: Figure, stem: str = "digits-") -> None:
    """It has data, a description, and a file name that begins so and has no blank."""
    assert len(figure.rows) and figure.alt
    assert not re.search(r"\s", figure.stem) and figure.stem.startswith(stem)


def assert_follows_theme(kind: str, run: Run, choices: Choices) -> None:
    """Its colours are other ones on a dark page."""
    light, dark = (make(kind, run, choices, theme).chart.layout.template.layout for theme in ("light", "dark"))
    assert light.font.color != dark.font.color
