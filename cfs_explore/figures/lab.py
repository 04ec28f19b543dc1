"""The lab's figures: simulated scores of one tap (theory 10 to 13), and of an encoder and a decoder tap (5 to 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache

import numpy as np
import pandas as pd

from cfs_explore.charts import (
    delta_histogram_chart,
    histogram_caption,
    lab_dots_chart,
    pair_curve_chart,
    pair_scatter_chart,
    tap_curve_chart,
)
from cfs_explore.charts.lab_marks import COMBINATIONS
from cfs_explore.diagnostics import (
    SimulatedPair,
    SimulatedTap,
    TapSample,
    auroc,
    histogram,
    pair_curve,
    pair_detectors,
    sample_pair,
    sample_tap,
    tap_curve,
)
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure
from cfs_explore.figures.lab_settings import (
    IMAGES,
    PAIR_CURVE,
    PAIR_SETTINGS,
    SEED,
    TAP_ALONG,
    TAP_CURVE,
    TAP_SETTINGS,
    Setting,
    settings_text,
)
from cfs_explore.figures.needs import Kind
from cfs_explore.figures.options import Control, Value
from cfs_explore.store import Run
from cfs_explore.wording import format_value

#: Images of each kind that the scatter shows; more would hide each other.
_POINTS = 300
_SIZES = f"n = {IMAGES:,} ID, {IMAGES:,} OOD"


def in_hand(curve: Control, settings: Sequence[Setting], choices: Choices) -> Setting:
    """The setting that moves along a curve."""
    return next(setting for setting in settings if setting.field == curve.of(choices.options))


def drawn_tap(choices: Choices) -> tuple[SimulatedTap, TapSample, Mapping[str, float]]:
    """The tap that the sliders set, its simulated images, not to be written to, and its row of ``tap_curve``."""
    tap = SimulatedTap(**_values(TAP_SETTINGS, choices))
    return tap, *_draw_tap(tap, _seed(choices))


@lru_cache(maxsize=4)
def _draw_tap(tap: SimulatedTap, seed: int) -> tuple[TapSample, Mapping[str, float]]:
    """Kept for the last settings: several figures and the headline of a page need it."""
    row = tap_curve(tap, TAP_ALONG, [getattr(tap, TAP_ALONG)], IMAGES, seed).iloc[0]
    return sample_tap(tap, IMAGES, seed), row.to_dict()


def drawn_pair(choices: Choices) -> tuple[SimulatedPair, tuple[np.ndarray, np.ndarray]]:
    """The two taps that the sliders set, and the simulated scores, as of ``sample_pair``."""
    pair = SimulatedPair(**_values(PAIR_SETTINGS, choices))
    return pair, sample_pair(pair, IMAGES, _seed(choices))


def _values(settings: Sequence[Setting], choices: Choices) -> dict[str, Value]:
    return {setting.field: setting.read(setting.of(choices.options)) for setting in settings}


def _seed(choices: Choices) -> int:
    return SEED.number(choices.options)


def tap_scores(run: Run | None, choices: Choices, theme: str) -> Figure:
    """Histograms of one tap's scores, with their means."""
    id_scores, ood_scores = drawn_tap(choices)[1].scores
    bins = histogram(id_scores, ood_scores, bins=40)
    return Figure(
        delta_histogram_chart(bins, float(id_scores.mean()), float(ood_scores.mean()), theme),
        bins,
        histogram_caption(_SIZES, {"seed": _seed(choices)})[:-1] + "; vertical: means. Simulated images.",
        f"Histograms of the scores of {IMAGES:,} ID and {IMAGES:,} OOD images, with mean "
        f"{format_value(id_scores.mean())} and {format_value(ood_scores.mean())}.",
        "lab-scores",
    )


def tap_auroc(run: Run | None, choices: Choices, theme: str) -> Figure:
    """Bound, prediction and measurement on one axis."""
    (tap, sample, point), nan = drawn_tap(choices), float("nan")
    rows = [
        {"name": "At least (12)", "kind": "bound", "auroc": point["bound"], "lo": nan, "hi": nan},
        {"name": "Predicted (13)", "kind": "prediction", "auroc": point["prediction"], "lo": nan, "hi": nan},
        {"name": "Measured", "kind": "measured", **{key: point[key] for key in ("auroc", "lo", "hi")}},
    ]
    if tap.shift and tap.shifted < tap.channels:
        alone = auroc(*sample.subset(tap.shifted).scores)
        name = "Measured, shifted features alone"
        rows.append({"name": name, "kind": "measured", "auroc": alone.value, "lo": alone.lo, "hi": alone.hi})
    marks = pd.DataFrame(rows).assign(series="")
    return Figure(
        lab_dots_chart(marks, theme),
        marks.drop(columns="series").assign(n_id=IMAGES, n_ood=IMAGES),
        f"Bound and prediction from the exact moments; measured with 95 % CI, {_SIZES}; seed {_seed(choices)}.",
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows),
        "lab-auroc",
    )


