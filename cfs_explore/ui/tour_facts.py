"""The numbers that the tour states, read from the exploration's tables and scores; a step names those that it needs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.diagnostics import SimulatedPair, alarm, false_alarms, pair_curve
from cfs_explore.figures.choices import choose, default_cells
from cfs_explore.figures.detector import cell_label, detector_of
from cfs_explore.figures.image import IMAGE, profile
from cfs_explore.figures.images import TAPS
from cfs_explore.figures.lab_settings import PAIR_SETTINGS
from cfs_explore.figures.places import LEVEL
from cfs_explore.figures.probe import typical
from cfs_explore.headlines.probe import format_lam, format_score
from cfs_explore.headlines.triage import alarms_text
from cfs_explore.probe.levels import probe_lams
from cfs_explore.store import Run
from cfs_explore.store.cell_names import cell_names
from cfs_explore.ui import data, images_points, lab_pair
from cfs_explore.wording import format_estimate, format_value

#: The OOD set that the tour follows, and the one that anything tells apart.
LETTERS, EASY = "letters", "inverted"
#: Log-SNR at which much noise is shown.
_NOISY = -1.0
#: Of the triage step: false-alarm rates in percent.
RATES = (5.0, 1.0)


def on_map(run: Run) -> dict[str, str]:
    """The strongest cell for the letters, and what the noisiest level gives."""
    best = int(_row(run, "best_cell", ood=LETTERS)["cell_index"])
    frame = run.auroc_map(LETTERS)
    row, lams = frame.iloc[best], [level.lam for level in run.levels]
    noisiest = int(np.argmin(lams))
    return {
        "start_cell": cell_names(run)[default_cells(run)[-1]],
        "cell": cell_label(run, best),
        "best_cell": cell_names(run)[best],
        "pairs_range": "more than 90" if row["auroc"] > 0.9 else "about 75" if row["auroc"] > 0.62 else "about 50",
        "auroc": format_estimate(row["auroc"], row["auroc_lo"], row["auroc_hi"]),
        "pairs": f"{100 * row['auroc']:.0f}",
        "noisiest": _lam(lams[noisiest]),
        "noisiest_auroc": format_value(frame.loc[frame["level"] == noisiest, "auroc"].max(), 2),
    }


def on_noise(run: Run) -> dict[str, str]:
    """What the network gets at the tour's level and at a noisy one, and two typical images to look at."""
    index = run.manifest.kept["level"]
    level = run.levels[index]
    noisy = min(run.levels, key=lambda each: abs(each.lam - _NOISY))
    names = {each: name for name, each in probe_lams(run.manifest.backbone.reach, run.levels).items() if each}
    encoder, decoder = run.manifest.presets["sparse_ed"]
    tap = [each.name for each in run.taps].index(decoder)
    which = {"digit": ("id_test", None), "letter": ("ood", LETTERS)}
    places = {key: run.derived(typical, *each, index, tap) for key, each in which.items()}
    scores = {key: run.scores(*each)[places[key], 0, index, tap] for key, each in which.items()}
    return {
        "lam": f"{names[level]:g}",
        "a": format_value(level.a),
        "b": format_value(level.b),
        "noisy": format_lam(names[noisy]),
        "noisy_told": f"{names[noisy]:g}",
        "heavier": "the noise" if noisy.b > noisy.a else "the image",
        "noisy_a": format_value(noisy.a),
        "noisy_b": format_value(noisy.b),
        "encoder": encoder,
        "decoder": decoder,
        "decoder_label": short_tap_name(decoder),
        "channels": str(run.taps[tap].channels),
        "features": str(2 * run.taps[tap].channels),
        "digit": str(places["digit"]),
        "letter": str(places["letter"]),
        "higher": max(scores, key=scores.get),
        "digit_score": format_score(float(scores["digit"])),
        "letter_score": format_score(float(scores["letter"])),
    }


def on_images(run: Run) -> dict[str, str]:
    """How the letters lie among the digits in snapshot space."""
    taps = tuple(run.manifest.presets["sparse_ed"])
    mixing = images_points.mixed(run, taps, LETTERS)
    return {
        "sets": str(run.ood_names.index(LETTERS)),
        "taps": TAPS.write(TAPS.opening(run), run),
        "share": f"{100 * mixing.share:.1f} %",
        "chance": f"{100 * mixing.chance:.0f} %",
        "features": str(images_points.width(run, taps)),
    }


def on_separation(run: Run) -> dict[str, str]:
    """Why the published decoder cell separates, and what its diagonal head gives away."""
    index = run.manifest.kept["level"]
    tap = run.manifest.presets["sparse_ed"][1]
    cell = run.cell_number(index, tap)
    row = _row(run, "separation", ood=LETTERS, tap=tap, level=index)
    heads = {
        head: _row(run, "cell_heads", ood=LETTERS, tap=tap, level=index, head=head)["auroc"] for head in ("diag", "knn")
    }
    return {
        "cell": cell_names(run)[cell],
        "delta": format_value(row["delta"], 2),
        "larger": "shifted means" if row["mean_shift"] > row["variance_change"] else "larger variances",
        "shift": format_value(row["mean_shift"], 2),
        "variance": format_value(row["variance_change"], 2),
        "diagonal": format_value(heads["diag"]),
        "knn": format_value(heads["knn"]),
    }


