"""The lab's plates: simulated scores of one tap (theory 10 to 13), and of an encoder and a decoder tap (5 to 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

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
from cfs_explore.figures import (
    delta_histogram_figure,
    histogram_caption,
    lab_dots_figure,
    pair_curve_figure,
    pair_scatter_figure,
    tap_curve_figure,
)
from cfs_explore.figures.lab_marks import COMBINATIONS
from cfs_explore.figures.theme import format_value
from cfs_explore.plates.choices import Choices
from cfs_explore.plates.lab_settings import (
    IMAGES,
    PAIR_ALONG,
    PAIR_SETTINGS,
    TAP_ALONG,
    TAP_SETTINGS,
    Setting,
    told,
)
from cfs_explore.plates.needs import Kind
from cfs_explore.plates.plate import Plate
from cfs_explore.store import Run

#: Images of each kind that the scatter shows; more would hide each other.
_POINTS = 300


def tap_scores(sample: TapSample, seed: int, theme: str = "light") -> Plate:
    """Histograms of one tap's scores, with their means."""
    id_scores, ood_scores = sample.scores
    bins = histogram(id_scores, ood_scores, bins=40)
    return Plate(
        delta_histogram_figure(bins, float(id_scores.mean()), float(ood_scores.mean()), theme),
        bins,
        histogram_caption(IMAGES, IMAGES, {"seed": seed})[:-1] + "; vertical: means. Simulated images.",
        f"Histograms of the scores of {IMAGES} ID and {IMAGES} OOD images, with mean {id_scores.mean():.3f} "
        f"and {ood_scores.mean():.3f}.",
        "lab-scores",
    )


def tap_auroc(tap: SimulatedTap, sample: TapSample, point: Mapping, seed: int, theme: str = "light") -> Plate:
    """Bound, prediction and measurement on one axis; ``point`` is the row of ``tap_curve`` at these settings."""
    nan = float("nan")
    rows = [
        {"name": "At least (12)", "kind": "bound", "auroc": point["bound"], "lo": nan, "hi": nan},
        {"name": "Predicted (13)", "kind": "prediction", "auroc": point["prediction"], "lo": nan, "hi": nan},
        {"name": "Measured", "kind": "measured", **{key: point[key] for key in ("auroc", "lo", "hi")}},
    ]
    if tap.shift and tap.shifted < tap.channels:
        alone = auroc(*sample.subset(tap.shifted).scores)
        name = "Measured, the shifted features alone"
        rows.append({"name": name, "kind": "measured", "auroc": alone.value, "lo": alone.lo, "hi": alone.hi})
    marks = pd.DataFrame(rows).assign(series="")
    return Plate(
        lab_dots_figure(marks, theme),
        marks.drop(columns="series").assign(n_id=IMAGES, n_ood=IMAGES),
        f"Bound and prediction from the exact moments; measured with DeLong 95 % CI, n = {IMAGES:,} ID, "
        f"{IMAGES:,} OOD; seed {seed}.",
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows),
        "lab-auroc",
    )


def tap_along(tap: SimulatedTap, curve: pd.DataFrame, along: Setting, seed: int, theme: str = "light") -> Plate:
    """AUROC while one setting of the tap moves; ``curve`` is of ``tap_curve``."""
    now = getattr(tap, along.name)
    return Plate(
        tap_curve_figure(curve, along.name, now, along.label, theme),
        curve,
        f"Vertical line: the slider ({along.write(now)}). Measured with DeLong 95 % CI, n = {IMAGES:,} ID, "
        f"{IMAGES:,} OOD, the same random numbers at every point, seed {seed}; "
        f"{told(TAP_SETTINGS, asdict(tap), along.name)}.",
        f"AUROC, its prediction and its bound while {along.label} moves; now {along.write(now)}.",
        f"lab-auroc-{along.name}",
    )


def pair_scores(pair: SimulatedPair, scores: tuple[np.ndarray, np.ndarray], seed: int, theme: str = "light") -> Plate:
    """Two scores of each image; ``scores`` are of ``sample_pair``."""
    images = pd.concat(
        [
            pd.DataFrame({"kind": kind, "encoder": own[:_POINTS, 0], "decoder": own[:_POINTS, 1]})
            for kind, own in zip(("id", "ood"), scores, strict=True)
        ]
    )
    clouds = {
        "id": (np.zeros(2), pair.id_covariance),
        "ood": (pair.delta, pair.variance_ratio * pair.id_covariance),
    }
    weights = dict(zip(COMBINATIONS, pair.weights, strict=True))
    return Plate(
        pair_scatter_figure(images, clouds, {name: weights[name] for name in ("average", "best")}, theme),
        images,
        f"{_POINTS} of {IMAGES:,} simulated images of each kind, seed {seed}; ellipses at 2 standard "
        "deviations; arrow: δ. Cuts: where the plain average and the best weighting part the classes.",
        "Decoder score against encoder score of simulated ID and OOD images, with the cuts of the plain "
        "average and of the best weighting.",
        "lab-two-scores",
    )


