"""The complementarity page's figures: two taps' scores, gains over levels and over pairs, the sets (theory 5 to 9)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.charts import (
    gain_curve_chart,
    pair_matrix_chart,
    score_scatter_chart,
    set_gains_chart,
    short_tap_name,
)
from cfs_explore.diagnostics import StraddleShare, straddle_share
from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem, set_counts
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.pair import Pair, pair_gains, pair_numbers, pair_of, pair_scores
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_signed, format_value

NO_PRESET = "This exploration has no published pair: its taps do not include both sides of the bottleneck."


def scores(run: Run, choices: Choices, theme: str) -> Figure:
    """The two taps' scores of every image against each other."""
    ood, pair = choices.ood, pair_of(run, choices)
    id_e, id_d, ood_e, ood_d = pair_scores(run, choices)
    row = pair_numbers(run, choices).loc[choices.scale]
    points = pd.concat([_points(run, "id_test", None, id_e, id_d), _points(run, "ood", ood, ood_e, ood_d)])
    log = choices.scale == "ln s" and float(points[["encoder", "decoder"]].min().min()) > 0
    regions = [run.taps[tap].region for tap in choices.pair]
    labels = tuple(f"{name} score ({region})" for name, region in zip(pair.short, regions, strict=True))
    names = pair.short if pair.names == pair.short else ("encoder", "decoder")
    thresholds = {"encoder": row["threshold_e"], "decoder": row["threshold_d"], "average": row["threshold_avg"]}
    axes = ", logarithmic axes" if log else ""
    if choices.scale == "ln s" and not log:
        axes = "; linear axes, since some scores are not above 0"
    return Figure(
        score_scatter_chart(points, thresholds, labels, names=names, theme=theme, log=log),
        points,
        f"Slot scores, OOD: {ood}; {counts(run, row, ood)}; at λ {_lam(run, choices)}, "
        f"mean of {counted(run.draws, 'noise draw')}{axes}. Grey curves: equal plain average; solid: its threshold. "
        "Thresholds are the 95 % quantiles of the ID scores; an image above one is flagged as OOD.",
        f"{pair.short[1]} against {pair.short[0]} score. Of {row['n_ood']} OOD images, {row['caught_both']} are caught "
        f"by both, {row['caught_encoder']} by {pair.short[0]} alone, {row['caught_decoder']} by {pair.short[1]} alone "
        f"and {row['caught_neither']} by neither.",
        _stem(run, choices, pair, "scores"),
    )


def levels(run: Run, choices: Choices, theme: str) -> Figure:
    """Both conditional gains at every level, the chosen one marked."""
    ood, scale, pair = choices.ood, choices.scale, pair_of(run, choices)
    frame = pair_gains(run, choices)
    if frame.empty or frame[["gain_d", "gain_e"]].isna().all(axis=None):
        raise NotMeasuredError(
            f"The gains on {scale} need at least two images in each set and scores that vary"
            f"{' and are above 0' if scale == 'ln s' else ''}."
        )
    first, second = pair.short
    labels = {"decoder": f"{second} given {first}", "encoder": f"{first} given {second}"}
    here = frame.iloc[choices.level]
    return Figure(
        gain_curve_chart(frame, labels, theme, choices.level),
        frame,
        f"Gain in D² (6) on {scale}; 95 % bootstrap bands ({RESAMPLES:,} resamples), which start at 0 where the sign "
        f"of the shift is uncertain; OOD: {ood}; {set_counts(run, ood)}; mean of {counted(run.draws, 'noise draw')}.",
        "; ".join(f"{labels[role]}: gain {here[f'gain_{role[0]}']:.2f} at the chosen level" for role in labels),
        _stem(run, choices, pair, "gains"),
    )


def pair_rows(run: Run, ood: str, level: int) -> pd.DataFrame:
    """What averaging is worth, of every pair of taps at a level."""
    return stage_rows(run, "pair_gain", ood=ood, level=level)


def straddling(run: Run, choices: Choices) -> StraddleShare | None:
    """Whether the top pairs of the chosen level straddle the bottleneck."""
    return run.derived(_straddling, choices.ood, choices.level)


