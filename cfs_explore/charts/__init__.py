"""Charts: a tidy DataFrame in, a plotly Figure with the project's own template out.

One chart per file (``map_heatmap``, ``small_multiples``, ``roc``, ``histogram``, ``detectors``); ``theme``
and ``colour_scale`` hold the look, ``marks``, ``rows``, ``cell_scatter``, ``number_grid`` and ``noise_lines`` the
parts that charts share; ``export`` makes files for print, ``captions`` the words. No torch, no streamlit.
"""

from cfs_explore.charts.ablation_grid import ablation_grid_chart
from cfs_explore.charts.browser import NO_BROWSER, has_browser
from cfs_explore.charts.captions import (
    alt_text,
    detectors_caption,
    histogram_caption,
    map_caption,
    roc_caption,
    small_multiples_caption,
)
from cfs_explore.charts.channel_bars import channel_bars_chart
from cfs_explore.charts.channel_sparsity import sparsity_chart, top_channels_chart
from cfs_explore.charts.control_dots import control_dots_chart
from cfs_explore.charts.delta_parts import delta_parts_chart, tap_parts_chart
from cfs_explore.charts.detectors import detector_dots_chart
from cfs_explore.charts.embedding_scatter import Colouring, embedding_scatter_chart
from cfs_explore.charts.errors import FigureDataError, FigureExportError
from cfs_explore.charts.excess_map import excess_alt, excess_map_chart
from cfs_explore.charts.export import COLUMN_WIDTHS, PRINT_SCALE, export_bytes, to_publication
from cfs_explore.charts.gain_curve import gain_curve_chart
from cfs_explore.charts.grey import to_grey
from cfs_explore.charts.head_dots import head_dots_chart
from cfs_explore.charts.histogram import score_histogram_chart
from cfs_explore.charts.image_features import image_features_chart
from cfs_explore.charts.image_map import image_map_chart
from cfs_explore.charts.image_scores import image_scores_chart
from cfs_explore.charts.lab_curves import pair_curve_chart, tap_curve_chart
from cfs_explore.charts.lab_dots import lab_dots_chart
from cfs_explore.charts.lab_histogram import delta_histogram_chart
from cfs_explore.charts.lab_scatter import pair_scatter_chart
from cfs_explore.charts.map_heatmap import auroc_map_chart
from cfs_explore.charts.pair_matrix import pair_matrix_chart
from cfs_explore.charts.predicted_measured import predicted_measured_chart
from cfs_explore.charts.proxy_dots import proxy_dots_chart
from cfs_explore.charts.proxy_scatter import proxy_scatter_chart
from cfs_explore.charts.reencoding import reencoding_chart
from cfs_explore.charts.regret_dots import regret_dots_chart
from cfs_explore.charts.regret_grid import regret_grid_chart
from cfs_explore.charts.roc import roc_chart
from cfs_explore.charts.score_scatter import score_scatter_chart
from cfs_explore.charts.seed_spread import seed_spread_chart
from cfs_explore.charts.set_gains import set_gains_chart
from cfs_explore.charts.small_multiples import small_multiples_chart
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import template

__all__ = [
    "COLUMN_WIDTHS",
    "NO_BROWSER",
    "PRINT_SCALE",
    "Colouring",
    "FigureDataError",
    "FigureExportError",
    "ablation_grid_chart",
    "alt_text",
    "auroc_map_chart",
    "channel_bars_chart",
    "control_dots_chart",
    "delta_histogram_chart",
    "delta_parts_chart",
    "detector_dots_chart",
    "detectors_caption",
    "embedding_scatter_chart",
    "excess_alt",
    "excess_map_chart",
    "export_bytes",
    "gain_curve_chart",
    "has_browser",
    "head_dots_chart",
    "histogram_caption",
    "image_features_chart",
    "image_map_chart",
    "image_scores_chart",
    "lab_dots_chart",
    "map_caption",
    "pair_curve_chart",
    "pair_matrix_chart",
    "pair_scatter_chart",
    "predicted_measured_chart",
    "proxy_dots_chart",
    "proxy_scatter_chart",
    "reencoding_chart",
    "regret_dots_chart",
    "regret_grid_chart",
    "roc_caption",
    "roc_chart",
    "score_histogram_chart",
    "score_scatter_chart",
    "seed_spread_chart",
    "set_gains_chart",
    "short_tap_name",
    "small_multiples_caption",
    "small_multiples_chart",
    "sparsity_chart",
    "tap_curve_chart",
    "tap_parts_chart",
    "template",
    "to_grey",
    "to_publication",
    "top_channels_chart",
]
