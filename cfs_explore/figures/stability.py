"""The stability page's figures: what survives the noise, AUROC along it, local law, drift (theory 14 to 16)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.charts.auroc_curve import auroc_curve_chart
from cfs_explore.charts.drift_lines import drift_lines_chart
from cfs_explore.charts.local_law import local_law_chart
from cfs_explore.charts.reuse_grid import reuse_grid_chart
from cfs_explore.charts.tap_lines import tap_lines_chart
from cfs_explore.charts.tap_radius import tap_radius_chart
from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics.auroc_curve import AurocCurve, auroc_curve
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, file_stem, id_count, set_counts
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.wording import format_digits, format_estimate, format_value, percent

#: Column of the table ``stability`` -> (what it is called, y axis, how its interval is computed)
MEASURES = {
    "icc_features": ("ICC of features", "ICC of the whitened features", "95 % band: F distribution"),
    "icc_scores": ("ICC of scores", "ICC of the slot scores", "95 % band: jackknife over images or their groups"),
    "spearman": ("Spearman", "Mean Spearman correlation between draws", "95 % band: Fisher z, influence function"),
}
#: Column of the table ``drift`` -> (what it is called, y axis)
PARTS = {
    "drift": ("Whole", "Squared drift, in units of v"),
    "own": ("The image's own", "Own squared drift, in units of v"),
}
#: Column of the table ``sharing`` -> (what it is called, y axis)
SHARED = {
    "cosine": ("Cosine", "Cosine between the maps of both levels"),
    "cka": ("CKA", "Linear CKA of the maps of both levels"),
    "delta_rel": ("Difference", "Relative squared difference of both levels"),
}
MEASURE = Control(
    "stability_measure",
    "What survives",
    {name: words[0] for name, words in MEASURES.items()},
    help="ICC (intraclass correlation): the share of the variance that is the image's own; the rest is the "
    "noise draw's. Of the features (the pooled activations) or of the scores made of them. Spearman: whether "
    "two noise draws put the images into the same order. 1 is perfect, 0 is nothing.",
    former=("measure",),
)
PART = Control("stability_part", "Drift", {name: words[0] for name, words in PARTS.items()}, former=("part",))
SHARING = Control(
    "stability_sharing",
    "What is shared",
    {name: words[0] for name, words in SHARED.items()},
    help="Of a tap's whole map at two levels, same image and noise. Cosine: 1 where both point "
    "the same way. CKA (centred kernel alignment): 1 where both order the images alike, whatever the channels; with "
    "few images it is high. Difference: squared, over the mean of the squared lengths; 0 where nothing changes, 2 "
    "where the maps have nothing to do with each other.",
)
CLEANEST = "cleanest"


def _pairs(run: Run) -> dict[str, str]:
    """Which levels a level is compared with: so many steps noisier, or all with the cleanest one."""
    steps = {str(step): f"{step} levels noisier" for step in range(2, len(run.levels))}
    return {"1": "The next noisier level", **steps, CLEANEST: "The cleanest level"}


PAIRS = Control(
    "stability_pairs",
    "Compared with",
    _pairs,
    help="Which level each level's maps are compared with.",
    drawn="select",
    width=220,
    written="1, 2, ...: so many levels noisier; or cleanest",
)
ONE_DRAW = (
    "This map was measured with one noise draw per image; reliability needs at least two. Set `draws: 5` in its spec "
    "and measure it again."
)


def survival(run: Run, choices: Choices, theme: str) -> Figure:
    """Reliability of every tap along the noise (14), the chosen one highlighted with its band."""
    chosen, measure = _tap(run, choices), MEASURE.of(choices.options)
    rows = stage_rows(run, "stability", role="id_test")
    if run.draws < 2:
        raise NotMeasuredError(ONE_DRAW)
    _, label, method = MEASURES[measure]
    if rows[measure].isna().all():
        raise NotMeasuredError(
            "Nothing varies between these images, or there is only one image: there is no reliability to show."
        )
    rows = rows.assign(value=rows[measure], lo=rows[f"{measure}_lo"], hi=rows[f"{measure}_hi"])
    row = rows[rows["tap"] == chosen].iloc[0]
    best = format_estimate(row["value"], row["lo"], row["hi"])
    return Figure(
        tap_lines_chart(rows, _roles(run, chosen), label, theme),
        rows[["tap", "region", "lam", "value", "lo", "hi", "n", "draws"]],
        f"{label}; {id_count(run, run.id_test.count)}, {run.draws} noise draws; {method} (chosen tap); dotted: 0.9.",
        f"{label} of {len(run.taps)} taps over {len(run.levels)} noise levels. {short_tap_name(chosen)} has {best} at "
        "the cleanest level.",
        file_stem(run, "stability", measure),
    )


def tap_curve(run: Run, choices: Choices) -> AurocCurve:
    """AUROC of the chosen tap over the levels, with both bands."""
    return run.derived(_curve, choices.ood, run.cell(choices.cell).tap)


def _curve(run: Run, ood: str, tap: int) -> AurocCurve:
    sets = (run.scores(*which)[..., tap] for which in (("id_test",), ("ood", ood)))
    return auroc_curve([level.lam for level in run.levels], *sets, Groups.of(*run.group_names(ood)))


def auroc_along_noise(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of one tap along the noise and its plateau."""
    ood, tap = choices.ood, short_tap_name(_tap(run, choices))
    frame, plateau = tap_curve(run, choices)
    possible = None if plateau.possible_start is None else (plateau.possible_start, plateau.possible_stop)
    peak = frame.iloc[plateau.peak]
    spread = f"scores averaged over {run.draws} noise draws; bars: lowest to highest AUROC of a single draw"
    if run.draws < 2:
        spread = "one noise draw: the spread over draws is unknown"
    return Figure(
        auroc_curve_chart(frame, (plateau.start, plateau.stop), possible, theme),
        frame,
        f"{tap}; OOD: {ood}; {set_counts(run, ood)}; {spread}.",
        f"AUROC of {tap} over the noise levels, highest at λ {format_value(peak['lam'], 1)} with "
        f"{format_estimate(peak['auroc'], peak['lo'], peak['hi'])}.",
        file_stem(run, ood, tap, "auroc-over-noise"),
    )


