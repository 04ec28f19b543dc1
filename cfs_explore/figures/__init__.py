"""Figures of an exploration: charts with caption, description and data, as pages, files and reports show them.

A file per page of the app; each function reads nothing but its arguments and the run. ``catalogue`` lists them
all by name, ``choices`` says of which OOD set, cell and pair, ``folder`` writes them. No streamlit, no torch.
"""

from cfs_explore.figures.figure import Figure, csv_text

__all__ = ["Figure", "csv_text"]