def tap_along(run: Run | None, choices: Choices, theme: str) -> Figure:
    """AUROC while one setting of the tap moves."""
    (tap, _, _), along = drawn_tap(choices), in_hand(TAP_CURVE, TAP_SETTINGS, choices)
    curve = tap_curve(tap, along.field, list(along.values), IMAGES, _seed(choices))
    now = getattr(tap, along.field)
    return Figure(
        tap_curve_chart(curve, along.field, now, along.title, theme),
        curve,
        f"Vertical line: current setting ({along.values[now]}). Measured with 95 % CI, {_SIZES}, the "
        f"same random numbers at every point, seed {_seed(choices)}; "
        f"{settings_text(TAP_SETTINGS, asdict(tap), along.field)}.",
        f"AUROC, its prediction and its bound as {along.title} varies; now {along.values[now]}.",
        f"lab-auroc-{along.field}",
    )


def pair_scores(run: Run | None, choices: Choices, theme: str) -> Figure:
    """Two scores of each image."""
    pair, scores = drawn_pair(choices)
    images = pd.concat(
        pd.DataFrame({"kind": kind, "encoder": own[:_POINTS, 0], "decoder": own[:_POINTS, 1]})
        for kind, own in zip(("id", "ood"), scores, strict=True)
    )
    clouds = {
        "id": (np.zeros(2), pair.id_covariance),
        "ood": (pair.delta, pair.variance_ratio * pair.id_covariance),
    }
    weights = dict(zip(COMBINATIONS, pair.weights, strict=True))
    return Figure(
        pair_scatter_chart(images, clouds, {name: weights[name] for name in ("average", "best")}, theme),
        images,
        f"{_POINTS} of {IMAGES:,} simulated images of each kind, seed {_seed(choices)}; ellipses at 2 standard "
        "deviations; arrow: δ. Cuts: decision boundaries of the plain average and of the best weighting, halfway "
        "between the means.",
        "Decoder score against encoder score of simulated ID and OOD images, with the cuts of the plain "
        "average and of the best weighting.",
        "lab-two-scores",
    )


def pair_combinations(run: Run | None, choices: Choices, theme: str) -> Figure:
    """AUROC of each way to make one score of two, exact and measured."""
    pair, scores = drawn_pair(choices)
    rows = []
    for row in pair_detectors(pair, *scores).to_dict("records"):
        name = COMBINATIONS[row["combination"]][0]
        if row["combination"] == "best":
            name += f" ({format_value(row['weight_e'], 2)} e + {format_value(row['weight_d'], 2)} d)".replace(
                "+ −", "− "
            )
        known = {"name": name, "series": row["combination"], "lo": float("nan"), "hi": float("nan")}
        rows.append({**known, "kind": "exact", "auroc": row["exact"]})
        rows.append({**known, "kind": "measured", **{key: row[key] for key in ("auroc", "lo", "hi")}})
    marks = pd.DataFrame(rows)
    return Figure(
        lab_dots_chart(marks, theme),
        marks.assign(n_id=IMAGES, n_ood=IMAGES),
        f"Open diamonds: exact for these normal scores (13). Dots: measured, 95 % CI, {_SIZES}; seed {_seed(choices)}.",
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows if row["kind"] == "measured"),
        "lab-combinations",
    )


def pair_along(run: Run | None, choices: Choices, theme: str) -> Figure:
    """AUROC of each combination while one setting of the pair moves."""
    (pair, _), along = drawn_pair(choices), in_hand(PAIR_CURVE, PAIR_SETTINGS, choices)
    curve = pair_curve(pair, along.field, list(along.values))
    now = getattr(pair, along.field)
    return Figure(
        pair_curve_chart(curve, along.field, now, along.title, theme),
        curve,
        f"Vertical line: current setting ({along.values[now]}). Exact for normal scores. Shaded: the plain average "
        f"is worse than the better tap alone; {settings_text(PAIR_SETTINGS, asdict(pair), along.field)}.",
        f"AUROC of encoder, decoder, plain average and best weighting as {along.title} varies; "
        f"now {along.values[now]}.",
        f"lab-combinations-{along.field}",
    )


_OF_TAP, _OF_PAIR = ((*settings, SEED) for settings in (TAP_SETTINGS, PAIR_SETTINGS))
KINDS = {
    "lab-scores": Kind("Simulated scores of one tap", tap_scores, options=_OF_TAP),
    "lab-auroc": Kind("AUROC of simulated scores: bound, predicted, measured", tap_auroc, options=_OF_TAP),
    "lab-curve": Kind("AUROC of one simulated tap as one setting varies", tap_along, options=(*_OF_TAP, TAP_CURVE)),
    "lab-two-scores": Kind("Simulated scores of two taps", pair_scores, options=_OF_PAIR),
    "lab-combinations": Kind("AUROC of each way to combine two scores", pair_combinations, options=_OF_PAIR),
    "lab-two-curve": Kind(
        "AUROC of each way to combine two scores as one setting varies", pair_along, options=(*_OF_PAIR, PAIR_CURVE)
    ),
}
