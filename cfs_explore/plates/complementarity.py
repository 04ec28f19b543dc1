"""The complementarity page's plates: two taps' scores, gains over levels and over pairs, the sets (theory 5 to 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures import (
    gain_curve_figure,
    pair_matrix_figure,
    score_scatter_figure,
    set_gains_figure,
    short_tap_name,
)
from cfs_explore.figures.theme import format_value
from cfs_explore.plates.choices import Choices
from cfs_explore.plates.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.plates.pair import Pair, make_pair, mean_scores, pair_gains, pair_numbers, pair_scores
from cfs_explore.plates.plate import Plate, counts, file_stem
from cfs_explore.store import Run
from cfs_explore.wording import counted

ONE_TAP = "This exploration measured a single tap: there is no pair to compare."
SAME_TAP = "Choose two different taps to compare."
NO_PRESET = "This exploration has no published pair: its taps do not include both sides of the bottleneck."


def scores(
    run: Run, pair: Pair, sides: Sequence[np.ndarray], row: pd.Series, scale: str = "ln s", theme: str = "light"
) -> Plate:
    """The two taps' scores of every image against each other.

    Args:
        run: the exploration.
        pair: what is compared.
        sides: first and second tap's scores of ID and then of OOD images, four times (image,).
        row: the pair's numbers on this scale, of ``pair.pair_numbers``.
        scale: "s" or "ln s".
        theme: "light" or "dark".
    """
    id_e, id_d, ood_e, ood_d = sides
    points = pd.concat([_points(run, "id_test", None, id_e, id_d), _points(run, "ood", pair.ood, ood_e, ood_d)])
    log = scale == "ln s" and float(points[["encoder", "decoder"]].min().min()) > 0
    regions = [run.taps[tap].region for tap in (pair.first, pair.second)]
    labels = tuple(f"{name} score ({region})" for name, region in zip(pair.short, regions, strict=True))
    names = pair.short if pair.names == pair.short else ("encoder", "decoder")
    thresholds = {"encoder": row["threshold_e"], "decoder": row["threshold_d"], "average": row["threshold_avg"]}
    axes = ", logarithmic axes" if log else ""
    if scale == "ln s" and not log:
        axes = "; linear axes, since a score that is not above 0 has no logarithm"
    return Plate(
        score_scatter_figure(points, thresholds, labels, names=names, theme=theme, log=log),
        points,
        f"Slot scores, OOD: {pair.ood}; {counts(run, row, pair.ood)}; at λ {_lam(run, pair.level)}, "
        f"mean of {counted(run.draws, 'draw')}{axes}. Grey curves: equal plain "
        "average; solid: its threshold. Beyond a threshold, which 95 % of the ID images stay below, an image is called "
        "OOD.",
        f"{pair.short[1]} against {pair.short[0]} score. Of {row['n_ood']} OOD images both catch "
        f"{row['caught_both']}, only {pair.short[0]} {row['caught_encoder']}, only {pair.short[1]} "
        f"{row['caught_decoder']}, neither {row['caught_neither']}.",
        _stem(run, pair, "scores"),
    )


def levels(run: Run, pair: Pair, frame: pd.DataFrame, scale: str = "ln s", theme: str = "light") -> Plate:
    """Both conditional gains at every level.

    Args:
        run: the exploration.
        pair: what is compared; its level is marked.
        frame: of ``pair.pair_gains``.
        scale: of the frame, "s" or "ln s".
        theme: "light" or "dark".

    Raises:
        NotMeasuredError: too few images, or scores that have no gain on this scale.
    """
    if frame.empty or frame[["gain_d", "gain_e"]].isna().all(axis=None):
        raise NotMeasuredError(
            f"The gains on {scale} need at least two images in each set and scores that vary"
            f"{' and are above 0' if scale == 'ln s' else ''}."
        )
    first, second = pair.short
    labels = {"decoder": f"{second} given {first}", "encoder": f"{first} given {second}"}
    here = frame.iloc[pair.level]
    sizes = pd.Series({"n_id": run.id_test.count, "n_ood": run.entry("ood", pair.ood).count})
    return Plate(
        gain_curve_figure(frame, labels, theme, pair.level),
        frame,
        f"Gain in D² (6) on {scale}; 95 % bands (bootstrap of {RESAMPLES:,} resamples) start at 0 where the "
        f"direction is uncertain; OOD: {pair.ood}; {counts(run, sizes, pair.ood)}; mean of "
        f"{counted(run.draws, 'draw')}.",
        "; ".join(f"{labels[role]}: gain {here[f'gain_{role[0]}']:.2f} at the chosen level" for role in labels),
        _stem(run, pair, "gains"),
    )


def pairs(run: Run, pair: Pair, rows: pd.DataFrame, theme: str = "light") -> Plate:
    """What averaging any two taps is worth.

    Args:
        run: the exploration.
        pair: the one to be outlined.
        rows: its OOD set's and level's of the table ``pair_gain``.
        theme: "light" or "dark".
    """
    names = run.taps[pair.first].name, run.taps[pair.second].name
    best = rows.loc[rows["gain"].idxmax()]
    return Plate(
        pair_matrix_figure(rows, run.taps, theme, names),
        rows.sort_values("gain", ascending=False),
        f"AUROC of the average of two taps' scores minus that of the better one alone, at λ {_lam(run, pair.level)}, "
        f"{len(rows):,} pairs; 0: no gain; OOD: {pair.ood}; {counts(run, rows, pair.ood)}; "
        f"mean of {counted(run.draws, 'draw')}. The largest of many gains is biased upwards. The chosen "
        "pair is outlined.",
        f"Gains of {len(rows)} pairs run from {rows['gain'].min():.3f} to {best['gain']:.3f}, the largest for "
        f"{short_tap_name(best['tap_a'])} and {short_tap_name(best['tap_b'])}.",
        _stem(run, pair, "pairs"),
    )


def sets(run: Run, level: int, table: pd.DataFrame, theme: str = "light") -> Plate:
    """What the published average gains on every OOD set.

    Args:
        run: the exploration.
        level: position among its levels.
        table: ``complementarity``.
        theme: "light" or "dark".

    Raises:
        NotMeasuredError: the run has no published pair, or not at this level.
    """
    if table.empty:
        raise NotMeasuredError(NO_PRESET)
    rows = table[(table["preset"] == table["preset"].iloc[0]) & (table["level"] == level)]
    rows = rows[rows["scale"] == "s"]  # AUROCs do not depend on the scale
    if rows.empty:
        raise NotMeasuredError("The published pair was not measured at this level; choose another level.")
    better = rows[["auroc_e", "auroc_d"]].max(axis=1)
    found = verdicts(*(rows[f"auroc_gain{end}"] for end in ("", "_lo", "_hi")), arms=(better, rows["auroc_avg"]))
    rows = rows.assign(survives=found.survives)
    first, second = (short_tap_name(rows[side].iloc[0]) for side in ("encoder", "decoder"))
    return Plate(
        set_gains_figure(rows, theme),
        rows,
        f"AUROC of the plain average of {first} (encoder) and {second} (decoder), the published CFS(1x2) pair, "
        f"minus that of the better one alone, at λ {_lam(run, level)}; paired CI; "
        f"{counts(run, rows)}. Circle: the decoder is better "
        "alone; square: the encoder; diamond: neither. * survives: "
        f"{found.told('gains and losses')}",
        "; ".join(f"{row['ood']}: {row['auroc_gain']:+.3f}" for row in rows.to_dict("records")),
        file_stem(run, "complementarity", "sets", f"level{level}"),
    )


def _stem(run: Run, pair: Pair, what: str) -> str:
    return file_stem(run, pair.ood, *pair.short, f"level{pair.level}", what)


def _lam(run: Run, level: int) -> str:
    return format_value(run.levels[level].lam, 1)


def _points(run: Run, role: str, name: str | None, encoder: np.ndarray, decoder: np.ndarray) -> pd.DataFrame:
    label = "ID" if role == "id_test" else "OOD"
    images = run.images(role, name, columns=("name",))["name"]
    return pd.DataFrame({"class": label, "name": images, "encoder": encoder, "decoder": decoder})


def _pair(run: Run, choices: Choices) -> Pair:
    first, second = choices.pair
    if first == second:
        raise NotMeasuredError(ONE_TAP if len(run.taps) < 2 else SAME_TAP)
    return make_pair(run, choices.ood, choices.level, first, second)


def _sides(run: Run, pair: Pair, which: slice | list[int]) -> list[np.ndarray]:
    sets = (mean_scores(run.scores(*of)) for of in (("id_test",), ("ood", pair.ood)))
    return pair_scores(*sets, pair, which)


def _scores(run: Run, choices: Choices, theme: str) -> Plate:
    pair = _pair(run, choices)
    sides = _sides(run, pair, [pair.level])
    row = pair_numbers(run, pair.ood, sides).loc[choices.scale]
    return scores(run, pair, [values[0] for values in sides], row, choices.scale, theme)


def _levels(run: Run, choices: Choices, theme: str) -> Plate:
    pair = _pair(run, choices)
    frame = pair_gains(run, pair.ood, _sides(run, pair, slice(None)), choices.scale)
    return levels(run, pair, frame, choices.scale, theme)


def _pairs(run: Run, choices: Choices, theme: str) -> Plate:
    pair = _pair(run, choices)
    return pairs(run, pair, stage_rows(run, "pair_gain", ood=choices.ood, level=choices.level), theme)


def _sets(run: Run, choices: Choices, theme: str) -> Plate:
    if not run.manifest.presets:
        raise NotMeasuredError(NO_PRESET)
    return sets(run, choices.level, stage_rows(run, "complementarity"), theme)


KINDS = {
    "complementarity-scores": Kind("Two taps' scores of every image", _scores),
    "complementarity-levels": Kind("What each of two taps adds to the other, over noise levels", _levels),
    "complementarity-pairs": Kind("What averaging any two taps is worth", _pairs),
    "complementarity-sets": Kind("What the published average gains on every OOD set", _sets),
}