def local_law(run: Run, choices: Choices, theme: str) -> Figure:
    """Variance within an image over the noise amplitude, of the chosen tap and the pair of CFS(1x2) (15)."""
    law, chosen = stage_rows(run, "local_law"), _tap(run, choices)
    if not (law.loc[law["tap"] == chosen, "within"] > 0).any():
        raise NotMeasuredError("The chosen tap does not respond to the noise: there is no growth to show.")
    roles = _roles(run, chosen)
    row = law[law["tap"] == chosen].iloc[0]
    shown = law[law["tap"].isin(list(roles))]
    slope = format_estimate(row["slope"], row["slope_lo"], row["slope_hi"])
    return Figure(
        local_law_chart(shown, roles, theme),
        shown,
        f"{short_tap_name(chosen)}: slope {slope} for λ ≥ {format_value(row['slope_lam'], 1)}; variance in units of "
        f"ID-train's v at the map's cleanest level; {id_count(run, row['n_id'])}, {row['draws']} noise draws; 95 % "
        "bootstrap over images or their groups.",
        f"Variance within an image over the noise amplitude, both logarithmic. {short_tap_name(chosen)} grows with "
        f"slope {slope}; the law has 1.",
        file_stem(run, short_tap_name(chosen), "local-law"),
    )


def drift_by_cause(run: Run, choices: Choices, theme: str) -> Figure:
    """Squared drift of one tap's snapshots along the noise, by its cause (16)."""
    chosen, part = _tap(run, choices), PART.of(choices.options)
    rows = stage_rows(run, "drift", tap=chosen)
    lo, hi = ("lo", "hi") if part == "drift" else ("own_lo", "own_hi")
    rows = rows[["lam", "cause"]].assign(value=rows[part], lo=rows[lo], hi=rows[hi], n_id=rows["n_id"])
    if not (rows["value"] > 0).any():
        raise NotMeasuredError("Nothing moves the chosen tap, or there is only one image: there is no drift to show.")
    last = rows[rows["lam"] == rows["lam"].min()].set_index("cause")["value"]
    return Figure(
        drift_lines_chart(rows, PARTS[part][1], theme),
        rows,
        f"{short_tap_name(chosen)}, relative to the clean image under the cleanest conditioning; "
        f"{id_count(run, rows['n_id'].iloc[0])}, first noise draw; 95 % bands, normal on the logarithm.",
        f"Squared drift of {short_tap_name(chosen)} over the noise levels by cause; at the noisiest, noise alone gives "
        f"{format_digits(last['noise'])}, conditioning alone {format_digits(last['conditioning'])}, both "
        f"{format_digits(last['both'])}.",
        file_stem(run, short_tap_name(chosen), "drift"),
    )


