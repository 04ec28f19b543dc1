"""What the lab says in one sentence about the settings that its sliders stand at."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cfs_explore.wording import format_digits, format_estimate, format_value, percent

#: Distances of averages that differ by less are the same but for rounding.
_ROUNDING = 1e-9


def one_tap_headline(moments: Mapping, point: Mapping) -> str:
    """Markdown: where Delta comes from, how wide the score spreads, and what AUROC follows.

    Args:
        moments: exact delta, mean_shift, variance_change, effective_dimension.
        point: bound, prediction, and measured auroc, lo, hi.
    """
    measured = format_estimate(point["auroc"], point["lo"], point["hi"])
    delta, d_eff = moments["delta"], moments["effective_dimension"]
    spread = f"the score fluctuates like that of **{format_digits(d_eff)}** independent feature{'s' * (d_eff >= 1.005)}"
    if abs(delta) < _ROUNDING:
        text = f"ID and OOD have the same mean score (Δ = 0); {spread}. AUROC is {measured}"
        return f"{text}: {_against_chance(point)}."
    direction = "higher" if delta > 0 else "**lower**"
    text = f"OOD images score {format_value(abs(delta))} {direction} on average{_origin(moments)}, and {spread}"
    if delta < 0:
        return f"{text}: AUROC {measured}, {_against_chance(point)}. The bound does not apply when Δ is negative."
    outcome = f"AUROC is **{measured}**, predicted {format_value(point['prediction'])}"
    if point["lo"] <= 0.5 <= point["hi"]:
        outcome += ", not distinguishable from chance in this sample"
    return f"{text}: {outcome}; the bound, which holds for any distributions, is {format_value(point['bound'])}."


def _origin(moments: Mapping) -> str:
    """Which part of (10) Delta comes from."""
    shift, change = moments["mean_shift"], moments["variance_change"]
    if abs(change) < _ROUNDING:
        return ", all of it from the **mean shift**"
    if abs(shift) < _ROUNDING:
        return ", all of it from the **variance change**"
    if (shift > 0) != (change > 0):
        return f" (mean shift {format_value(shift)}, variance change {format_value(change)})"
    return f" ({percent(shift / (shift + change))} from the mean shift, the rest from the variance change)"


def _against_chance(point: Mapping) -> str:
    if point["lo"] <= 0.5 <= point["hi"]:
        return "not distinguishable from chance in this sample"
    return "above chance nevertheless" if point["lo"] > 0.5 else "below chance"


def two_taps_headline(exact: Mapping, detectors: Mapping[str, Mapping], difference: Mapping) -> str:
    """Markdown: whether averaging the two taps pays, and how much of what is there it realises.

    Args:
        exact: d2, d2_avg, hurts, alone (the better tap's AUROC), auroc_average.
        detectors: encoder, decoder, average, best -> measured auroc, lo, hi.
        difference: measured AUROC of the average minus that of the better tap: name of the tap, value, lo, hi.
    """
    if exact["d2"] < _ROUNDING:
        return "Neither tap carries a signal in its mean: every weighting has an AUROC of 0.5."
    average, best, alone = (
        format_estimate(*(detectors[name][key] for key in ("auroc", "lo", "hi")))
        for name in ("average", "best", difference["name"])
    )
    change = format_estimate(difference["value"], difference["lo"], difference["hi"])
    realised = f"the average realises **{percent(exact['d2_avg'] / exact['d2'])}** of the separability D²"
    same = math.isclose(exact["auroc_average"], exact["alone"], abs_tol=1e-6)
    tap = difference["name"]
    if same:
        return f"Averaging changes nothing: AUROC {average} against {alone} for the {tap} alone; {realised}."
    verb = "hurts" if exact["hurts"] else "helps"
    text = f"Averaging **{verb}**: AUROC {average} against {alone} for the {tap} alone (difference {change}"
    if difference["lo"] <= 0 <= difference["hi"]:
        text += ", too small for this sample to show"
    return f"{text}); {realised}, and the best weighting reaches {best}."