def pair_combinations(detectors: pd.DataFrame, seed: int, theme: str = "light") -> Plate:
    """AUROC of each way to make one score of two, exact and measured; ``detectors`` are of ``pair_detectors``."""
    rows = []
    for row in detectors.to_dict("records"):
        name = COMBINATIONS[row["combination"]][0]
        if row["combination"] == "best":
            name += f" ({format_value(row['weight_e'], 2)} e + {format_value(row['weight_d'], 2)} d)".replace(
                "+ −", "− "
            )
        known = {"name": name, "series": row["combination"], "lo": float("nan"), "hi": float("nan")}
        rows.append({**known, "kind": "exact", "auroc": row["exact"]})
        rows.append({**known, "kind": "measured", **{key: row[key] for key in ("auroc", "lo", "hi")}})
    marks = pd.DataFrame(rows)
    return Plate(
        lab_dots_figure(marks, theme),
        marks.assign(n_id=IMAGES, n_ood=IMAGES),
        "Open diamonds: exact for these normal scores (13). Dots: measured, DeLong 95 % CI, "
        f"n = {IMAGES:,} ID, {IMAGES:,} OOD; seed {seed}.",
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows if row["kind"] == "measured"),
        "lab-combinations",
    )


def pair_along(pair: SimulatedPair, curve: pd.DataFrame, along: Setting, theme: str = "light") -> Plate:
    """AUROC of each combination while one setting of the pair moves; ``curve`` is of ``pair_curve``."""
    now = getattr(pair, along.name)
    return Plate(
        pair_curve_figure(curve, along.name, now, along.label, theme),
        curve,
        f"Vertical line: the slider ({along.write(now)}). Exact for normal scores. Shaded: the plain average "
        f"is worse than the better tap alone; {told(PAIR_SETTINGS, asdict(pair), along.name)}.",
        f"AUROC of encoder, decoder, plain average and best weighting while {along.label} moves; "
        f"now {along.write(now)}.",
        f"lab-combinations-{along.name}",
    )


#: Seed and settings that the page opens with.
_SEED = 0
_TAP = SimulatedTap(**{setting.name: setting.default for setting in TAP_SETTINGS})
_PAIR = SimulatedPair(**{setting.name: setting.default for setting in PAIR_SETTINGS})
_TAP_ALONG = next(setting for setting in TAP_SETTINGS if setting.name == TAP_ALONG)
_PAIR_ALONG = next(setting for setting in PAIR_SETTINGS if setting.name == PAIR_ALONG)


def _tap_curve() -> pd.DataFrame:
    return tap_curve(_TAP, TAP_ALONG, _TAP_ALONG.options, IMAGES, _SEED)


def _tap_scores(run: Run, choices: Choices, theme: str) -> Plate:
    return tap_scores(sample_tap(_TAP, IMAGES, _SEED), _SEED, theme)


def _tap_auroc(run: Run, choices: Choices, theme: str) -> Plate:
    curve = _tap_curve()
    point = curve[curve[TAP_ALONG] == getattr(_TAP, TAP_ALONG)].iloc[0].to_dict()
    return tap_auroc(_TAP, sample_tap(_TAP, IMAGES, _SEED), point, _SEED, theme)


def _tap_along(run: Run, choices: Choices, theme: str) -> Plate:
    return tap_along(_TAP, _tap_curve(), _TAP_ALONG, _SEED, theme)


def _pair_scores(run: Run, choices: Choices, theme: str) -> Plate:
    return pair_scores(_PAIR, sample_pair(_PAIR, IMAGES, _SEED), _SEED, theme)


def _pair_combinations(run: Run, choices: Choices, theme: str) -> Plate:
    return pair_combinations(pair_detectors(_PAIR, *sample_pair(_PAIR, IMAGES, _SEED)), _SEED, theme)


def _pair_along(run: Run, choices: Choices, theme: str) -> Plate:
    return pair_along(_PAIR, pair_curve(_PAIR, PAIR_ALONG, _PAIR_ALONG.options), _PAIR_ALONG, theme)


KINDS = {
    "lab-scores": Kind("Simulated scores of one tap", _tap_scores),
    "lab-auroc": Kind("AUROC of simulated scores: bound, predicted, measured", _tap_auroc),
    "lab-curve": Kind("AUROC of one simulated tap as its mean shift moves", _tap_along),
    "lab-two-scores": Kind("Simulated scores of two taps", _pair_scores),
    "lab-combinations": Kind("AUROC of each way to make one score of two", _pair_combinations),
    "lab-two-curve": Kind("AUROC of each way to make one score of two as the correlation moves", _pair_along),
}