def radius(run: Run, choices: Choices, theme: str) -> Figure:
    """Slope of the local law and stability radius of every tap, the chosen one marked (15)."""
    law, chosen = stage_rows(run, "local_law"), _tap(run, choices)
    columns = ["tap", "tap_index", "region", "slope", "slope_lo", "slope_hi", "radius", "radius_lo", "radius_hi"]
    taps = law.drop_duplicates("tap")[[*columns, "radius_end", "slope_lam", "n_id", "draws"]]
    taps = taps.assign(smallest=law["b_over_a"].min())
    if taps["slope"].isna().all():
        raise NotMeasuredError(
            "One noise level is in reach, or nothing varies: there is no slope and no radius to show."
        )
    row = taps[taps["tap"] == chosen].iloc[0]
    return Figure(
        tap_radius_chart(taps, chosen, theme),
        taps,
        f"Above: slope of the local law over λ ≥ {format_value(row['slope_lam'], 1)}. Below: stability radius (b/a); "
        f"lowest marks: smaller than that of the cleanest level measured, {format_digits(row['smallest'], 2)}. "
        f"{id_count(run, row['n_id'])}, {row['draws']} noise draws; 95 % bootstrap intervals.",
        f"Slope and stability radius of {len(taps)} taps; {short_tap_name(chosen)} has slope "
        f"{format_estimate(row['slope'], row['slope_lo'], row['slope_hi'])} and radius "
        f"{format_digits(row['radius'], 2)}.",
        file_stem(run, "stability-radius"),
    )


def shared_with_others(run: Run, choices: Choices, theme: str) -> Figure:
    """How alike every tap's map is at two levels, neighbours or not (34), the chosen tap highlighted."""
    chosen, measure = _tap(run, choices), SHARING.of(choices.options)
    which = PAIRS.of(choices.options, run)
    rows = stage_rows(run, "sharing")
    if which == CLEANEST:
        rows, against = rows[rows["level"] == 0], "the cleanest against each noisier level"
        rows = rows.assign(lam=rows["other_lam"], other_lam=rows["lam"])
    else:
        rows, step = rows[rows["other_level"] == rows["level"] + int(which)], int(which)
        against = f"each level against the {'next noisier one' if step == 1 else f'one {step} levels noisier'}"
    if rows.empty:
        raise NotMeasuredError(f"This map has {len(run.levels)} levels: none is so much noisier than another.")
    unknown = rows["lam"].map(lambda lam: float("nan"))  # an older run's CKA has no interval
    limits = (rows.get(f"{measure}_{side}", unknown) for side in ("lo", "hi"))
    rows = rows.assign(value=rows[measure], **dict(zip(("lo", "hi"), limits, strict=True)))
    if rows["value"].isna().all():
        raise NotMeasuredError(
            "All images give the same maps, or there is only one image: there is nothing to compare."
        )
    label = SHARED[measure][1]
    band = "" if rows["lo"].isna().all() else "; 95 % band over images (chosen tap)"
    return Figure(
        tap_lines_chart(rows, _roles(run, chosen), label, theme, line=None),
        rows[["tap", "region", "lam", "other_lam", "value", "lo", "hi", "n_id"]],
        f"{label}, {against}; {id_count(run, int(rows['n_id'].iloc[0]))}, first noise draw{band}.",
        f"{label} of {len(run.taps)} taps, {against}. {short_tap_name(chosen)} "
        f"{_changes_most(rows[rows['tap'] == chosen], measure)}.",
        file_stem(run, "stability-sharing", measure, *([] if which == "1" else [which])),
    )


