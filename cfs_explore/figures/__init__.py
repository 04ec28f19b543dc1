"""Figures: a tidy DataFrame in, a plotly Figure with the project's own template out.

One figure per file (``map_heatmap``, ``small_multiples``, ``roc``, ``histogram``, ``detectors``); ``theme``
and ``colour_scale`` hold the look, ``export`` makes files for print, ``captions`` the words. No torch, no
streamlit.
"""

from cfs_explore.figures.browser import NO_BROWSER, has_browser
from cfs_explore.figures.captions import (
    alt_text,
    detectors_caption,
    histogram_caption,
    map_caption,
    roc_caption,
    small_multiples_caption,
)
from cfs_explore.figures.detectors import detector_dots_figure
from cfs_explore.figures.errors import FigureDataError, FigureExportError
from cfs_explore.figures.export import COLUMN_WIDTHS, export_bytes, to_publication
from cfs_explore.figures.histogram import score_histogram_figure
from cfs_explore.figures.map_grid import decode_cell
from cfs_explore.figures.map_heatmap import auroc_map_figure
from cfs_explore.figures.roc import roc_figure
from cfs_explore.figures.small_multiples import small_multiples_figure
from cfs_explore.figures.tap_names import short_tap_name
from cfs_explore.figures.theme import format_estimate, template

__all__ = [
    "COLUMN_WIDTHS",
    "NO_BROWSER",
    "FigureDataError",
    "FigureExportError",
    "alt_text",
    "auroc_map_figure",
    "decode_cell",
    "detector_dots_figure",
    "detectors_caption",
    "export_bytes",
    "format_estimate",
    "has_browser",
    "histogram_caption",
    "map_caption",
    "roc_caption",
    "roc_figure",
    "score_histogram_figure",
    "short_tap_name",
    "small_multiples_caption",
    "small_multiples_figure",
    "template",
    "to_publication",
]