def on_complementarity(run: Run) -> dict[str, str]:
    """The published pair: each alone, averaged, and the decoder given the encoder."""
    index = run.manifest.kept["level"]
    encoder, decoder = run.manifest.presets["sparse_ed"]
    row = _row(run, "complementarity", ood=LETTERS, level=index, preset="sparse_ed", scale="ln s")
    return {
        "level": LEVEL.write(index, run),
        "first": encoder,
        "second": decoder,
        "encoder": format_value(row["auroc_e"]),
        "decoder": format_value(row["auroc_d"]),
        "average": format_value(row["auroc_avg"]),
        "pays": "yes" if row["auroc_avg"] > max(row["auroc_e"], row["auroc_d"]) else "no",
        "adjusted": format_value(row["adjusted_d"]),
        "caught": str(int(row["caught_decoder"])),
    }


def on_lab(run: Run) -> dict[str, str]:
    """Where the average begins to beat the encoder in the lab's preset; of the formulas, not of the exploration."""
    preset = next(each for each in lab_pair.PRESETS if each.label == "Averaging hurts")
    pair = SimulatedPair(**{each.field: preset.values.get(each.field, each.default) for each in PAIR_SETTINGS})
    shift = next(each for each in PAIR_SETTINGS if each.field == "shift_d")
    curve = pair_curve(pair, "shift_d", list(shift.values))
    pays = curve[curve["auroc_average"] > curve["auroc_encoder"]]
    return {
        "start": shift.write(pair.shift_d),
        "pays": shift.write(pays["shift_d"].min()),
        "encoder_shift": f"{pair.shift_e:g}",
        "correlation": format_value(pair.correlation, 1),
    }


def on_stability(run: Run) -> dict[str, str]:
    """What noise leaves of the published decoder tap, and where its AUROC is highest."""
    index = run.manifest.kept["level"]
    tap = run.manifest.presets["sparse_ed"][1]
    noisy = min(range(len(run.levels)), key=lambda k: abs(run.levels[k].lam - _NOISY))
    icc = {k: _row(run, "stability", role="id_test", tap=tap, level=k)["icc_features"] for k in (index, noisy)}
    frame = run.auroc_map(LETTERS)
    curve = frame[frame["tap"] == tap].set_index("level")["auroc"]
    peak = run.levels[curve.idxmax()].lam
    ends = {max(level.lam for level in run.levels): "the least", min(level.lam for level in run.levels): "the most"}
    return {
        "tap": tap,
        "name": short_tap_name(tap),
        "lam": _lam(run.levels[index].lam),
        "icc": f"{100 * icc[index]:.0f} %",
        "noisy": _lam(run.levels[noisy].lam),
        "noisy_icc": f"{100 * icc[noisy]:.0f} %",
        "where": ends.get(peak, "in between"),
        "peak": _lam(peak),
        "peak_auroc": format_value(curve.max()),
        "auroc": format_value(curve[index]),
    }


def on_controls(run: Run) -> dict[str, str]:
    """A set that needs no trained network, beside the letters; one noise draw on both sides, as the page shows."""
    easy = {
        control: _row(run, "best_excess", ood=EASY, control=control, draws=1)
        for control in ("untrained", "best statistic")
    }
    letters = _row(run, "best_excess", ood=LETTERS, control="untrained", draws=1)
    return {
        "letters": LETTERS,
        "easy": _as_well(easy["untrained"]),
        "easy_trained": format_value(easy["untrained"]["trained"]),
        "easy_untrained": format_value(easy["untrained"]["auroc"]),
        "easy_statistic": format_value(easy["best statistic"]["auroc"]),
        "trained": format_value(letters["trained"]),
        "untrained": format_value(letters["auroc"]),
        "excess": format_estimate(letters["excess"], letters["lo"], letters["hi"]),
    }


def on_triage(run: Run) -> dict[str, str]:
    """What the published pair flags at two rates."""
    id_scores, scores = _published(run, "id_test", None), _published(run, "ood", LETTERS)
    rules = [alarm(id_scores, rate / 100) for rate in RATES]
    many, few = (int((scores > rule.threshold).sum()) for rule in rules)
    return {
        "rate": f"{RATES[0]:g}",
        "low_rate": f"{RATES[1]:g}",
        "share": _share(many / len(scores)),
        "many": str(many),
        "few": str(few),
        "of": str(len(scores)),
        "expected": alarms_text(*false_alarms(len(scores), rules[0])),
    }


def on_image(run: Run) -> dict[str, str]:
    """The letter that the published pair scores highest."""
    place = int(np.argmax(_published(run, "ood", LETTERS)))
    image_id = str(data.images(run, "ood", LETTERS)["image_id"].iloc[place])
    view = choose(run, ood=LETTERS, options={IMAGE.name: image_id})
    found = profile(run, view).exceedance
    return {
        "image": image_id,
        "cell": cell_names(run)[view.cell],
        "count": str(found.count),
        "cells": str(found.cells),
        "p": format_value(found.p_value),
        "n": str(run.id_test.count),
    }


def _as_well(row: pd.Series) -> str:
    """How well a control does beside the trained network."""
    if row["lo"] <= 0:
        return "as well as the trained one"
    return "less well" if row["auroc"] > 0.6 else "not at all"


def _share(share: float) -> str:
    return "less than a third" if share < 1 / 3 else "more than two thirds" if share > 2 / 3 else "about half"


def _published(run: Run, role: str, name: str | None) -> np.ndarray:
    """Scores of a set by CFS(1x2), (n,)."""
    return detector_of(run, default_cells(run)).scores(run, role, name)


def _row(run: Run, table: str, **where: object) -> pd.Series:
    """The first row with these values."""
    frame = run.table(table)
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.iloc[0]


def _lam(value: float) -> str:
    return format_value(value, 1)