def _straddling(run: Run, ood: str, level: int) -> StraddleShare | None:
    return straddle_share(pair_rows(run, ood, level), run.taps)


def pairs(run: Run, choices: Choices, theme: str) -> Figure:
    """What averaging any two taps is worth, the chosen pair outlined."""
    ood, pair = choices.ood, pair_of(run, choices)
    rows = pair_rows(run, ood, choices.level)
    names = tuple(run.taps[tap].name for tap in choices.pair)
    best = rows.loc[rows["gain"].idxmax()]
    return Figure(
        pair_matrix_chart(rows, run.taps, theme, names),
        rows.sort_values("gain", ascending=False),
        f"AUROC of the average of two taps' scores minus that of the better tap alone, at λ {_lam(run, choices)}, "
        f"{len(rows):,} pairs; 0: no gain; OOD: {ood}; {counts(run, rows, ood)}; "
        f"mean of {counted(run.draws, 'noise draw')}. The largest of many gains is biased upwards. The chosen "
        "pair is outlined.",
        f"Gains of {len(rows):,} pairs run from {format_value(rows['gain'].min())} to {format_value(best['gain'])}, "
        f"the largest for {short_tap_name(best['tap_a'])} and {short_tap_name(best['tap_b'])}.",
        _stem(run, choices, pair, "pairs"),
    )


def sets(run: Run, choices: Choices, theme: str) -> Figure:
    """What the published average gains on every OOD set."""
    if not run.manifest.presets:
        raise NotMeasuredError(NO_PRESET)
    table = stage_rows(run, "complementarity", scale="s")  # AUROCs do not depend on the scale
    rows = table[(table["preset"] == table["preset"].iloc[0]) & (table["level"] == choices.level)]
    if rows.empty:
        raise NotMeasuredError("The published pair was not measured at this level; choose another level.")
    better = rows[["auroc_e", "auroc_d"]].max(axis=1)
    found = verdicts(*(rows[f"auroc_gain{end}"] for end in ("", "_lo", "_hi")), arms=(better, rows["auroc_avg"]))
    rows = rows.assign(survives=found.survives)
    first, second = (short_tap_name(rows[side].iloc[0]) for side in ("encoder", "decoder"))
    return Figure(
        set_gains_chart(rows, theme),
        rows,
        f"AUROC of the plain average of {first} (encoder) and {second} (decoder), the published CFS(1x2) pair, "
        f"minus that of the better tap alone, at λ {_lam(run, choices)}; paired 95 % CI; {counts(run, rows)}. Better "
        "tap alone: the decoder (circle), the encoder (square), neither (diamond). * marks those that survive: "
        f"{found.summary('gains and losses', 'clear of 0')}",
        "; ".join(f"{row['ood']}: {format_signed(row['auroc_gain'])}" for row in rows.to_dict("records")),
        file_stem(run, "complementarity", "sets", f"level{choices.level}"),
    )


def _stem(run: Run, choices: Choices, pair: Pair, what: str) -> str:
    return file_stem(run, choices.ood, *pair.short, f"level{choices.level}", what)


def _lam(run: Run, choices: Choices) -> str:
    return format_value(run.levels[choices.level].lam, 1)


def _points(run: Run, role: str, name: str | None, encoder: np.ndarray, decoder: np.ndarray) -> pd.DataFrame:
    label = "ID" if role == "id_test" else "OOD"
    images = run.images(role, name, columns=("name",))["name"]
    return pd.DataFrame({"class": label, "name": images, "encoder": encoder, "decoder": decoder})


_PAIR = ("ood", "level", "pair")
KINDS = {
    "complementarity-scores": Kind("Two taps' scores of every image", scores, (*_PAIR, "scale")),
    "complementarity-levels": Kind(
        "What each of two taps adds to the other, over noise levels", levels, (*_PAIR, "scale")
    ),
    "complementarity-pairs": Kind("Gain of averaging any two taps", pairs, _PAIR),
    "complementarity-sets": Kind("Gain of the published average on every OOD set", sets, ("level",)),
}
