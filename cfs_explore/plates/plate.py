"""What a plate is."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.store import Run


@dataclass(frozen=True)
class Plate:
    """A figure and what belongs to it.

    Attributes:
        figure: with the project's template.
        rows: the data behind the figure.
        caption: settings, n and method in one line; plain text.
        alt: for those who cannot see the figure; plain text.
        stem: of its files, without an ending.
    """

    figure: go.Figure
    rows: pd.DataFrame
    caption: str
    alt: str
    stem: str


def file_stem(run: Run, *parts: str) -> str:
    """Name of a file without its ending: the run and the parts, without blanks."""
    return "-".join([run.path.name, *parts]).replace(" ", "-")


def counts(row: pd.Series) -> str:
    """'n = 421 ID, 250 OOD', of a row with n_id and n_ood; of many rows ``figures.captions.sample_sizes``."""
    return f"n = {row['n_id']} ID, {row['n_ood']} OOD"


def csv_text(plate: Plate) -> str:
    """The plate's data as a CSV file, which page and command line write alike."""
    return plate.rows.to_csv(index=False)
