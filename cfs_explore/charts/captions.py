"""Words that go with the figures: one-line captions, and descriptions for those who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cfs_explore.charts.errors import FigureDataError
from cfs_explore.charts.map_grid import MapGrid, map_grid
from cfs_explore.charts.metric_style import metric_style
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.wording import format_estimate, format_value

#: Metrics whose tables have limits (theory 27).
_WITH_LIMITS = ("auroc", "aupr", "fpr95")


def map_caption(
    frame: pd.DataFrame,
    metric: str = "auroc",
    ood: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> str:
    """Caption of ``auroc_map_chart``; ``settings`` (e.g. {'backbone': ...}) follow in order."""
    style = metric_style(metric)
    grid = map_grid(frame, metric)
    parts = [
        f"{style.label} at {len(grid.taps):,} taps × {len(grid.lams):,} noise levels"
        f" (λ from {format_value(grid.lams[0], 1)} to {format_value(grid.lams[-1], 1)})",
        f"OOD: {ood}" if ood else "",
        sample_sizes(frame),
        _draws(frame),
        "95 % CI" if metric in _WITH_LIMITS else "",
        f"chance is {format_value(style.neutral(frame), 2)}",
    ]
    return _sentence(parts, settings)


def small_multiples_caption(
    frames: Mapping[str, pd.DataFrame], metric: str = "auroc", settings: Mapping[str, object] | None = None
) -> str:
    """Caption of ``small_multiples_chart``; the text under each name is the caller's."""
    parts = [
        f"{metric_style(metric).label} maps of {len(frames):,} OOD sets on one colour scale",
        "columns: taps in order of execution, rows: noise levels from clean (top) to noisy",
        "; ".join(f"{name}: {sample_sizes(frame)}" for name, frame in frames.items()),
    ]
    return _sentence(parts, settings)


def roc_caption(sizes: str, settings: Mapping[str, object] | None = None) -> str:
    """Caption of ``roc_chart``; ``sizes`` of ``sample_sizes``."""
    parts = [
        "ROC, OOD positive, with AUROC",
        "95 % CI",
        sizes,
        "dotted: chance, and the 95 % recall at which FPR95 is read",
    ]
    return _sentence(parts, settings)


def histogram_caption(sizes: str, settings: Mapping[str, object] | None = None) -> str:
    """Caption of ``score_histogram_chart``; ``sizes`` of ``sample_sizes``."""
    return _sentence(["Scores of ID (solid) and OOD (dashed) images", sizes], settings)


def detectors_caption(sizes: str, settings: Mapping[str, object] | None = None) -> str:
    """Caption of ``detector_dots_chart``; ``sizes`` of ``sample_sizes``."""
    parts = [
        "AUROC of each detector",
        "95 % CI",
        sizes,
        "#F = backbone forwards per image (in brackets: effective, as a forward stops after the last tap)",
    ]
    return _sentence(parts, settings)


def sample_sizes(frame: pd.DataFrame) -> str:
    """'n = 500 ID, 400 OOD', or the range when cells differ; with the number of groups where a table has it."""
    parts = [set_size(frame, side, side.upper()) for side in ("id", "ood")]
    shared = frame.get("shared_groups")
    both = f" ({_range(shared)} groups with both)" if shared is not None and (shared > 0).any() else ""
    return f"n = {', '.join(parts)}{both}"


def set_size(frame: pd.DataFrame, side: str, name: str) -> str:
    """'400 OOD of 30 groups', of the columns n_ood and ood_groups: the images of a side, called ``name``."""
    images, groups = frame[f"n_{side}"], frame.get(f"{side}_groups")
    grouped = groups is not None and (groups < images).any()
    return f"{_range(images)} {name}" + (f" of {_range(groups)} groups" if grouped else "")


def alt_text(frame: pd.DataFrame, metric: str = "auroc") -> str:
    """What the map shows, in words: size, range, best cell, and where the signal lies."""
    style = metric_style(metric)
    grid = map_grid(frame, metric)
    cells = grid.cells.dropna(subset=[metric])
    if cells.empty:
        raise FigureDataError(f"The map has no measured {style.label}: there is nothing to describe.")
    best = cells.loc[cells[metric].idxmax() if style.higher_is_better else cells[metric].idxmin()]
    estimate = format_estimate(best[metric], best.get(f"{metric}_lo"), best.get(f"{metric}_hi"))
    low, high = format_value(cells[metric].min()), format_value(cells[metric].max())
    sentences = [
        f"Map of {style.label} over {len(grid.taps):,} taps in order of execution, {len(grid.lams)} levels.",
        f"Values run from {low} to {high}; chance is {format_value(style.neutral(frame), 2)}.",
        f"The best cell is {short_tap_name(best['tap'])} ({best['region']}) at log-SNR"
        f" {format_value(best['lam'], 1)} with {estimate}.",
        _trend(grid, metric),
    ]
    return " ".join(filter(None, sentences))


def _trend(grid: MapGrid, metric: str) -> str:
    """Medians of encoder and decoder, and of the cleaner and noisier half of the levels."""
    sentences = []
    by_region = grid.cells.groupby("region")[metric].median()
    if {"encoder", "decoder"} <= set(by_region.index):
        encoder, decoder = format_value(by_region["encoder"]), format_value(by_region["decoder"])
        sentences.append(f"The median is {encoder} in the encoder and {decoder} in the decoder")
    half = len(grid.lams) // 2
    if half:
        clean = format_value(float(pd.Series(grid.values[:half].ravel()).median()))
        noisy = format_value(float(pd.Series(grid.values[half:].ravel()).median()))
        sentences.append(f"{clean} in the cleaner half of the levels and {noisy} in the noisier half")
    return ("; ".join(sentences) + ".") if sentences else ""


def _range(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())  # missing ones do not count
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _draws(frame: pd.DataFrame) -> str:
    if "draws" not in frame:
        return ""
    draws = _range(frame["draws"])
    return f"{draws} noise draw" if draws == "1" else f"{draws} noise draws"


def _sentence(parts: list[str], settings: Mapping[str, object] | None) -> str:
    set_to = [f"{name} {value}" for name, value in (settings or {}).items()]
    return "; ".join(part for part in (*parts, *set_to) if part) + "."
