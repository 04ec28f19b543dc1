"""Figures: a tidy DataFrame in, a plotly Figure with the project's own template out.

One figure per file (``map_heatmap``, ``small_multiples``, ``roc``, ``histogram``, ``detectors``); ``theme``
and ``colour_scale`` hold the look, ``export`` makes files for print, ``captions`` the words. No torch, no
streamlit.
"""

from cfs_explore.figures.ablation_grid import ablation_grid_figure
from cfs_explore.figures.browser import NO_BROWSER, has_browser
from cfs_explore.figures.captions import (
    alt_text,
    detectors_caption,
    histogram_caption,
    map_caption,
    roc_caption,
    small_multiples_caption,
)
from cfs_explore.figures.channel_bars import channel_bars_figure
from cfs_explore.figures.channel_sparsity import sparsity_figure, top_channels_figure
from cfs_explore.figures.control_dots import control_dots_figure
from cfs_explore.figures.delta_parts import delta_parts_figure, tap_parts_figure
from cfs_explore.figures.detectors import detector_dots_figure
from cfs_explore.figures.embedding_scatter import Colouring, embedding_scatter_figure
from cfs_explore.figures.errors import FigureDataError, FigureExportError
from cfs_explore.figures.excess_map import excess_alt, excess_map_figure
from cfs_explore.figures.export import COLUMN_WIDTHS, FORMATS, PRINT_SCALE, export_bytes, to_publication
from cfs_explore.figures.gain_curve import gain_curve_figure
from cfs_explore.figures.grey import to_grey
from cfs_explore.figures.head_dots import head_dots_figure
from cfs_explore.figures.histogram import score_histogram_figure
from cfs_explore.figures.image_features import image_features_figure
from cfs_explore.figures.image_map import image_map_figure
from cfs_explore.figures.image_scores import image_scores_figure
from cfs_explore.figures.lab_curves import pair_curve_figure, tap_curve_figure
from cfs_explore.figures.lab_dots import lab_dots_figure
from cfs_explore.figures.lab_histogram import delta_histogram_figure
from cfs_explore.figures.lab_scatter import pair_scatter_figure
from cfs_explore.figures.map_grid import decode_cell
from cfs_explore.figures.map_heatmap import auroc_map_figure
from cfs_explore.figures.pair_matrix import pair_matrix_figure
from cfs_explore.figures.predicted_measured import predicted_measured_figure
from cfs_explore.figures.proxy_dots import proxy_dots_figure
from cfs_explore.figures.proxy_scatter import proxy_scatter_figure
from cfs_explore.figures.reencoding import reencoding_figure
from cfs_explore.figures.regret_dots import regret_dots_figure
from cfs_explore.figures.regret_grid import regret_grid_figure
from cfs_explore.figures.roc import roc_figure
from cfs_explore.figures.score_scatter import score_scatter_figure
from cfs_explore.figures.seed_spread import seed_spread_figure
from cfs_explore.figures.set_gains import set_gains_figure
from cfs_explore.figures.small_multiples import small_multiples_figure
from cfs_explore.figures.tap_names import short_tap_name
from cfs_explore.figures.theme import format_estimate, template

__all__ = [
    "COLUMN_WIDTHS",
    "FORMATS",
    "NO_BROWSER",
    "PRINT_SCALE",
    "Colouring",
    "FigureDataError",
    "FigureExportError",
    "ablation_grid_figure",
    "alt_text",
    "auroc_map_figure",
    "channel_bars_figure",
    "control_dots_figure",
    "decode_cell",
    "delta_histogram_figure",
    "delta_parts_figure",
    "detector_dots_figure",
    "detectors_caption",
    "embedding_scatter_figure",
    "excess_alt",
    "excess_map_figure",
    "export_bytes",
    "format_estimate",
    "gain_curve_figure",
    "has_browser",
    "head_dots_figure",
    "histogram_caption",
    "image_features_figure",
    "image_map_figure",
    "image_scores_figure",
    "lab_dots_figure",
    "map_caption",
    "pair_curve_figure",
    "pair_matrix_figure",
    "pair_scatter_figure",
    "predicted_measured_figure",
    "proxy_dots_figure",
    "proxy_scatter_figure",
    "reencoding_figure",
    "regret_dots_figure",
    "regret_grid_figure",
    "roc_caption",
    "roc_figure",
    "score_histogram_figure",
    "score_scatter_figure",
    "seed_spread_figure",
    "set_gains_figure",
    "short_tap_name",
    "small_multiples_caption",
    "small_multiples_figure",
    "sparsity_figure",
    "tap_curve_figure",
    "tap_parts_figure",
    "template",
    "to_grey",
    "to_publication",
    "top_channels_figure",
]