def _changes_most(of_tap: pd.DataFrame, measure: str) -> str:
    """Where one tap's maps differ most from those of the next level, for those who cannot see the figure."""
    known = of_tap[of_tap["value"].notna()]
    if known.empty:
        return "has no number: its maps are constant"
    least = known.loc[known["value"].idxmax() if measure == "delta_rel" else known["value"].idxmin()]
    return (
        f"differs most between λ {format_value(least['lam'], 1)} and {format_value(least['other_lam'], 1)}, with "
        f"{format_estimate(least['value'], least['lo'], least['hi'])}"
    )


def reused_encoder(run: Run, choices: Choices, theme: str) -> Figure:
    """What the noise estimate loses when the decoder gets the encoder's work of another level (34)."""
    rows = stage_rows(run, "reuse")
    neighbours = rows[((rows["level"] - rows["encoder_level"]).abs() == 1) & rows["error"].notna()]
    if neighbours.empty:
        raise NotMeasuredError(" ".join(rows["note"].unique()).strip() or "The noise estimates are all 0.")
    least, most = (neighbours.loc[place] for place in (neighbours["error"].idxmin(), neighbours["error"].idxmax()))
    return Figure(
        reuse_grid_chart(rows, theme),
        rows,
        "Squared change of the noise estimate over its squared length when encoder and middle (rows) are those of "
        f"another level than the decoder's (columns); saves {percent(rows['saved'].iloc[0])} of a forward; "
        f"{id_count(run, int(rows['n_id'].iloc[0]))}, first noise draw.",
        f"Error of reusing the encoder between {len(run.levels)} noise levels; between neighbours from "
        f"{format_digits(least['error'], 2)} (encoder at λ {format_value(least['encoder_lam'], 1)}, decoder at "
        f"{format_value(least['lam'], 1)}) to {format_digits(most['error'], 2)} (encoder at "
        f"{format_value(most['encoder_lam'], 1)}, decoder at {format_value(most['lam'], 1)}).",
        file_stem(run, "stability-reuse"),
    )


def _roles(run: Run, chosen: str) -> dict[str, str]:
    """Tap -> role in the figures: the chosen one and the pair of CFS(1x2)."""
    measured = {tap.name for tap in run.taps}
    pair = zip(run.manifest.presets.get("sparse_ed", []), ("CFS encoder", "CFS decoder"), strict=False)
    roles = {name: role for name, role in pair if name in measured}
    return roles | {chosen: f"chosen ({roles[chosen]})" if chosen in roles else "chosen"}


def _tap(run: Run, choices: Choices) -> str:
    return run.taps[run.cell(choices.cell).tap].name


KINDS = {
    "stability-survival": Kind("Reliability of every tap's snapshots under noise", survival, ("cell",), (MEASURE,)),
    "stability-auroc": Kind("AUROC of a tap over noise levels, and its plateau", auroc_along_noise, ("ood", "cell")),
    "stability-law": Kind("How a tap's response grows with the noise: the local law", local_law, ("cell",)),
    "stability-drift": Kind("What moves a tap's snapshots: noise or conditioning", drift_by_cause, ("cell",), (PART,)),
    "stability-radius": Kind("Slope of the local law and stability radius of every tap", radius, ("cell",)),
    "stability-sharing": Kind(
        "How much of a tap's map a level shares with another", shared_with_others, ("cell",), (SHARING, PAIRS)
    ),
    "stability-reuse": Kind("What reusing the encoder of another level costs", reused_encoder),
}
